"""``trainer export``: what was trained, whole and unaltered, is what the station judges with."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders.ensemble_models import copy_ensemble
from builders.small_models import write_small_models

from app.__main__ import app as station_app
from inspection.classes import class_table
from inspection.config import find_policy
from inspection.console import run
from inspection.images.grey import GreyWindow
from inspection.images.preprocess import load_image
from inspection.images.stack_grey import GreyPolicy, StackWindows
from inspection.lot.scan import scan_lot
from inspection.modelstore.bundle import find_bundle, reference_levels
from inspection.modelstore.folders import ModelFolders
from inspection.paths import config_path
from inspection.records import ImageRef
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.ensemble import backends
from inspection.systems.ensemble.backbones import build_classifier
from inspection.systems.ensemble.cae import score_maps, smooth
from inspection.systems.ensemble.cae_network import CaeArchitecture, ConvAutoencoder
from training.__main__ import app
from training.data.transforms import letterbox, normalise
from training.evaluation.judge import Models

POLICY = "inspector:\n  method: voting\n  aggregation: {min_run: 2}\n"


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SyntheticLot(batteries=2, slices=4, views=2, canvas=256, seed=3, defects=0.7)
    return write_lot(tmp_path_factory.mktemp("lots") / "lot", spec, workers=1)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "학습"
    copy_ensemble(folder)
    (folder / "inspector.yaml").unlink()
    (folder / "log.csv").write_text("epoch\n", encoding="utf-8")
    (folder / "rgb_ae" / "last.pt").write_bytes(b"checkpoint")
    return folder


def trainer(*arguments: str | Path) -> int:
    return run(app, "trainer", [str(argument) for argument in arguments])


def inspect(
    capsys: pytest.CaptureFixture[str], lot: Path, sessions: Path, models: Path, *more: str
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the session and every image's result by its path below the lot."""
    capsys.readouterr()
    arguments = ["inspect", str(lot), "--session-dir", str(sessions), "--models", str(models)]
    assert run(station_app, "station", [*arguments, *more, "--device", "cpu", "--json"]) == 0
    session = json.loads(capsys.readouterr().out)
    images = {}
    for path in (sessions / session["run_id"] / "batteries").glob("*.json"):
        battery = json.loads(path.read_text(encoding="utf-8"))
        images |= {image["image"]: image for image in battery["images"]}
    return session, images


def test_only_what_belongs_to_the_models_is_copied(run_folder: Path, tmp_path: Path) -> None:
    models = tmp_path / "모델"
    assert trainer("export", run_folder, "--out", models) == 0
    assert sorted(path.name for path in models.iterdir()) == ["ct_cnn", "rgb_ae"]
    names = {path.name for path in (models / "rgb_ae").iterdir()}
    assert names == {
        "answers.safetensors", "bundle.json", "gate.safetensors", "model_card.md",
        "rgb_ae_threshold.json", "weights.safetensors",
    }  # fmt: skip
    for slot in ("ct_cnn", "rgb_ae"):
        assert find_bundle(models, slot).sha256 == find_bundle(run_folder, slot).sha256


def test_runs_of_one_model_each_make_one_folder(run_folder: Path, tmp_path: Path) -> None:
    for slot in ("ct_cnn", "rgb_ae"):
        (tmp_path / f"run_{slot}").mkdir()
        (run_folder / slot).rename(tmp_path / f"run_{slot}" / slot)
    (tmp_path / "run_rgb_ae" / "inspector.yaml").write_text(POLICY, encoding="utf-8")
    models = tmp_path / "models"
    runs = (tmp_path / "run_ct_cnn", tmp_path / "run_rgb_ae")
    assert trainer("export", *runs, "--out", models) == 0
    assert find_policy(models).inspector.method == "voting"
    assert find_bundle(models, "ct_cnn")
    assert find_bundle(models, "rgb_ae")


def test_a_model_folder_itself_can_be_exported(run_folder: Path, tmp_path: Path) -> None:
    renamed = (run_folder / "rgb_ae").rename(tmp_path / "best")
    assert trainer("export", renamed, "--out", tmp_path / "models") == 0
    assert find_bundle(tmp_path / "models", "rgb_ae")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / "ct_cnn" / "weights.safetensors").unlink(), "weights.safetensors"),
        (lambda f: (f / "rgb_ae" / "rgb_ae_threshold.json").unlink(), "rgb_ae_threshold.json"),
        (lambda f: (f / "ct_cnn" / "weights.safetensors").write_bytes(b"0"), "weights"),
        (lambda f: (f / "rgb_ae" / "bundle.json").unlink(), "bundle.json"),
        (lambda f: [shutil.rmtree(f / slot) for slot in ("ct_cnn", "rgb_ae")], "no trained model"),
        (lambda f: (f / "inspector.yaml").write_text("inspector: {methud: 1}"), "methud"),
    ],
)
def test_what_is_incomplete_is_refused_before_anything_is_copied(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage, said: str
) -> None:
    damage(run_folder)
    assert trainer("export", run_folder, "--out", tmp_path / "models") == 2
    words = capsys.readouterr().err
    assert said in words
    assert words.count("\n") == 1
    assert not (tmp_path / "models").exists()


