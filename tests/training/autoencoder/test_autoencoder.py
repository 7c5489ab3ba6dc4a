"""A tiny training, end to end: normal views in, a bundle that judges out."""

from __future__ import annotations

import csv
import json
import shutil

import cv2
import numpy as np
import pytest
import torch

from inspection.errors import BundleError, ConfigError
from inspection.modelstore.bundle import find_bundle
from inspection.paths import config_path
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.ensemble.cae import CaePredictor
from training.autoencoder.anomalies import add_anomaly, foreground
from training.autoencoder.autoencoder import train_autoencoder
from training.autoencoder.calibrate import set_threshold
from training.autoencoder.folders import read_held_out
from training.autoencoder.views import read_lots, split_by_battery, training_batches
from training.config import read_training_config
from training.data.image_cache import ImageCache
from training.data.split_files import SplitRow, read_split, write_split
from training.evaluation.evaluate import Data, evaluate
from training.loop.runs import TrainingRun

TINY = (
    "preprocess.width=64",
    "preprocess.height=32",
    "architecture.latent_dim=8",
    "architecture.reduction=2",
    "architecture.base=4",
    "architecture.levels=3",
    "architecture.head_base=4",
    "architecture.head_levels=2",
    "training.crop=[32, 16]",
    "training.epochs=1",
    "training.batch_size=4",
    "training.validation_share=0.34",
    "training.precision=float32",
)


