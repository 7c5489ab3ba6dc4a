"""``trainer check``: copies and shared batteries are found, and labels that contradict."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from inspection.console import run
from inspection.records import source_path
from inspection.synthetic import SyntheticLot, write_lot
from training.__main__ import app
from training.data.duplicates import near_pairs
from training.data.split_files import read_split
from training.data.split_lots import split_lots
from training.data.splits import Split

LABEL_CODES = {
    "label_normal_with_defects",
    "label_polygon_odd",
    "label_battery_differs",
    "label_porosity_large",
    "label_swelling_only",
    "label_size_differs",
    "label_defect_unknown",
    "label_polygon_outside",
    "label_type_differs",
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SyntheticLot(batteries=12, slices=3, views=2, canvas=192, seed=11, defects=0.6)
    return write_lot(tmp_path_factory.mktemp("lots") / "lot", spec, workers=1)


@pytest.fixture
def lot(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "로트"))


@pytest.fixture
def split(lot: Path, tmp_path: Path) -> Path:
    split_lots([lot], tmp_path / "split", Split(), 0)
    return tmp_path / "split"


def check(
    capsys: pytest.CaptureFixture[str], lot: Path, *more: str | Path
) -> tuple[int, dict[str, dict[str, Any]]]:
    capsys.readouterr()
    code = run(app, "trainer", ["check", str(lot), "--json", *map(str, more)])
    document = json.loads(capsys.readouterr().out)
    assert document["leakage"] == (code == 1)
    return code, {row["kind"]: row for row in document["findings"]}


def picture(path: Path) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)


def write_picture(path: Path, pixels: np.ndarray, *options: int) -> None:
    path.write_bytes(cv2.imencode(path.suffix, pixels, list(options))[1].tobytes())


def of_part(split: Path, part: str, modality: str) -> Path:
    return source_path(read_split(split).rows(part, modality)[0].source)  # type: ignore[arg-type]


def test_a_sound_split_passes(lot, split, capsys) -> None:
    code, found = check(capsys, lot, "--split", split)
    assert code == 0
    assert set(found) <= {"label_swelling_only", "pair_pouch_cylindrical"}
    assert {row["severity"] for row in found.values()} == {"note"}
    assert found["pair_pouch_cylindrical"]["count"] == 12


def test_a_lot_without_labels_is_told_to_be_one(lot, capsys) -> None:
    for label in lot.rglob("*.json"):
        label.unlink()
    assert run(app, "trainer", ["check", str(lot), "--no-pixels", "--language", "en"]) == 0
    said = capsys.readouterr()
    assert "No image has a label" in said.err
    assert "No leakage was found" not in said.out
    assert run(app, "trainer", ["check", str(lot), "--no-pixels", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labelled"] == 0


def test_a_battery_in_two_parts_is_leakage(lot, split, capsys) -> None:
    """Also where the file gives its images another battery's name."""
    lines = (split / "train.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    with (split / "test.txt").open("a", encoding="utf-8") as file:
        path, label, battery, name = lines.pop().split("\t")
        file.write("\t".join((path, label, "lot/999", name)))
    (split / "train.txt").write_text("".join(lines), encoding="utf-8")
    code, found = check(capsys, lot, "--split", split, "--no-pixels")
    assert code == 1
    assert battery.rpartition("/")[2] in found["battery_in_parts"]["detail"]
    assert found["battery_in_parts"]["severity"] == "leak"
    assert "train" in found["battery_in_parts"]["detail"]


@pytest.mark.parametrize("modality", ["ct", "rgb"])
def test_a_copied_file_in_another_part_is_leakage(lot, split, capsys, modality) -> None:
    source, target = of_part(split, "train", modality), of_part(split, "test", modality)
    shutil.copy(source, target)
    code, found = check(capsys, lot, "--split", split)
    assert code == 1
    assert found["identical_pixels"]["severity"] == "leak"
    assert found["identical_pixels"]["count"] == 1
    assert source.name in found["identical_pixels"]["detail"]
    assert target.name in found["identical_pixels"]["detail"]
    assert "near_duplicate" not in found


def test_the_same_pixels_in_another_file_format_are_identical(lot, split, capsys) -> None:
    source, target = of_part(split, "val", "rgb"), of_part(split, "train", "rgb")
    write_picture(target, picture(source), cv2.IMWRITE_PNG_COMPRESSION, 9)
    assert source.read_bytes() != target.read_bytes()
    code, found = check(capsys, lot, "--split", split)
    assert code == 1
    assert found["identical_pixels"]["count"] == 1


@pytest.mark.parametrize("modality", ["ct", "rgb"])
@pytest.mark.parametrize("change", ["recompressed", "brighter"])
def test_a_changed_copy_is_a_near_duplicate(lot, split, capsys, modality, change) -> None:
    source, target = of_part(split, "train", modality), of_part(split, "test", modality)
    pixels = picture(source)
    if change == "brighter":
        pixels = np.clip(pixels * 1.1, 0, 255).astype(np.uint8)
    else:
        coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
        pixels = cv2.imdecode(coded, cv2.IMREAD_UNCHANGED)
    write_picture(target, pixels)
    # The copied picture keeps the region of the one it was made from.
    for label in lot.rglob(f"{target.stem}.json"):
        origin = next(lot.rglob(f"{source.stem}.json"))
        content = json.loads(label.read_text(encoding="utf-8"))
        content["data_info"]["roi"] = json.loads(origin.read_text("utf-8"))["data_info"]["roi"]
        label.write_text(json.dumps(content), encoding="utf-8")
    code, found = check(capsys, lot, "--split", split)
    assert code == 1
    assert found["near_duplicate"]["severity"] == "leak"
    assert found["near_duplicate"]["count"] == 1


def test_copies_within_a_part_warn_and_within_a_battery_are_noted(lot, split, capsys) -> None:
    rows = read_split(split).rows("train", "rgb")
    other = next(row for row in rows if row.battery != rows[0].battery)
    shutil.copy(source_path(rows[0].source), source_path(other.source))
    last = rows[-1]
    same = next(row for row in rows if row.battery == last.battery and row != last)
    shutil.copy(source_path(last.source), source_path(same.source))
    code, found = check(capsys, lot, "--split", split)
    assert code == 0
    assert found["identical_pixels"]["severity"] == "warning"
    assert found["identical_pixels_within"]["severity"] == "note"


def test_published_parts_that_share_batteries_are_a_warning(lot, capsys) -> None:
    moved = next(lot.rglob("RGB_*.png"))
    folder = lot / "Validation" / "01.원천데이터"
    folder.mkdir(parents=True)
    moved.rename(folder / moved.name)
    code, found = check(capsys, lot, "--no-pixels")
    assert code == 0
    assert found["battery_in_parts"]["severity"] == "warning"
    assert found["battery_in_parts"]["count"] == 1


def test_every_inconsistency_of_a_label_is_a_row(lot, tmp_path, capsys) -> None:
    labels = sorted(lot.rglob("CT_module_*.json"))
    odd = [10, 10, 20, 10, 20, 30, 7]

    def defect(name: str, points: list[int]) -> dict[str, Any]:
        return {"defects": [{"id": 1, "name": name, "points": points}]}

    changes: list[dict[str, Any]] = [
        {**defect("porosity", odd[:6]), "image_info": {"is_normal": True}},
        defect("porosity", odd),
        {"data_info": {"battery_ids": 998}},
        defect("porosity", [0, 0, 9999, 0, 9999, 9999, 0, 9999]),
        {"swelling": {"swelling": True}, "defects": None},
        {"image_info": {"width": 1000}},
        defect("scratchy", odd[:6]),
        defect("porosity", [-50, -50, -20, -50, -20, -20]),
        {"data_info": {"type": "cell"}},
    ]
    for path, change in zip(labels, changes, strict=False):
        content = json.loads(path.read_text(encoding="utf-8"))
        content["image_info"]["is_normal"] = "defects" not in change or not change["defects"]
        content |= {"defects": None, "swelling": {"swelling": False}}
        for key, value in change.items():
            content[key] = content[key] | value if isinstance(content[key], dict) else value
        path.write_text(json.dumps(content), encoding="utf-8")
    next(lot.rglob("RGB_*.json")).unlink()
    gone, cut = sorted(lot.rglob("RGB_*.png"))[-2:]
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:-200])

    out = tmp_path / "reports" / "checks.csv"
    code, found = check(capsys, lot, "--out", out)
    assert code == 0
    expected = LABEL_CODES | {"lot_image_unlabelled", "lot_label_without_image", "image_truncated"}
    assert expected <= set(found)
    with out.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["kind", "severity", "parts", "battery", "image", "detail"]
    by_kind = {row["kind"]: row for row in rows}
    assert Path(by_kind["label_battery_differs"]["image"]).stem == labels[2].stem
    assert by_kind["label_battery_differs"]["battery"].startswith("로트/")
    assert "998" in by_kind["label_battery_differs"]["detail"]
    assert Path(by_kind["image_truncated"]["image"]).name == cut.name
    assert by_kind["label_size_differs"]["detail"].startswith("The label says 1000x")


