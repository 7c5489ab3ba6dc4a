"""A detector of frozen features: a handful of normal pictures, and what is odd stands out."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest
import torch
from builders.small_models import write_small_models

from inspection.errors import BundleError, ConfigError, ModelMissingError
from inspection.images.preprocess import load_image, to_model_input
from inspection.modelstore.bundle import load_bundle
from inspection.modelstore.bundle_writing import rewrite_bundle
from inspection.modelstore.folders import ModelFolders
from inspection.modelstore.release_records import ReleaseConfig
from inspection.modelstore.seen import seen_by
from inspection.paths import config_path
from inspection.systems.ensemble.detectors import load_predictor
from training.autoencoder.calibrate import choose_threshold
from training.autoencoder.folders import read_held_out
from training.autoencoder.plain_folder import evaluate_folder
from training.config import read_training_config, train_model
from training.features.backbone import load_backbone
from training.loop.runs import TrainingRun
from training.release.compare import compare, find_challenger
from training.release.units import read_plain_units


def part(number, spoilt=False):
    """Return a brushed plate, 160 x 120; a spoilt one has a dark hole."""
    rng = np.random.default_rng(number)
    lines = cv2.GaussianBlur(rng.normal(0, 30, (120, 160)).astype(np.float32), (0, 0), 8, sigmaY=1)
    image = np.clip(120 + 3 * lines + rng.normal(0, 4, lines.shape), 0, 255).astype(np.uint8)
    mask = np.zeros_like(image)
    if spoilt:
        x, y = rng.integers(30, 130), rng.integers(30, 90)
        cv2.circle(mask, (int(x), int(y)), 7, 255, -1)
        image[mask > 0] = 20
    return image, mask


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Sixteen good plates, and six with a hole and its mask."""
    root = tmp_path_factory.mktemp("plates")
    for number in range(16):
        write(root / "good" / f"{number}.png", part(number)[0])
    for number in range(6):
        image, mask = part(100 + number, spoilt=True)
        write(root / "hole" / f"{number}.jpg", image)
        write(root / "hole" / f"{number}.png", mask)
    return root


def settings(tmp_path, *overrides):
    """Return the shipped configuration with a small input."""
    small = ["pixels=19200", f"cache.folder={tmp_path / 'cache'}", *overrides]
    return read_training_config(config_path("features.yaml"), small)


@pytest.fixture(scope="module")
def taught(data, tmp_path_factory):
    """A run's folder."""
    out = tmp_path_factory.mktemp("taught") / "run"
    config = settings(out.parent)
    train_model(config, TrainingRun(out, (data,), normal="good"))
    return out


def test_holes_that_were_never_shown_are_found_and_placed(taught, data):
    found = evaluate_folder(taught, data, "same-stem")
    assert found["images"]["auroc"] == 1.0
    assert found["pixels"]["auroc"] > 0.95
    assert found["by_folder"]["hole"]["recall"] == 1.0
    # Of the four good plates that were held out none may be called defective.
    assert found["images"]["overkill_rate"] == 0.0
    assert len(read_held_out(taught)) == 4


def test_it_takes_the_place_of_a_blind_model_on_what_training_kept_back(taught, data, tmp_path):
    blind = write_small_models(tmp_path / "models")
    choose_threshold(blind / "rgb_ae", 0.999999)
    units = read_plain_units(data, "good")
    config = ReleaseConfig(margin=0.05, confidence=0.95)
    found = compare(taught, find_challenger(taught), ModelFolders((blind,)), units, None, config)
    measured, held = found.measured, read_held_out(taught)
    assert measured.known_to_challenger == 16 - len(held) > 0
    assert (measured.normal, measured.defective) == (len(held), 6)
    assert (measured.challenger.escapes, measured.present.escapes) == (0, 6)
    assert measured.escape.high < 0
    assert found.may_be_released


def test_the_input_has_the_shape_of_the_parts(taught):
    spec = load_bundle(taught / "rgb_ae").manifest.preprocess
    assert (spec.width, spec.height) == (160, 128)


def test_a_memory_of_normal_places_finds_them_too(data, tmp_path):
    config = settings(tmp_path, "architecture.method=knn", "training.memory=500")
    train_model(config, TrainingRun(tmp_path / "run", (data,), normal="good"))
    assert evaluate_folder(tmp_path / "run", data)["images"]["auroc"] > 0.95