def test_another_model_is_replaced_only_by_force(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    assert trainer("export", run_folder, "--out", models) == 0
    # The same models again: nothing to refuse.
    assert trainer("export", run_folder, "--out", models) == 0
    (models / "ct_cnn" / "weights.safetensors").write_bytes(b"older")
    assert trainer("export", run_folder, "--out", models) == 2
    assert "--force" in capsys.readouterr().err
    assert (models / "ct_cnn" / "weights.safetensors").read_bytes() == b"older"
    assert trainer("export", run_folder, "--out", models, "--force") == 0
    assert find_bundle(models, "ct_cnn").sha256 == find_bundle(run_folder, "ct_cnn").sha256
    assert not [path for path in models.iterdir() if path.name.startswith(".")]


def test_a_policy_that_stays_is_mentioned(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    policy = tmp_path / "found.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    assert trainer("export", run_folder, "--out", models, "--inspector", policy) == 0
    assert capsys.readouterr().err == ""
    assert trainer("export", run_folder, "--out", models) == 0
    assert "stays in force" in capsys.readouterr().err
    policy.write_text(POLICY.replace("voting", "rule_based"), encoding="utf-8")
    assert trainer("export", run_folder, "--out", models, "--inspector", policy) == 2
    assert find_policy(models).inspector.method == "voting"


def test_two_runs_of_the_same_model_are_refused(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run_folder / "rgb_ae", tmp_path / "other" / "rgb_ae")
    assert trainer("export", run_folder, tmp_path / "other", "--out", tmp_path / "models") == 2
    assert "Two of the runs have a model rgb_ae" in capsys.readouterr().err


def test_the_station_takes_the_policy_beside_the_models_and_says_so(
    lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models, run_folder = tmp_path / "models", write_small_models(tmp_path / "run")
    (run_folder / "inspector.yaml").write_text(POLICY, encoding="utf-8")
    assert trainer("export", run_folder, "--out", models) == 0
    session, _ = inspect(capsys, lot, tmp_path / "sessions", models, "--battery", "001")
    assert session["config"]["inspector"]["method"] == "voting"
    assert session["config"]["inspector"]["aggregation"]["min_run"] == 2
    assert session["config"]["inspector_from"] == str(models / "inspector.yaml")
    (models / "inspector.yaml").unlink()
    session, _ = inspect(capsys, lot, tmp_path / "sessions", models, "--battery", "001")
    assert session["config"]["inspector"]["method"] == "weighted_average"
    assert session["config"]["inspector_from"] == str(config_path("inspector.yaml"))

    (models / "inspector.yaml").write_text("inspector: {method: dice}", encoding="utf-8")
    arguments = ["inspect", str(lot), "--session-dir", str(tmp_path), "--models", str(models)]
    assert run(station_app, "station", arguments) == 2
    assert "inspector.yaml" in capsys.readouterr().err


# -- the same result -------------------------------------------------------------------------


@torch.inference_mode()
def trained_ct(models: Path, ref: ImageRef, window: GreyWindow | None) -> np.ndarray:
    """Return the probabilities as validation in training computes them, an image at a time."""
    manifest = find_bundle(models, "ct_cnn").manifest
    network = build_classifier(manifest.architecture).eval()
    network.load_state_dict(find_bundle(models, "ct_cnn").load_tensors())
    spec = manifest.preprocess
    fit = (spec.width, spec.height)
    image = load_image(ref.path, modality="ct", fit=fit, window=window)
    pixels, _ = letterbox(image, spec)
    logits, _ = network(torch.from_numpy(normalise(pixels, spec)).unsqueeze(0))
    return torch.softmax(logits / manifest.temperature, dim=1)[0].numpy()


@torch.inference_mode()
def trained_rgb(models: Path, ref: ImageRef) -> float:
    """Return the reconstruction score as training computes it, an image at a time."""
    bundle = find_bundle(models, "rgb_ae")
    spec = bundle.manifest.preprocess
    architecture = CaeArchitecture.model_validate(bundle.manifest.architecture)
    network = ConvAutoencoder(architecture, spec.width, spec.height).eval()
    network.load_state_dict(bundle.load_tensors())
    pixels, _ = letterbox(load_image(ref.path, modality="rgb", fit=(spec.width, spec.height)), spec)
    raw = network.raw_map(torch.from_numpy(normalise(pixels, spec)).unsqueeze(0))
    return float(score_maps(smooth(raw, architecture.smooth_sigma), architecture.top_fraction))


@pytest.mark.long
def test_the_station_and_the_trainer_say_the_same_of_an_image(
    lot: Path,
    run_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = tmp_path / "models"
    assert trainer("export", run_folder, "--out", models) == 0
    # In single precision, whatever is faster here; `test_backends.py` holds the rest to it.
    monkeypatch.setattr(backends, "ADVANTAGE", math.inf)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _, images = inspect(capsys, lot, tmp_path / "sessions", models)
    scanned = scan_lot(lot)
    windows = StackWindows(GreyPolicy("auto", reference_levels(ModelFolders((run_folder,)))))
    for battery in scanned.batteries:
        window = windows.of(battery).window
        for ref in battery.ct[::2]:
            said = images[ref.path.relative_to(lot).as_posix()]["probabilities"]
            shown = [said[name] for name in class_table().ct]
            np.testing.assert_allclose(
                shown, trained_ct(run_folder, ref, window), atol=1e-5, rtol=0
            )
        for ref in battery.rgb:
            said = images[ref.path.relative_to(lot).as_posix()]["pred_score"]
            assert said == pytest.approx(trained_rgb(run_folder, ref), abs=1e-5)

    # And so do the figures that `trainer evaluate` reports.
    evaluated = Models(run_folder, find_policy(run_folder).inspector, "cpu")
    for judged, *_ in evaluated.judge(lot):
        for row in (*judged.slots["ct_cnn"], *judged.slots["rgb_ae"]):
            said = images[row.ref.path.relative_to(lot).as_posix()]
            assert said["pred_score"] == pytest.approx(row.score, abs=1e-5)
            for name, value in row.probabilities.items():
                assert said["probabilities"][name] == pytest.approx(value, abs=1e-5)