def test_the_table_speaks_korean_on_a_korean_system(lot, split, capsys, monkeypatch) -> None:
    monkeypatch.setenv("STATION_LANGUAGE", "ko")
    assert run(app, "trainer", ["check", str(lot), "--split", str(split), "--no-pixels"]) == 0
    assert "누출이 발견되지 않았습니다" in capsys.readouterr().out


def test_a_split_without_all_its_files_is_refused(lot, split, capsys) -> None:
    (split / "val.txt").unlink()
    assert run(app, "trainer", ["check", str(lot), "--split", str(split)]) == 2
    assert "no val.txt" in capsys.readouterr().err


def test_close_hashes_of_different_groups_are_paired_once_and_the_closest_first() -> None:
    rng = np.random.default_rng(0)
    fine = rng.integers(0, 2**64, (600, 4), dtype=np.uint64)
    groups = rng.integers(0, 3, 600)
    groups[[5, 400, 7, 420, 9, 430]] = [0, 1, 2, 0, 1, 1]
    fine[400], fine[420], fine[430] = fine[5] ^ np.uint64(1), fine[7], fine[9]
    found = near_pairs(fine[:, 0].copy(), fine, groups.astype(np.int64))
    assert [{*pair} for pair in found] == [{7, 420}, {5, 400}]


def test_look_alikes_that_were_not_compared_are_counted(lot, split, capsys, monkeypatch) -> None:
    source, target = of_part(split, "train", "rgb"), of_part(split, "test", "rgb")
    write_picture(target, picture(source), cv2.IMWRITE_PNG_COMPRESSION, 9)
    monkeypatch.setattr("training.data.checks.MOST_CANDIDATES", 0)
    code, found = check(capsys, lot, "--split", split)
    assert code == 0
    assert found["look_alikes_left"]["count"] == 1
