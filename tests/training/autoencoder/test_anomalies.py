"""Painted anomalies: visible under their mask, of the kinds asked for, where asked for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inspection.config import config_path
from training.autoencoder.anomalies import RECIPES, add_anomaly, frame
from training.autoencoder.config import AnomalyConfig
from training.config import read_training_config


def surface(seed=0, channels_differ=False):
    """Return a grained surface, lighter to the right."""
    rng = np.random.default_rng(seed)
    light = np.linspace(60, 150, 300)[None, :, None]
    grain = rng.normal(0, 5, (200, 300, 3 if channels_differ else 1))
    return np.clip(light + grain + np.zeros((1, 1, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", RECIPES)
def test_what_a_mask_covers_has_changed_and_nothing_else_has(kind):
    config = AnomalyConfig(region="frame", kinds={kind: 1.0})
    image, foreign = surface(1, True), surface(2, True)
    covered = 0
    for seed in range(8):
        painted, mask = add_anomaly(image, foreign, np.random.default_rng(seed), config)
        change = np.abs(painted.astype(int) - image).mean(axis=2)
        near = cv2.dilate(mask, np.ones((41, 41), np.uint8)) > 0
        assert not change[~near].any() or change[~near].max() < 60
        if mask.any():
            covered += 1
            assert np.median(change[mask > 0]) >= config.min_change
    assert covered >= 6


def test_hollows_are_darker_than_their_surroundings_at_any_brightness():
    config = AnomalyConfig(region="frame", kinds={"hollow": 1.0})
    for seed in range(12):
        for gain in (0.4, 1.0):
            image = (surface(seed) * gain).astype(np.uint8)
            painted, mask = add_anomaly(image, image, np.random.default_rng(seed), config)
            if mask.any():
                inside = mask > 0
                ratio = painted[inside].mean() / image[inside].mean()
                # Its rim is at times lighter.
                assert ratio < 0.95


def test_a_grey_surface_gets_grey_anomalies():
    config = AnomalyConfig(region="frame", kinds={"stain": 1.0, "mark": 1.0})
    for seed in range(6):
        painted, _ = add_anomaly(surface(1), surface(2), np.random.default_rng(seed), config)
        assert not np.ptp(painted, axis=2).any()


def test_the_repeated_edges_around_a_picture_are_left_alone():
    padded = cv2.copyMakeBorder(surface(), 20, 10, 60, 40, cv2.BORDER_REPLICATE)
    where = frame(padded)
    assert where[20:220, 60:360].min() == 1
    assert where.sum() == 200 * 300
    config = AnomalyConfig(region="frame", kinds={"hollow": 1.0})
    for seed in range(10):
        _, mask = add_anomaly(padded, padded, np.random.default_rng(seed), config)
        assert not mask[where == 0].any()


def test_the_recipe_for_surfaces_is_that_of_rgb_views_on_another_size():
    surface_recipe, rgb = (
        read_training_config(config_path(name))
        for name in ("autoencoder_surface.yaml", "autoencoder_rgb.yaml")
    )
    kept = {"flips", "damped_rim"}
    assert surface_recipe.architecture.model_dump(exclude=kept) == rgb.architecture.model_dump(
        exclude=kept
    )
    assert surface_recipe.loss == rgb.loss
