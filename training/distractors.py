"""What normal surfaces have and a detector must not report: soft shadows, stains, faint lines.

Painted on images that stay normal, so that the head learns how strong and how sharp a mark must
be to count, rather than that any change counts.
"""

from __future__ import annotations

import cv2
import numpy as np

from training.anomaly_paints import Image
from training.anomaly_shapes import Alpha, blob, bumps, curve, fissure


def add_distractors(image: Image, where: Alpha, rng: np.random.Generator) -> Image:
    """Return a copy of a normal image with a shadow over it and a few faint marks.

    Parameters
    ----------
    image : (H, W, 3) uint8
    where : (H, W) float32, 1 on the object
    rng : the only source of randomness
    """
    h, w = where.shape
    gain = np.ones((h, w), np.float32)
    if rng.random() < 0.5:
        depth = float(rng.uniform(0.1, 0.5))
        gain += depth * (bumps(h, w, float(rng.uniform(1.5, 6.0)), rng) - 0.5)
    for _ in range(int(rng.integers(0, 4))):
        gain *= 1.0 - _faint(where, rng)
    painted = np.clip(np.round(image * gain[..., None]), 0, 255)
    return painted.astype(np.uint8)


def _faint(where: Alpha, rng: np.random.Generator) -> Alpha:
    """Return how much darker (or, below zero, lighter) each pixel gets, (H, W)."""
    sign = -1.0 if rng.random() < 0.3 else 1.0
    if rng.random() < 0.5:
        soft = cv2.GaussianBlur(blob(where, rng), (0, 0), float(rng.uniform(4.0, 14.0)))
        return np.asarray(sign * float(rng.uniform(0.05, 0.35)) * soft, np.float32)
    line = fissure(where, rng) if rng.random() < 0.5 else curve(where, rng)
    return np.asarray(sign * float(rng.uniform(0.03, 0.15)) * line, np.float32)
