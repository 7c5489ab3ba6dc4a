"""Lots whose CT are volumes: split, checked, trained and evaluated on by plane."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

from inspection.console import run
from inspection.images.grey import GreyWindow
from inspection.images.preprocess import Preprocess
from inspection.lot.truth import read_truth
from inspection.modelstore.bundle import load_bundle
from inspection.paths import config_path
from inspection.records import Section, VolumeRef
from inspection.site import SITE_VARIABLE
from inspection.synthetic import SyntheticLot, write_lot
from inspection.synthetic.volume_battery import true_mask
from training.__main__ import app
from training.data.image_cache import ImageCache
from training.data.labelled import scan_lots
from training.data.planes import cache_planes
from training.data.split_files import PARTS, SplitFiles, read_split
from training.evaluation.evaluate import evaluate, select_data

SPEC = SyntheticLot(
    batteries=3, views=1, canvas=128, seed=12, defects=1.0, form="tiff-stack", bits="12"
)
STEP = 8
SMALL = (
    "preprocess.width=32",
    "preprocess.height=64",
    "warmup.epochs=1",
    "warmup.crop=32",
    "warmup.batch_size=4",
    "training.epochs=2",
    "training.batch_size=4",
)


@pytest.fixture(scope="module", autouse=True)
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    site = tmp_path_factory.mktemp("site")
    (site / "site.yaml").write_text(yaml.safe_dump({"volumes": {"step": STEP}}), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SITE_VARIABLE, str(site))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lot(tmp_path_factory.mktemp("lots") / "lot", SPEC, workers=1)


@pytest.fixture(scope="module")
def split(lot: Path, tmp_path_factory: pytest.TempPathFactory) -> SplitFiles:
    folder = tmp_path_factory.mktemp("split")
    shares = ("--train", 0.34, "--val", 0.33)
    assert trainer("split", lot, "--out", folder, *shares) == 0
    return read_split(folder)


def trainer(*arguments: object) -> int:
    return run(app, "trainer", [str(argument) for argument in arguments])


def findings(lot: Path, capsys: pytest.CaptureFixture[str], *more: object) -> dict[str, dict]:
    capsys.readouterr()
    trainer("check", lot, "--json", *more)
    found = json.loads(capsys.readouterr().out)["findings"]
    return {row["kind"]: row for row in found if row["severity"] != "note"}


def test_a_model_is_trained_and_judged_on_planes(split: SplitFiles, tmp_path: Path) -> None:
    changes = [part for change in SMALL for part in ("--set", change)]
    config, folder = config_path("cnn.yaml"), split.folder
    assert trainer("train", config, "--split", folder, "--out", tmp_path / "run", *changes) == 0

    bundle = load_bundle(tmp_path / "run" / "ct_cnn", "ct_cnn")
    # Its stacks are of 12 bits; the pictures that the model saw are of 8.
    levels = bundle.manifest.grey_levels
    assert levels is not None
    assert 0 <= levels.air < levels.body <= 255
    evaluation = evaluate(tmp_path / "run", select_data([], folder, "test"))
    rows = split.rows("test", "ct")
    assert evaluation.figures["models"]["ct_cnn"]["images"] == len(rows) > 10
    judged = evaluation.images("ct_cnn")
    assert {image.ref.source for image in judged} == {row.source for row in rows}
    assert not any(image.error for image in judged)


def test_a_split_names_the_planes_that_the_station_judges(split: SplitFiles, lot: Path) -> None:
    rows = [row for part in PARTS for row in split.rows(part, "ct")]
    sections = [row.source for row in rows if isinstance(row.source, Section)]
    assert len(sections) == len(rows)
    assert {section.axis for section in sections} == {"x", "y", "z"}
    assert all(section.number % STEP == 0 for section in sections)
    refs = {r.source for owner in scan_lots([lot]).batteries for r in owner.battery.ct}
    assert set(sections) == refs
    # The first plane of each stack is air.
    assert not any(section.number == 0 for section in sections)
    named = (split.folder / "train.txt").read_text(encoding="utf-8").splitlines()
    assert any("/ct/volume.tif#z00" in line for line in named)


def test_labels_lie_on_the_voxels_of_the_defects(lot: Path) -> None:
    truth = json.loads((lot / "truth.json").read_text(encoding="utf-8"))
    shown = 0
    for owner in scan_lots([lot]).batteries:
        masks = [true_mask(entry) for entry in truth[owner.battery.battery_id]["internal"]]
        whole = np.zeros(truth[owner.battery.battery_id]["shape"], bool)
        for _, start, voxels in masks:
            place = tuple(slice(s, s + n) for s, n in zip(start, voxels.shape, strict=True))
            whole[place] |= voxels
        for ref in owner.battery.ct:
            plane = whole.take(ref.number, axis="zyx".index(ref.axis or "z"))
            found = read_truth(ref)
            assert found.labelled
            if not found.polygons:
                # A voxel or two have no outline.
                assert plane.sum() < 4
                continue
            shown += 1
            points = np.concatenate(found.polygons).round().astype(int)
            assert plane[points[:, 1], points[:, 0]].all()
    assert shown > 3


def test_copies_and_labels_of_another_plane_are_found(
    lot: Path, split: SplitFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert findings(lot, capsys, "--split", split.folder) == {}
    moved = Path(shutil.copytree(lot, tmp_path / "lot"))
    shutil.rmtree(moved / "002" / "ct")
    shutil.copytree(moved / "001" / "ct", moved / "002" / "ct")
    label = moved / "001" / "ct" / "volume.tif#z0056.json"
    content = json.loads(label.read_text(encoding="utf-8"))
    content["image_info"]["width"] += 3
    label.write_text(json.dumps(content), encoding="utf-8")
    found = findings(moved, capsys)
    assert {"identical_pixels", "label_size_differs"} <= set(found)
    assert found["label_size_differs"]["example"] == "001/ct/volume.tif#z0056"


def test_planes_come_from_the_cache_until_their_volume_changes(lot: Path, tmp_path: Path) -> None:
    path = tmp_path / "volume.tif"
    shutil.copy(lot / "001" / "ct" / "volume.tif", path)
    spec = Preprocess(modality="ct", width=32, height=64, channels=1, mean=(0.5,), std=(0.5,))
    planes = [Section(VolumeRef(path), "z", number) for number in (30, 40, 50)]
    window = GreyWindow(0.0, 4096.0)
    first = ImageCache(tmp_path / "cache", 1 << 30)
    cache_planes(first, [(plane, window) for plane in planes], "ct", spec, 2)
    pixels = [first.read(plane, "ct", spec, window).pixels for plane in planes]
    assert first.decoded == 3
    assert not np.array_equal(pixels[0], pixels[2])

    voxels = tifffile.imread(path)
    tifffile.imwrite(path, voxels[::-1], photometric="minisblack", metadata=None)
    again = ImageCache(tmp_path / "cache", 1 << 30)
    turned = Section(VolumeRef(path), "z", len(voxels) - 1 - 30)
    assert np.array_equal(again.read(turned, "ct", spec, window).pixels, pixels[0])
    assert not np.array_equal(again.read(planes[2], "ct", spec, window).pixels, pixels[2])
    assert again.decoded == 2


def test_a_volume_that_has_gone_is_named(
    split: SplitFiles, lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = Path(shutil.copytree(lot, tmp_path / "lot"))
    volume = split.rows("train", "ct")[0].source
    assert isinstance(volume, Section)
    (moved / volume.volume.path.relative_to(lot)).unlink()
    command = ("train", config_path("cnn.yaml"), "--split", split.folder, "--data", moved)
    assert trainer(*command, "--out", tmp_path / "run") == 2
    said = capsys.readouterr().err
    assert "volume.tif" in said
    assert "Traceback" not in said