def write_view(lot, battery, view, defect=None):
    """Write a striped surface in the published naming, with its label."""
    name = f"RGB_cell_cylindrical_{battery:04d}_{view:03d}"
    rng = np.random.default_rng([battery, view])
    image = np.full((36, 64, 3), (120, 90, 60), np.uint8)
    image[:, ::8] = 200
    image = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    defects = None
    if defect:
        image[12:20, 30:42] = (20, 20, 220)
        points = [30, 12, 42, 12, 42, 20, 30, 20]
        defects = [{"id": 1, "name": defect, "points": points}]
    label = {
        "data_info": {"data_type": "rgb", "battery_ids": battery, "type": "cell"}
        | {"form": "cylindrical", "roi": None},
        "swelling": {"swelling": False, "battery_outline": []},
        "defects": defects,
        "image_info": {"width": 64, "height": 36, "file_name": f"{name}.png", "id": 1}
        | {"is_normal": defect is None},
    }
    images = lot / "Training" / "01.원천데이터" / "TS_Exterior_Img_Datasets_images_1"
    labels = lot / "Training" / "02.라벨링데이터" / "TL_Exterior_Img_Datasets_label"
    images.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    (images / f"{name}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    (labels / f"{name}.json").write_text(json.dumps(label), encoding="utf-8")


@pytest.fixture(scope="module")
def lot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lots") / "lot"
    for battery in range(1, 5):
        for view in range(3):
            defect = "Damaged" if battery == 4 and view == 1 else None
            write_view(folder, battery, view, defect)
    return folder


@pytest.fixture(scope="module")
def trained(lot, tmp_path_factory):
    """A finished run, shared: not to be written to."""
    out = tmp_path_factory.mktemp("runs")
    return train_autoencoder(config(f"cache.folder={out / 'cache'}"), run(lot, out / "trained"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))


def run(lot, out, **more):
    return TrainingRun(out=out, data=(lot,), **more)


def config(*overrides):
    return read_training_config(config_path("autoencoder_rgb.yaml"), [*TINY, *overrides])


@pytest.mark.parametrize("method", ["discriminative", "mse"])
def test_one_epoch_gives_a_bundle_that_judges(lot, tmp_path, method):
    out = tmp_path / "run"
    train_autoencoder(config(f"architecture.method={method}"), run(lot, out))
    bundle = find_bundle(out, "rgb_ae")
    predictor = CaePredictor(bundle)
    assert predictor.threshold > 0
    assert predictor.arch.method == method
    assert bundle.threshold.k == 2.5
    assert bundle.threshold.num_samples == 3  # one held-out battery of three normal views
    assert bundle.manifest.training["data"] == ["lot"]
    with (out / "log.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1"]

    figures = evaluate(out, Data((lot,))).figures["models"]["rgb_ae"]
    assert figures["views"]["n"] == 12
    assert figures["views"]["defects"] == 1
    assert figures["batteries"]["n"] == 4
    assert figures["by_type"]["damaged"]["n"] == 1
    assert 0 <= figures["views"]["auroc"] <= 1
    json.dumps(figures, allow_nan=False)


def test_the_same_seed_gives_the_same_weights(lot, trained, tmp_path):
    weights = "weights.safetensors"
    again = train_autoencoder(config(), run(lot, tmp_path / "second"))
    assert again.manifest.files[weights] == trained.manifest.files[weights]
    other = train_autoencoder(config("training.seed=5"), run(lot, tmp_path / "third"))
    assert other.manifest.files[weights] != trained.manifest.files[weights]


def test_training_goes_on_from_a_bundle(lot, trained, tmp_path):
    first = trained
    still = config("training.learning_rate=1e-12")
    later = train_autoencoder(still, run(lot, tmp_path / "later", init=first.folder))
    before, after = (b.load_tensors()["encoder.0.0.weight"] for b in (first, later))
    assert (before - after).abs().max() < 1e-6
    misfit = config("architecture.latent_dim=9")
    with pytest.raises(BundleError, match="do not fit"):
        train_autoencoder(misfit, run(lot, tmp_path / "misfit", init=first.folder))


def test_a_threshold_is_set_anew_without_training(lot, trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "run" / "rgb_ae")
    bundle = find_bundle(tmp_path / "run", "rgb_ae")
    (bundle.folder / "model_card.md").write_text("seeds", encoding="utf-8")
    written = set_threshold(bundle.folder, {"method": "f1_max"}, Data((lot,)))
    assert (bundle.folder / "model_card.md").read_text(encoding="utf-8") == "seeds"
    fresh = find_bundle(tmp_path / "run", "rgb_ae")
    assert fresh.threshold == written
    assert (written.method, written.k, written.num_samples) == ("f1_max", None, 12)
    # The same weights, and a display scale that still has room above the threshold.
    weights = "weights.safetensors"
    assert fresh.manifest.files[weights] == bundle.manifest.files[weights]
    assert CaePredictor(fresh).threshold == written.threshold
    with pytest.raises(ConfigError, match="percentile"):
        set_threshold(bundle.folder, {"method": "percentile", "percentile": 120}, Data((lot,)))


def test_defective_views_are_never_trained_on(lot):
    views = read_lots([lot], "rgb")
    assert sum(view.is_defect for view in views) == 1
    train, held = split_by_battery([v for v in views if not v.is_defect], 0.5, seed=1)
    assert len(train) + len(held) == 11
    assert not {v.battery for v in train} & {v.battery for v in held}


def test_a_lot_of_one_battery_is_refused(tmp_path):
    write_view(tmp_path / "lot", 1, 0)
    with pytest.raises(ConfigError, match="at least two batteries"):
        train_autoencoder(config(), run(tmp_path / "lot", tmp_path / "run"))


def test_batches_repeat_by_epoch_and_differ_between_epochs(lot, tmp_path):
    views = [v for v in read_lots([lot], "rgb") if not v.is_defect]
    images = ImageCache(tmp_path / "cache", 1 << 30)
    first = list(training_batches(views, config(), epoch=1, images=images))
    again = list(training_batches(views, config(), epoch=1, images=images))
    later = list(training_batches(views, config(), epoch=2, images=images))
    # Of eleven views in batches of four, the last three wait for another epoch.
    assert [len(batch.masks) for batch in first] == [4, 4]
    assert all((a.painted == b.painted).all() for a, b in zip(first, again, strict=True))
    assert not all((a.painted == b.painted).all() for a, b in zip(first, later, strict=True))
    for batch in first:
        changed = (batch.clean != batch.painted).any(dim=1, keepdim=True)
        # Nothing outside the mask's cells was touched by more than the fringe of a soft edge.
        assert batch.masks.amax(dim=(1, 2, 3)).bool().tolist() == [
            bool(m.any()) for m in batch.masks
        ]
        assert changed.any() == batch.masks.bool().any()


def test_a_painted_anomaly_is_visible_under_its_mask():
    rng = np.random.default_rng(0)
    image = np.full((96, 160, 3), 90, np.uint8)
    foreign = rng.integers(0, 255, image.shape, dtype=np.uint8)
    for _ in range(40):
        painted, mask = add_anomaly(image, foreign, rng)
        assert painted.shape == image.shape
        assert mask.any()
        assert painted[mask > 0].astype(int).var() + abs(painted[mask > 0].mean() - 90) > 1
    np.testing.assert_array_equal(image, 90)


def test_the_object_is_told_from_the_background():
    image = np.full((192, 320, 3), 30, np.uint8)
    image[60:130, 50:270] = (180, 120, 60)
    where = foreground(image)
    assert where[95, 160] == 1
    assert where[8, 8] == 0
    # A surface that fills the frame is all object.
    assert foreground(np.full((80, 160, 3), 90, np.uint8)).min() == 1


def test_the_ct_autoencoder_learns_from_normal_slices(tmp_path):
    spec = SyntheticLot(batteries=6, slices=3, views=0, canvas=128, seed=5, defects=0.5)
    lot = write_lot(tmp_path / "lot", spec, workers=1)
    read = read_training_config(
        config_path("autoencoder_ct.yaml"),
        [*TINY[:8], "training.epochs=2", "training.batch_size=4", "training.crop=null"],
    )
    batch = next(
        training_batches(
            [v for v in read_lots([lot], "ct") if not v.is_defect],
            read,
            epoch=1,
            images=ImageCache(tmp_path / "cache", 1 << 30),
        )
    )
    # Paint has no colour that would give it away.
    for image in (batch.clean, batch.painted):
        assert torch.equal(image[:, 0], image[:, 1])
        assert torch.equal(image[:, 1], image[:, 2])
    bundle = train_autoencoder(read, run(lot, tmp_path / "run"))
    assert bundle.manifest.slot == "ct_ae"
    predictor = CaePredictor(find_bundle(tmp_path / "run", "ct_ae"))
    (judged,) = predictor.judge(np.zeros((1, 3, 32, 64), np.float32))
    assert judged.heat.ndim == 2
    assert 0 <= judged.pred_score <= 1


def test_a_plain_folder_is_trained_on_but_for_its_test_images(lot, tmp_path, monkeypatch):
    folder = tmp_path / "parts"
    (folder / "good").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(12):
        image = rng.integers(0, 255, (36, 64, 3), dtype=np.uint8)
        (folder / "good" / f"{number}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    train_autoencoder(config(), run(folder, tmp_path / "run", normal="good"))
    held_out = read_held_out(tmp_path / "run")
    assert len(held_out) == 3
    assert all((folder / line).is_file() for line in held_out)
    assert find_bundle(tmp_path / "run", "rgb_ae").threshold.num_samples >= 1


def test_a_split_gives_the_threshold_its_labelled_views(lot, tmp_path):
    parts = {"train": [1, 2], "val": [4], "test": [3]}
    rows = {
        part: [
            SplitRow(v.ref.path, "damaged" if v.is_defect else "normal", v.battery, "lot")
            for v in read_lots([lot], "rgb")
            if int(v.ref.path.stem.split("_")[3]) in numbers
        ]
        for part, numbers in parts.items()
    }
    write_split(tmp_path / "split", {"lot": lot}, rows)
    split = read_split(tmp_path / "split")
    chosen = config("threshold.method=f1_max")
    bundle = train_autoencoder(chosen, TrainingRun(out=tmp_path / "run", split=split))
    assert bundle.threshold.num_samples == 3
    assert bundle.threshold.computed_from == "validation part of the split"
    assert bundle.manifest.training["split"] == split.id
