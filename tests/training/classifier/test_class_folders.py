"""A plain folder of classes teaches the classifier; nobody has marked where its defects are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from inspection.classes import class_table
from inspection.console import run
from inspection.errors import ConfigError
from inspection.modelstore.bundle import load_bundle
from inspection.paths import config_path
from training.__main__ import app
from training.classifier.class_folders import class_folders, read_class_folders
from training.classifier.classifier import map_loss
from training.classifier.config import Localisation
from training.classifier.dataset import read_slices

SMALL = (
    "training.epochs=3",
    "warmup.epochs=2",
    "warmup.crop=32",
    "training.batch_size=4",
    "training.workers=1",
    "preprocess.width=32",
    "preprocess.height=64",
    "split={train: 0.5, val: 0.5, test: 0}",
)


def write_slice(path: Path, seed: int, defect: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(90, 130, (96, 48), dtype=np.uint8)
    if defect:
        pixels[30:50, 10:40] = 5
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    for part in range(4):
        for number in range(4):
            for name in ("cell_normal", "cell_porosity"):
                path = root / name / f"part{part:02}_z_{number + 8 * (name > 'cell_o'):03}.png"
                write_slice(path, 100 * part + number, name == "cell_porosity")
    return root


def test_bodies_are_told_by_names_and_never_on_two_sides(data):
    found = read_class_folders(data)
    assert len(found) == 32
    assert {ref.battery_id for ref, _ in found} == {"part00", "part01", "part02", "part03"}
    assert {ref.battery_type for ref, _ in found} == {"cell"}
    for folder, name in (("a", "CT_cell_pouch_101_x_006.png"), ("b/c", "7.png"), ("b/c", "8.png")):
        write_slice(data / "cell_normal" / folder / name, 1, False)
    bodies = {ref.battery_id for ref, _ in read_class_folders(data)}
    assert {"CT_cell_pouch_101", "b/c"} <= bodies


def test_names_that_tell_nothing_leave_each_image_by_itself(tmp_path, caplog):
    for number in range(3):
        write_slice(tmp_path / "module_normal" / f"IMG_{number:04}.png", number, False)
    assert len({ref.battery_id for ref, _ in read_class_folders(tmp_path)}) == 3
    assert "image by image" in caplog.text


def test_a_folder_of_another_name_is_one_sentence_and_a_lot_is_none(data, tmp_path):
    (tmp_path / "lot" / "001" / "ct").mkdir(parents=True)
    assert not class_folders(tmp_path / "lot")
    (data / "cell_dent").mkdir()
    with pytest.raises(ConfigError) as caught:
        read_slices([data])
    assert caught.value.message.code == "class_folder_unknown"
    assert caught.value.message.params["name"] == "cell_dent"


def test_the_maps_of_a_defect_that_nobody_has_marked_are_left_alone():
    cams = torch.ones(2, len(class_table().ct), 2, 2, requires_grad=True)
    heat = torch.zeros(2, len(class_table().ct_defects), 2, 2)
    loss = map_loss(cams, heat, torch.tensor([True, False]), Localisation(weight=1.0))
    loss.backward()
    assert cams.grad is not None
    assert cams.grad[0].abs().sum() > 0
    assert cams.grad[1].abs().sum() == 0


def test_a_folder_of_classes_trains(data, tmp_path, capsys):
    overrides = [part for item in SMALL for part in ("--set", item)]
    overrides += ["--set", f"cache.folder={tmp_path / 'cache'}"]
    command = ["train", str(config_path("cnn.yaml")), "--data", str(data), *overrides]
    assert run(app, "trainer", [*command, "--out", str(tmp_path / "run")]) == 0
    bundle = load_bundle(tmp_path / "run" / "ct_cnn", "ct_cnn")
    assert bundle.manifest.training["val_f1"] >= 0
    (data / "cell_dent").mkdir()
    capsys.readouterr()
    assert run(app, "trainer", [*command, "--out", str(tmp_path / "other")]) == 2
    assert "cell_dent" in capsys.readouterr().err
