"""Shared strokes of the renderers: noise, blobs, lines, smooth curves."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
FIELD_SIDE = 1536


@functools.cache
def _field() -> Image:
    """Return grain of standard deviation 1, drawn once: cutting from it is 20 times cheaper."""
    rng = np.random.default_rng(20_260_101)
    white = rng.standard_normal((FIELD_SIDE, FIELD_SIDE)).astype(np.float32)
    grain = white + 1.5 * cv2.GaussianBlur(white, (0, 0), 1.0)
    return np.asarray(grain / grain.std(), np.float32)


def noise_patch(shape: tuple[int, ...], rng: np.random.Generator) -> Image:
    """Return grain, (h, w) float32 of standard deviation about 1."""
    height, width = shape[:2]
    field = _field()
    if rng.random() < 0.5:
        field = field[::-1]
    top, left = (int(v) for v in rng.integers(0, FIELD_SIDE, 2))
    rows = (np.arange(height) + top) % FIELD_SIDE
    columns = (np.arange(width) + left) % FIELD_SIDE
    return np.ascontiguousarray(field[rows][:, columns])


def smooth_curve(rng: np.random.Generator, size: int, amplitude: float, knots: int = 5) -> Image:
    """Return a random curve, (size,) float32, through ``knots`` normal deviates."""
    points = rng.normal(0, amplitude, knots).astype(np.float32)
    curve = cv2.resize(points[None], (size, 1), interpolation=cv2.INTER_CUBIC)
    return np.asarray(curve[0], np.float32)


def add_blob(
    image: Image, centre: tuple[float, float], size: tuple[float, float], amplitude: float
) -> None:
    """Add a Gaussian of standard deviations ``size`` (x, y) to ``image`` in place."""
    height, width = image.shape[:2]
    (x, y), (sx, sy) = centre, size
    left, right = max(0, int(x - 3 * sx)), min(width, int(x + 3 * sx) + 2)
    top, bottom = max(0, int(y - 3 * sy)), min(height, int(y + 3 * sy) + 2)
    if right <= left or bottom <= top:
        return
    across = np.exp(-0.5 * ((np.arange(left, right) - x) / sx) ** 2)
    down = np.exp(-0.5 * ((np.arange(top, bottom) - y) / sy) ** 2)
    patch = (amplitude * down[:, None] * across[None]).astype(np.float32)
    image[top:bottom, left:right] += patch if image.ndim == 2 else patch[..., None]


def draw_line(
    image: Image,
    start: tuple[float, float],
    end: tuple[float, float],
    width: float,
    amplitude: float,
) -> None:
    """Add an anti-aliased straight line to ``image`` in place."""
    mask = np.zeros(image.shape[:2], np.uint8)
    points = np.round(np.array([start, end]) * 16).astype(np.int32)
    cv2.line(mask, points[0], points[1], 255, max(1, round(width)), cv2.LINE_AA, 4)
    image += mask.astype(np.float32) * np.float32(amplitude / 255)
