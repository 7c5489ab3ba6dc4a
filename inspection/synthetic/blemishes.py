"""External defects, drawn on the unrolled wrap: pollution and damage."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.synthetic.noise import smooth_curve
from inspection.synthetic.spec import Visibility

Image = NDArray[np.float32]

STRENGTH: dict[Visibility, tuple[float, float]] = {
    "clear": (0.60, 0.90),
    "hard": (0.34, 0.46),
    "faint": (0.16, 0.24),
}


class _Spot(NamedTuple):
    """Where a blemish is (x along the cell, y around it), how strong, and what one size is."""

    centre: tuple[float, float]
    strength: float
    unit: float


def draw_blemish(
    wrap: Image,
    name: str,
    visibility: Visibility,
    centre: tuple[float, float],
    rng: np.random.Generator,
) -> Image:
    """Draw one defect onto ``wrap`` in place.

    Parameters
    ----------
    wrap : (around, length, 3) float32 RGB
    name : ``pollution`` or ``damaged``
    visibility : how strong it is
    centre : (x along the cell, y around it), pixels
    rng : its own

    Returns
    -------
    (around, length) float32 in [0, 1], where the defect is
    """
    spot = _Spot(centre, rng.uniform(*STRENGTH[visibility]), wrap.shape[1] / 512)
    draw = _KINDS[name][rng.integers(len(_KINDS[name]))]
    return draw(wrap, spot, rng)


def _stain(wrap: Image, spot: _Spot, rng: np.random.Generator) -> Image:
    mask = _irregular(wrap.shape[:2], spot.centre, rng.uniform(11, 22) * spot.unit, rng)
    tint = np.array([rng.uniform(60, 110), rng.uniform(45, 80), rng.uniform(20, 45)], np.float32)
    if rng.random() < 0.35:
        tint = np.full(3, rng.uniform(10, 40), np.float32)
    soft = cv2.GaussianBlur(mask, (0, 0), 1.5 * spot.unit)[..., None]
    wrap += soft * spot.strength * (tint - wrap)
    return mask


def _dust(wrap: Image, spot: _Spot, rng: np.random.Generator) -> Image:
    layer = np.zeros(wrap.shape[:2], np.uint8)
    points = rng.normal(spot.centre, 9 * spot.unit, (int(rng.integers(18, 34)), 2))
    for x, y in points:
        radius = max(1, round(rng.uniform(0.6, 1.8) * spot.unit))
        cv2.circle(layer, (round(x), round(y)), radius, 255, -1, cv2.LINE_AA)
    grains = layer.astype(np.float32)[..., None] / 255
    shade = np.float32(225 if wrap.mean() < 150 else 60)
    wrap += grains * spot.strength * (shade - wrap)
    hull = cv2.convexHull(np.round(points).astype(np.int32))
    mask = np.zeros(wrap.shape[:2], np.float32)
    cv2.fillPoly(mask, [hull], 1.0)
    return mask


def _fingerprint(wrap: Image, spot: _Spot, rng: np.random.Generator) -> Image:
    mask = np.zeros(wrap.shape[:2], np.float32)
    middle = (round(spot.centre[0]), round(spot.centre[1]))
    size = (round(rng.uniform(13, 18) * spot.unit), round(rng.uniform(18, 25) * spot.unit))
    angle = rng.uniform(-40, 40)
    cv2.ellipse(mask, middle, size, angle, 0, 360, 1.0, -1, cv2.LINE_AA)
    rows, columns = np.indices(wrap.shape[:2], dtype=np.float32)
    off = (rng.normal(0, 3 * spot.unit), rng.uniform(2, 8) * spot.unit)
    distance = np.hypot(columns - spot.centre[0] - off[0], 0.8 * (rows - spot.centre[1] - off[1]))
    ridges = 0.5 + 0.5 * np.sin(2 * np.pi * distance / (3.2 * max(spot.unit, 0.8)))
    shade = np.float32(215 if wrap.mean() < 150 else 70)
    wrap += (mask * (0.25 + 0.75 * ridges) * 0.8 * spot.strength)[..., None] * (shade - wrap)
    return mask


def _dent(wrap: Image, spot: _Spot, rng: np.random.Generator) -> Image:
    rows, columns = np.indices(wrap.shape[:2], dtype=np.float32)
    size = rng.uniform(9, 16) * spot.unit
    x, y = (
        (columns - spot.centre[0]) / (size * rng.uniform(0.8, 1.4)),
        (rows - spot.centre[1]) / size,
    )
    bowl = np.exp(-(x**2 + y**2))
    # Lit from above: the upper inner flank is dark, the lower one bright.
    wrap *= (1 + 2.0 * spot.strength * y * bowl)[..., None]
    return np.asarray(bowl > 0.25, np.float32)


def _scratch(wrap: Image, spot: _Spot, rng: np.random.Generator) -> Image:
    length, angle = rng.uniform(35, 80) * spot.unit, rng.uniform(0, np.pi)
    along = np.linspace(-0.5, 0.5, 24) * length
    across = smooth_curve(rng, 24, 2.5 * spot.unit, 6)
    x = spot.centre[0] + along * np.cos(angle) - across * np.sin(angle)
    y = spot.centre[1] + along * np.sin(angle) + across * np.cos(angle)
    points = np.round(np.stack([x, y], 1) * 16).astype(np.int32)
    layer = np.zeros(wrap.shape[:2], np.uint8)
    cv2.polylines(
        layer,
        [points],
        False,
        255,
        max(1, round(rng.uniform(1.2, 2.6) * spot.unit)),
        cv2.LINE_AA,
        4,
    )
    line = layer.astype(np.float32) / 255
    shade = np.float32(rng.uniform(190, 235) if wrap.mean() < 170 else rng.uniform(50, 90))
    wrap += (line * spot.strength)[..., None] * (shade - wrap)
    return np.asarray(cv2.dilate(line, np.ones((3, 3), np.uint8)), np.float32)


def _tear(wrap: Image, spot: _Spot, rng: np.random.Generator) -> Image:
    mask = _irregular(wrap.shape[:2], spot.centre, rng.uniform(8, 16) * spot.unit, rng, spikes=0.45)
    edge = cv2.dilate(mask, np.ones((3, 3), np.uint8)) - mask
    brushed = rng.normal(150, 14, (wrap.shape[0], 1)).astype(np.float32)
    metal = np.repeat(brushed, wrap.shape[1], 1)
    wrap += (mask * spot.strength)[..., None] * (metal[..., None] - wrap)
    wrap += (edge * spot.strength)[..., None] * (np.float32(30) - wrap)
    return np.asarray(np.maximum(mask, edge), np.float32)


def _irregular(
    shape: tuple[int, int],
    centre: tuple[float, float],
    radius: float,
    rng: np.random.Generator,
    spikes: float = 0.28,
) -> Image:
    angles = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    knots = rng.normal(0, spikes, 9)
    knots = np.append(knots, knots[0])
    radii = radius * np.clip(1 + np.interp(np.linspace(0, 9, 36), np.arange(10), knots), 0.4, 1.7)
    stretch = rng.uniform(0.7, 1.4)
    x = centre[0] + radii * stretch * np.cos(angles)
    y = centre[1] + radii / stretch * np.sin(angles)
    mask = np.zeros(shape, np.uint8)
    points = np.round(np.stack([x, y], 1) * 16).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 4)
    return np.asarray(mask, np.float32) / np.float32(255)


_Draw = Callable[[Image, _Spot, np.random.Generator], Image]
_KINDS: dict[str, tuple[_Draw, ...]] = {
    "pollution": (_stain, _dust, _fingerprint),
    "damaged": (_dent, _scratch, _tear),
}
