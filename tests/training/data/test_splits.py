"""``trainer split``: no battery on two sides, every class on each, nothing dropped in silence."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.classes import class_table
from inspection.console import run
from inspection.errors import ConfigError, LotError
from inspection.lot.scan import scan_lot
from inspection.records import source_path
from inspection.synthetic import SyntheticLot, write_lot
from training.__main__ import app
from training.data.labelled import scan_lots
from training.data.split_files import PARTS, SplitFiles, read_split
from training.data.split_lots import split_lots
from training.data.splits import Split, deal, part_sizes


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SyntheticLot(batteries=16, slices=3, views=2, canvas=128, seed=7, defects=0.7)
    return write_lot(tmp_path_factory.mktemp("로트") / "lot", spec, workers=1)


@pytest.fixture
def copy(lot: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lot, tmp_path / "copy"))


def trainer(*arguments: str | Path) -> int:
    return run(app, "trainer", [str(argument) for argument in arguments])


def images_of(lot: Path, pattern: str) -> list[Path]:
    return sorted(lot.rglob(pattern))


def change_label(path: Path, **image_info: object) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    content["image_info"] |= image_info
    path.write_text(json.dumps(content), encoding="utf-8")


# -- dealing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (74, (51, 11, 12)),
        (134, (93, 20, 21)),
        (300, (210, 45, 45)),
        (10, (7, 1, 2)),
        (3, (1, 1, 1)),
        (2, (1, 1, 0)),
        (1, (1, 0, 0)),
        (0, (0, 0, 0)),
    ],
)
def test_shares_become_whole_batteries(count: int, sizes: tuple[int, int, int]) -> None:
    assert tuple(part_sizes(count, Split()).values()) == sizes


def test_a_part_without_a_share_gets_nothing() -> None:
    assert part_sizes(20, Split(train=0.8, val=0.2, test=0.0))["test"] == 0
    assert part_sizes(20, Split(train=1.0, val=0.0, test=0.0))["train"] == 20


RGB_CLASSES = ("normal", *class_table().rgb_defects)
LABELS = st.sets(st.sampled_from([*class_table().ct, *RGB_CLASSES]), min_size=1, max_size=4)


@settings(deadline=None)
@given(st.lists(LABELS, max_size=90), st.lists(LABELS, max_size=40), st.integers(0, 5))
def test_every_group_is_split_in_the_shares(
    first: list[set[str]], second: list[set[str]], seed: int
) -> None:
    groups = [
        {f"{name}{index}": labels for index, labels in enumerate(found)}
        for name, found in (("pair", first), ("alone", second))
    ]
    dealt = deal(groups, Split(), seed)
    for group in groups:
        counts = Counter(dealt[name] for name in group)
        assert {part: counts[part] for part in PARTS} == part_sizes(len(group), Split())


def test_rare_classes_reach_every_part() -> None:
    group = {f"n{index}": {"module_normal", "normal"} for index in range(60)}
    group |= {f"o{index}": {"module_normal", "module_resin_overflow"} for index in range(3)}
    group |= {f"p{index}": {"cell_porosity", "normal"} for index in range(11)}
    for seed in range(5):
        dealt = deal([group], Split(), seed)
        overflow = Counter(dealt[name] for name in group if name.startswith("o"))
        porosity = Counter(dealt[name] for name in group if name.startswith("p"))
        assert overflow == {"train": 1, "val": 1, "test": 1}
        assert porosity["train"] in (7, 8)
        assert abs(porosity["val"] - porosity["test"]) <= 1


# -- the command -----------------------------------------------------------------------------


def test_a_split_names_every_image_once_with_its_class(lot: Path, tmp_path: Path) -> None:
    assert trainer("split", lot, "--out", tmp_path / "분할") == 0
    split = read_split(tmp_path / "분할")
    scanned = scan_lot(lot)
    on_disk = {ref.path for b in scanned.batteries for ref in (*b.ct, *b.rgb)}
    assert set().union(*(split.sources(part) for part in PARTS)) == on_disk
    truth = json.loads((lot / "truth.json").read_text(encoding="utf-8"))
    for part in PARTS:
        for row in split.rows(part, "ct"):
            battery = truth[row.battery.rpartition("/")[2]]
            expected = {f"{battery['type']}_normal", *(d["class"] for d in battery["internal"])}
            assert row.label in expected
        assert {row.label for row in split.rows(part, "rgb")} <= set(RGB_CLASSES)
    owners = [{row.battery for row in split.rows(part)} for part in PARTS]
    assert [len(found) for found in owners] == [11, 2, 3]
    assert not set.intersection(*owners)


def test_a_class_that_misses_a_part_is_warned_of(
    lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--train", "0.85", "--val", "0.05", "--language", "en")
    assert trainer("split", lot, "--out", tmp_path / "split", *words) == 0
    split = read_split(tmp_path / "split")
    labels = {part: {row.label for row in split.rows(part)} for part in PARTS}
    told = capsys.readouterr().err
    for label in set().union(*labels.values()):
        lacking = ", ".join(part for part in PARTS if label not in labels[part])
        assert (f"no battery of the class {label} is in {lacking};" in told) == bool(lacking)
    assert "is in val" in told
    # A part that was not asked for lacks nothing.
    words = ("--train", "1", "--val", "0", "--language", "en")
    assert trainer("split", lot, "--out", tmp_path / "all", *words) == 0
    assert "Warning" not in capsys.readouterr().err


def test_the_same_seed_gives_the_same_files(lot: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        split_lots([lot], tmp_path / name, Split(), seed)
    files = {n: {p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in "abc"}
    assert files["a"] == files["b"] != files["c"]
    assert sorted(files["a"]) == ["left_out.txt", "test.txt", "train.txt", "val.txt"]


def test_what_cannot_be_used_is_listed_with_its_reason(copy: Path, tmp_path: Path) -> None:
    labels = images_of(copy, "RGB_*.json")
    unlabelled, contradicting, broken, emptied = labels[:4]
    unlabelled.unlink()
    change_label(contradicting, is_normal=False)
    content = json.loads(contradicting.read_text(encoding="utf-8"))
    contradicting.write_text(json.dumps(content | {"defects": None}), encoding="utf-8")
    broken.write_text("{", encoding="utf-8")
    images_of(copy, f"{emptied.stem}.png")[0].write_bytes(b"")
    second = images_of(copy, f"{labels[5].stem}.png")[0]
    (copy / "again").mkdir()
    shutil.copy(second, copy / "again" / second.name)

    split_lots([copy], tmp_path / "out", Split(), 0)
    lines = (tmp_path / "out" / "left_out.txt").read_text(encoding="utf-8").splitlines()
    reasons = {}
    for line in lines:
        if not line.startswith("#"):
            path, reason, *_ = line.split("\t")
            reasons[Path(path).stem] = reason
    assert reasons == {
        unlabelled.stem: "image_without_label",
        contradicting.stem: "label_defective_without_defects",
        broken.stem: "label_not_json",
        emptied.stem: "lot_file_empty",
        second.stem: "lot_image_duplicate",
    }
    rows = [row for part in PARTS for row in read_split(tmp_path / "out").rows(part)]
    listed = {source_path(row.source).stem for row in rows}
    assert not listed & (set(reasons) - {second.stem})
    assert len(listed) == 16 * 5 - 4


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_not_utf8_is_left_out_and_can_be_read_there(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = images_of(copy, "CT_*.jpg")[0]
    folder = moved.parent / os.fsdecode("추가".encode("cp949"))
    folder.mkdir()
    moved.rename(folder / moved.name)
    assert trainer("split", copy, "--out", tmp_path / "out") == 0
    left_out = (tmp_path / "out" / "left_out.txt").read_text(encoding="utf-8")
    assert f"(cp949) 추가/{moved.name}\timage_name_unwritable" in left_out
    assert trainer("check", copy) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_the_published_folders_of_one_set_share_their_batteries(lot: Path, tmp_path: Path) -> None:
    for part in ("Training", "Validation"):
        shutil.copytree(lot / "Training", tmp_path / "set" / part)
    # A module's CT alone in the second folder: still the body of the pair in the first.
    for path in images_of(tmp_path / "set" / "Validation", "RGB_*"):
        path.unlink()
    lots = [tmp_path / "set" / "Training", tmp_path / "set" / "Validation"]
    assert len({item.name for item in scan_lots(lots).batteries}) == 16
    split_lots(lots, tmp_path / "out", Split(), 0)
    split = read_split(tmp_path / "out")
    assert [len({row.battery for row in split.rows(part)}) for part in PARTS] == [11, 2, 3]
    shutil.copytree(lot, tmp_path / "other")
    assert len({item.name for item in scan_lots([lots[0], tmp_path / "other"]).batteries}) == 32


def test_a_lot_within_another_is_refused(lot: Path) -> None:
    with pytest.raises(LotError, match="within"):
        scan_lots([lot, lot / "Training"])


# -- reading ---------------------------------------------------------------------------------


@pytest.fixture
def split(copy: Path, tmp_path: Path) -> SplitFiles:
    split_lots([copy], tmp_path / "split", Split(), 0)
    return read_split(tmp_path / "split")


def last_line(folder: Path, part: str) -> str:
    return (folder / f"{part}.txt").read_text(encoding="utf-8").splitlines()[-1]


def replace_last_line(folder: Path, part: str, line: str) -> None:
    path = folder / f"{part}.txt"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.removesuffix(last_line(folder, part) + "\n") + line, encoding="utf-8")


def test_a_missing_or_foreign_file_is_named(split: SplitFiles) -> None:
    (split.folder / "val.txt").write_text("1 2 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not a file of a split"):
        read_split(split.folder)
    (split.folder / "val.txt").unlink()
    with pytest.raises(ConfigError, match=r"no val\.txt"):
        read_split(split.folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: line.replace("\t", " "), "columns"),
        (lambda line: line.replace("normal", "good"), "unknown label"),
        (lambda line: line + "s", "does not name the lot"),
        (lambda line: "x" + line, "is gone"),
    ],
)
def test_a_wrong_line_is_named_with_its_number(split: SplitFiles, change, said: str) -> None:
    count = len((split.folder / "test.txt").read_text(encoding="utf-8").splitlines())
    replace_last_line(split.folder, "test", change(last_line(split.folder, "test")))
    with pytest.raises(ConfigError, match=rf"test\.txt, line {count}: .*{said}"):
        read_split(split.folder)


def test_a_battery_in_two_parts_is_refused(split: SplitFiles) -> None:
    owner = last_line(split.folder, "train").split("\t")[2]
    line = last_line(split.folder, "test").split("\t")
    replace_last_line(split.folder, "test", "\t".join([*line[:2], owner, line[3]]))
    with pytest.raises(ConfigError, match=f"{owner} is in two parts"):
        read_split(split.folder)


def test_files_of_two_splits_do_not_mix(split: SplitFiles, copy: Path, tmp_path: Path) -> None:
    split_lots([copy], tmp_path / "other", Split(), 5)
    shutil.copy(tmp_path / "other" / "test.txt", split.folder / "test.txt")
    with pytest.raises(ConfigError, match="another split"):
        read_split(split.folder)


def test_a_moved_lot_is_found_where_it_is_said_to_be(
    split: SplitFiles, copy: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere" / "moved"
    moved.parent.mkdir()
    copy.rename(moved)
    with pytest.raises(ConfigError, match="is not at"):
        read_split(split.folder)
    found = read_split(split.folder, [moved])
    assert found.id == split.id
    assert all(source_path(source).is_relative_to(moved) for source in found.sources("val"))


def test_lots_of_one_folder_name_are_told_apart(lot: Path, tmp_path: Path) -> None:
    for place in ("first", "second"):
        shutil.copytree(lot, tmp_path / place / "lot")
    lots = [tmp_path / "first" / "lot", tmp_path / "second" / "lot"]
    split_lots(lots, tmp_path / "split", Split(), 0)
    for there in ([], lots, lots[::-1]):
        read = read_split(tmp_path / "split", there)
        assert list(read.lots.values()) == lots
        assert len({row.battery for part in PARTS for row in read.rows(part)}) == 32
    with pytest.raises(ConfigError, match="lot-2"):
        read_split(tmp_path / "split", lots[:1])


def test_a_split_made_with_crlf_is_read_alike(split: SplitFiles) -> None:
    path = split.folder / "test.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_split(split.folder).parts == split.parts


def test_mistakes_end_with_one_line_and_code_2(
    lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for arguments in (
        ("split", lot, "--out", tmp_path / "out", "--train", "0.9", "--val", "0.2"),
        ("split", tmp_path / "none", "--out", tmp_path / "out"),
        ("split", lot, "--out", tmp_path / "file"),
        ("split", lot),
    ):
        assert trainer(*arguments) == 2
        assert capsys.readouterr().err.startswith("trainer: ")
    assert not (tmp_path / "out").exists()
