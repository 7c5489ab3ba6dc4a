"""Batches of normal views: an epoch may show each several times, never in the same way."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from inspection.config import config_path
from training.autoencoder.folders import read_folder
from training.autoencoder.views import augment, training_batches
from training.config import read_training_config
from training.data.image_cache import open_cache


@pytest.fixture
def views(tmp_path):
    for number in range(5):
        rng = np.random.default_rng(number)
        image = rng.integers(40, 200, (32, 64, 3)).astype(np.uint8)
        folder = tmp_path / "ok"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return read_folder(tmp_path, "ok")


def settings(tmp_path, *overrides):
    return read_training_config(
        config_path("autoencoder_rgb.yaml"),
        [
            "preprocess.width=64",
            "preprocess.height=32",
            "architecture.reduction=2",
            "architecture.levels=3",
            "training.crop=null",
            "training.batch_size=4",
            f"cache.folder={tmp_path / 'cache'}",
            *overrides,
        ],
    )


def test_repeats_show_each_image_anew(views, tmp_path):
    config = settings(tmp_path, "training.repeats=2", "training.batch_size=5")
    batches = list(training_batches(views, config, 1, open_cache(config.cache)))
    assert [len(b.clean) for b in batches] == [5, 5]
    shown = torch.cat([b.clean for b in batches])
    assert all(not torch.equal(shown[i], shown[j]) for i in range(10) for j in range(i))


def test_gain_changes_brightness_alone(tmp_path):
    config = settings(tmp_path, "augmentation.gain=0.3", "augmentation.colour=0.0").augmentation
    still = config.model_copy(update={"shift": 0})
    image = np.full((20, 30, 3), (100, 50, 200), np.uint8)
    lit = augment(image, still, np.random.default_rng(1))
    assert lit.shape == image.shape
    assert len(np.unique(lit.reshape(-1, 3), axis=0)) == 1
    np.testing.assert_allclose(lit[0, 0] / image[0, 0], lit[0, 0, 0] / 100, atol=0.02)