def test_the_same_pictures_give_the_same_model(taught, data, tmp_path):
    again = train_model(settings(tmp_path), TrainingRun(tmp_path / "b", (data,), normal="good"))
    first = load_bundle(taught / "rgb_ae")
    for name, tensor in first.load_tensors().items():
        assert torch.equal(tensor, again.load_tensors()[name]), name
    assert again.threshold == first.threshold


def test_padding_is_cold_and_a_defect_beside_it_is_not(taught, data, tmp_path):
    predictor = load_predictor(load_bundle(taught / "rgb_ae"))
    narrow = part(200)[0][:, :60].copy()
    cv2.circle(narrow, (30, 60), 7, 20, -1)
    write(tmp_path / "narrow.png", narrow)
    spec = predictor.preprocess
    image = load_image(tmp_path / "narrow.png", modality="rgb")
    prepared = to_model_input(image, spec)
    heat = predictor.judge(prepared.array[None])[0].heat
    whole = cv2.resize(heat, (spec.width, spec.height), interpolation=cv2.INTER_NEAREST)
    x, y, w, h = prepared.content
    outside = np.ones_like(whole, bool)
    outside[:, max(0, x - 8) : x + w + 8] = False
    assert whole[outside].max() == 0.0
    assert whole[y : y + h, x : x + w].max() > 0.5


def test_pictures_that_are_all_alike_teach_too(tmp_path):
    root = tmp_path / "one"
    # All alike: a fixture with one part in it, taken several times.
    for number in range(6):
        write(root / "good" / f"{number}.png", part(0)[0])
    train_model(settings(tmp_path), TrainingRun(tmp_path / "run", (root,), normal="good"))
    assert (tmp_path / "run" / "rgb_ae" / "bundle.json").is_file()


def test_a_fit_has_nothing_to_resume(data, tmp_path):
    (tmp_path / "run").mkdir()
    run = TrainingRun(tmp_path / "run", (data,), normal="good", resume=True)
    with pytest.raises(ConfigError) as refused:
        train_model(settings(tmp_path), run)
    assert refused.value.message.code == "features_no_epochs"


def test_a_bundle_of_another_network_is_refused(taught, tmp_path):
    bundle = load_bundle(taught / "rgb_ae")
    other = {**bundle.manifest.architecture, "coarsest": 16}
    shutil.copytree(bundle.folder, tmp_path / "rgb_ae")
    changed = rewrite_bundle(load_bundle(tmp_path / "rgb_ae"), {}, architecture=other)
    with pytest.raises(BundleError):
        load_predictor(changed)


def test_frozen_weights_that_are_missing_or_others_are_named(tmp_path):
    with pytest.raises(ModelMissingError):
        load_backbone("lite0", tmp_path)
    (tmp_path / "origin.json").write_text('{"lite0": {"sha256": "0"}}', encoding="utf-8")
    (tmp_path / "lite0.safetensors").write_bytes(b"others")
    with pytest.raises(BundleError):
        load_backbone("lite0", tmp_path)


def test_two_detectors_judge_as_one_and_each_is_left_beside(data, tmp_path):
    small = ["architecture.base=4", "architecture.head_base=4", "architecture.levels=2"]
    small += ["architecture.flips=false", "preprocess.width=160", "preprocess.height=128"]
    # Cells of 16 pixels would be as large as the holes.
    small += ["features.finest=8", "features.coarsest=16"]
    small += ["training.crop=null", "training.repeats=1", "training.epochs=2"]
    config = read_training_config(
        config_path("combined.yaml"), [*small, f"cache.folder={tmp_path / 'cache'}"]
    )
    out = tmp_path / "run"
    train_model(config, TrainingRun(out, (data,), normal="good"))
    found = evaluate_folder(out, data, "same-stem")
    # Two epochs teach nothing: that the holes are found is the frozen features' doing.
    assert found["images"]["auroc"] > 0.9
    assert found["pixels"]["auroc"] > 0.9
    for part, family in (("taught", "conv_autoencoder"), ("features", "features")):
        bundle = load_bundle(out / part / "rgb_ae")
        assert bundle.manifest.architecture["name"] == family
    whole = load_predictor(load_bundle(out / "rgb_ae"))
    assert whole.threshold == load_bundle(out / "rgb_ae").threshold.threshold
    seen = seen_by(load_bundle(out / "rgb_ae"))
    assert seen is not None
    assert len(seen.prints) == 16 - len(read_held_out(out))
    before = load_bundle(out / "rgb_ae").sha256
    again = train_model(config, TrainingRun(out, (data,), normal="good", resume=True))
    assert again.sha256 == before
