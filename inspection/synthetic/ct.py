"""CT slices of synthetic pouch cells and modules, with pores and resin overflow.

A battery and axis have one structure, drawn once; slices differ by what passes through them and
by noise. Lengths are in pixels at the reference canvas and are multiplied by ``scale``.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.records import Axis, BatteryType
from inspection.synthetic.noise import add_blob, draw_line, noise_patch, smooth_curve
from inspection.synthetic.spec import REFERENCE_CANVAS, Visibility
from inspection.synthetic.style import PLAIN, Style

Image = NDArray[np.float32]
Polygon = NDArray[np.float32]

AIR = 6.0
SIDES = ("left", "right", "bottom", "top")
PORE_CONTRAST = {"clear": (58.0, 85.0), "hard": (36.0, 48.0), "faint": (18.0, 26.0)}
"""Grey levels below the surroundings; the noise has a standard deviation of 4 to 7."""
BLEED_DEPTH = {"clear": (0.55, 0.85), "hard": (0.35, 0.5), "faint": (0.18, 0.28)}
"""How far resin reaches into the free margin beside the housing."""
PORE_FLOOR = (1.8, 16.0)
"""Least width and length of a pore in pixels: on a small canvas a true-to-scale pore would be
thinner than a pixel and no longer physical evidence of anything."""
FULL_SIZE = 2000
"""From this canvas on a slice is taken as one of a real scanner, which sees a pore sharply and
fills the height of its frame; below it is a miniature, for quick trials."""
ROI_SHAPES = {False: (0.86, 0.99, 0.32, 0.48), True: (0.92, 1.0, 0.26, 0.31)}
"""Least and greatest height, in canvases, and width, in heights: of miniatures and full size."""
SHARPEST = 1.6
"""Greatest factor on the blur: it belongs to the detector's pixels, not to the part."""
AMPLITUDE: dict[Axis, tuple[float, float]] = {"x": (12, 20), "y": (10, 18), "z": (5, 11)}


@dataclass(frozen=True, slots=True)
class Defect:
    """One internal defect: where it runs, and how it is seen in a slice."""

    name: str
    axis: Axis
    first: int
    last: int
    visibility: Visibility
    seed: int


@dataclass(slots=True)
class Structure:
    """What all slices of a battery along one axis share."""

    image: Image
    body: tuple[int, int, int, int]
    scale: float
    noise: float
    blur: float
    resin: float
    seed: int


def build_structure(
    battery_type: BatteryType,
    axis: Axis,
    canvas: int,
    rng: np.random.Generator,
    style: Style = PLAIN,
) -> Structure:
    """Draw what all slices along an axis share.

    Returns
    -------
    Structure
        ``image`` (h, w) float32 in grey levels, ``body`` (x0, y0, x1, y1) of the part.
    """
    scale = canvas / REFERENCE_CANVAS
    low, high, narrow, wide = ROI_SHAPES[canvas >= FULL_SIZE]
    height = int(canvas * rng.uniform(low, high))
    width = int(height * rng.uniform(narrow, wide))
    image = np.full((height, width), AIR, np.float32)
    margin_x, margin_y = rng.uniform(0.08, 0.12) * width, rng.uniform(0.05, 0.09) * height
    body = (int(margin_x), int(margin_y), int(width - margin_x), int(height - margin_y))
    layers = _Layers(axis, height, scale, rng, style)
    resin = rng.uniform(80, 100)
    if battery_type == "cell":
        _draw_cell(image, body, layers, scale, rng)
    else:
        _draw_module(image, body, layers, scale, resin, rng)
    # Cup the grey levels towards the middle, as a polychromatic beam does.
    x0, y0, x1, y1 = body
    across = np.linspace(-1, 1, x1 - x0, dtype=np.float32)
    along = np.linspace(-1, 1, y1 - y0, dtype=np.float32)
    cup = rng.uniform(0.03, 0.12) * (across[None] ** 2 + along[:, None] ** 2)
    image[y0:y1, x0:x1] *= 1 - rng.uniform(0.02, 0.06) + cup
    return Structure(
        image=image,
        body=body,
        scale=scale,
        noise=rng.uniform(4, 7) * style.noise,
        blur=rng.uniform(0.3, 0.65) * min(max(scale, 0.6), SHARPEST) * style.blur,
        resin=resin,
        seed=int(rng.integers(1 << 31)),
    )


class _Layers:
    """The electrode stack: stripes along the height, gently waved."""

    def __init__(
        self, axis: Axis, height: int, scale: float, rng: np.random.Generator, style: Style
    ) -> None:
        self.period = rng.uniform(5.5, 9.5) * scale * style.period
        self.phase = rng.uniform(0, 2 * np.pi)
        self.amplitude = rng.uniform(*AMPLITUDE[axis]) * style.amplitude
        self.wave = smooth_curve(rng, height, 2.0 * scale)
        self.base = rng.uniform(100, 130) + style.layers

    def draw(
        self, image: Image, box: tuple[int, int, int, int], offset: float, rng: np.random.Generator
    ) -> None:
        x0, y0, x1, y1 = box
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        across = np.arange(x0, x1, dtype=np.float32)[None] + self.wave[y0:y1, None]
        stripes = self.amplitude * np.sin(2 * np.pi * across / self.period + self.phase)
        clouds = cv2.resize(
            rng.normal(0, 5, (8, 4)).astype(np.float32),
            (x1 - x0, y1 - y0),
            interpolation=cv2.INTER_CUBIC,
        )
        image[y0:y1, x0:x1] = self.base + offset + stripes + clouds


def _draw_cell(
    image: Image,
    body: tuple[int, int, int, int],
    layers: _Layers,
    scale: float,
    rng: np.random.Generator,
) -> None:
    x0, y0, x1, y1 = body
    seam = max(2, round(rng.uniform(4, 7) * scale))
    image[y0:y1, x0:x1] = rng.uniform(78, 100)
    layers.draw(image, (x0 + seam, y0 + 2 * seam, x1 - seam, y1 - 2 * seam), 0.0, rng)
    foil = max(1, round(1.8 * scale))
    cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), float(rng.uniform(150, 190)), foil)
    width = x1 - x0
    for share in (rng.uniform(0.22, 0.32), rng.uniform(0.66, 0.78)):
        tab, centre = round(0.13 * width), x0 + round(width * share)
        top = max(0, y0 - round(0.03 * image.shape[0]))
        cv2.rectangle(
            image,
            (centre - tab // 2, top),
            (centre + tab // 2, y0 + 2 * seam),
            float(rng.uniform(165, 200)),
            -1,
        )


def _draw_module(
    image: Image,
    body: tuple[int, int, int, int],
    layers: _Layers,
    scale: float,
    resin: float,
    rng: np.random.Generator,
) -> None:
    x0, y0, x1, y1 = body
    wall = max(2, round(rng.uniform(3.5, 6) * scale))
    image[y0:y1, x0:x1] = rng.uniform(150, 190)
    image[y0 + wall : y1 - wall, x0 + wall : x1 - wall] = resin
    gap = max(2, round(rng.uniform(3, 5) * scale))
    top = y0 + wall + round(rng.uniform(7, 14) * scale)
    bottom = y1 - wall - round(rng.uniform(7, 14) * scale)
    count = int(rng.integers(3, 6))
    edges = np.linspace(x0 + wall + gap, x1 - wall, count + 1).astype(int)
    for left, right in zip(edges[:-1], edges[1:] - gap, strict=True):
        layers.draw(image, (left, top, right, bottom), float(rng.uniform(-5, 5)), rng)
        third = (right - left) // 3
        bar = float(rng.uniform(160, 195))
        cv2.rectangle(image, (left + third, top - round(4 * scale)), (right - third, top), bar, -1)


def render_slice(
    structure: Structure,
    number: int,
    defects: list[Defect],
    rng: np.random.Generator,
    canvas: int,
) -> tuple[NDArray[np.uint8], list[tuple[str, Polygon]]]:
    """Draw one slice.

    Parameters
    ----------
    structure : of this battery and axis
    number : slice number
    defects : those that run through this slice
    rng : this slice's own
    canvas : side of the picture, pixels

    Returns
    -------
    tuple
        (canvas, canvas) uint8 picture with the content in its top-left corner, and the outline
        (n, 2) of every defect in picture pixels.
    """
    image = structure.image.copy()
    _add_passing_features(image, structure, number)
    outlines: list[tuple[str, Polygon]] = []
    for defect in defects:
        draw = _draw_pore if defect.name == "porosity" else _draw_bleed
        outlines += [(defect.name, outline) for outline in draw(image, structure, defect, number)]
    _add_nuisance(image, structure, rng)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), structure.blur), np.float32)
    image *= rng.uniform(0.96, 1.04)
    image += noise_patch(image.shape, rng) * structure.noise
    height, width = image.shape
    if rng.random() < 0.6:
        # Rings of a detector that is not quite even, about the axis of rotation.
        rings = np.zeros_like(image)
        centre = (round(width * rng.uniform(0.3, 0.7)), round(height * rng.uniform(0.3, 0.7)))
        thick = max(1, round(1.5 * structure.scale))
        for _ in range(3):
            radius = round(rng.uniform(0.05, 0.5) * height)
            cv2.circle(rings, centre, radius, float(rng.uniform(-7, 7)), thick)
        image += rings
    picture = np.zeros((canvas, canvas), np.uint8)
    picture[:height, :width] = np.clip(image, 1, 255)
    return picture, outlines


def _add_passing_features(image: Image, structure: Structure, number: int) -> None:
    """Harmless things that last a few slices: a block of eight shares them."""
    for block in (number // 8, (number + 4) // 8):
        rng = np.random.default_rng([structure.seed, block, number // 8 == block])
        x0, y0, x1, y1 = structure.body
        scale = structure.scale
        for _ in range(rng.poisson(0.8)):
            centre = (rng.uniform(x0, x1), rng.uniform(y0, y1))
            radius = rng.uniform(4, 8) * scale
            add_blob(image, centre, (radius, radius * rng.uniform(0.8, 1.25)), -rng.uniform(18, 40))
        if rng.random() < 0.4:
            centre = (rng.uniform(x0, x1), rng.uniform(y0, y1))
            size = (rng.uniform(5, 10) * scale, rng.uniform(30, 90) * scale)
            add_blob(image, centre, size, float(rng.choice([-1, 1])) * rng.uniform(10, 24))
        if rng.random() < 0.4:
            # A layer boundary a little darker than its neighbours, over the whole height.
            x = rng.uniform(x0 + 0.1 * (x1 - x0), x1 - 0.1 * (x1 - x0))
            shade = -rng.uniform(10, 24)
            draw_line(image, (x, y0), (x + rng.normal(0, 2) * scale, y1), 1.8 * scale, shade)


def _add_nuisance(image: Image, structure: Structure, rng: np.random.Generator) -> None:
    """Harmless things of one slice, on good and bad batteries alike."""
    x0, y0, x1, y1 = structure.body
    scale = structure.scale
    for _ in range(rng.poisson(1.5)):
        centre = (rng.uniform(x0, x1), rng.uniform(y0, y1))
        radius = rng.uniform(0.7, 1.6) * scale
        add_blob(image, centre, (radius, radius), rng.uniform(40, 110))
    for _ in range(rng.poisson(0.7)):
        x, y = rng.uniform(x0, x1), rng.uniform(y0, y1)
        length = rng.uniform(16, 60) * scale
        end = (x + rng.normal(0, 4) * scale, y + length)
        draw_line(image, (x, y), end, 1.6 * scale, rng.uniform(25, 60))
    if rng.random() < 0.3:
        # Tape or cable outside the body: straight-edged, unlike resin.
        side = x0 if rng.random() < 0.5 else x1
        width = rng.uniform(0.3, 0.7) * x0
        left = side - width if side == x0 else side
        y = rng.uniform(y0, y1 - 0.2 * (y1 - y0))
        corner = (round(left), round(y))
        opposite = (round(left + width), round(y + rng.uniform(0.05, 0.2) * (y1 - y0)))
        cv2.rectangle(image, corner, opposite, float(rng.uniform(60, 110)), -1)


def _draw_pore(image: Image, structure: Structure, defect: Defect, number: int) -> list[Polygon]:
    rng = np.random.default_rng([structure.seed, defect.seed])
    x0, y0, x1, y1 = structure.body
    real = structure.scale * REFERENCE_CANVAS / 4000
    width = max(PORE_FLOOR[0], rng.uniform(3, 7) * real)
    length = max(PORE_FLOOR[1], rng.uniform(120, 400) * real)
    contrast = rng.uniform(*PORE_CONTRAST[defect.visibility])
    centre_x = rng.uniform(x0 + 0.15 * (x1 - x0), x1 - 0.15 * (x1 - x0))
    centre_y = rng.uniform(y0 + 0.12 * (y1 - y0), y1 - 0.12 * (y1 - y0))
    tilt, bend, drift = rng.normal(0, 0.10), rng.normal(0, 0.05), rng.normal(0, 0.4, 2)
    steps = np.linspace(-0.5, 0.5, 11)
    wobble = rng.normal(0, 0.2 * width, steps.size)
    passed = (number - defect.first) * structure.scale
    x = centre_x + drift[0] * passed + (tilt * steps + bend * (1 - 4 * steps**2)) * length + wobble
    y = centre_y + drift[1] * passed + steps * length
    half = width / 2 * np.clip(1.2 - np.abs(2 * steps) ** 3, 0.3, 1.0)
    outline = np.concatenate([np.stack([x - half, y], 1), np.stack([x + half, y], 1)[::-1]]).astype(
        np.float32
    )
    image -= contrast * _coverage(outline, image.shape)
    return [outline]


def _draw_bleed(image: Image, structure: Structure, defect: Defect, number: int) -> list[Polygon]:
    """Resin past the wall: bumps of uneven depth along part of one side."""
    rng = np.random.default_rng([structure.seed, defect.seed])
    x0, y0, x1, y1 = structure.body
    height, width = image.shape
    side = SIDES[rng.integers(len(SIDES))]
    upright = side in ("left", "right")
    start, end = (y0, y1) if upright else (x0, x1)
    free = {"left": x0, "right": width - x1, "bottom": height - y1, "top": y0}[side]
    reach = rng.uniform(*BLEED_DEPTH[defect.visibility]) * free
    length = (
        rng.uniform(0.1, 0.3) * (end - start) if upright else rng.uniform(0.35, 0.7) * (end - start)
    )
    first = rng.uniform(start, end - length)
    along = first + np.linspace(0, 1, 25) * length
    hump = np.sin(np.linspace(0, np.pi, 25)) ** 0.5
    growth = 1 + 0.04 * (number - defect.first)
    depth = (
        hump * reach * np.clip(0.75 + smooth_curve(rng, 25, 0.25, 7), 0.3, 1.15) * min(growth, 1.15)
    )
    edge = {"left": x0, "right": x1 - 1, "bottom": y1 - 1, "top": y0}[side]
    away = edge + (depth if side in ("right", "bottom") else -depth)
    border = np.full_like(along, edge)
    pairs = ((away, along), (border, along)) if upright else ((along, away), (along, border))
    outline = np.concatenate([np.stack(pairs[0], 1), np.stack(pairs[1], 1)[::-1]]).astype(
        np.float32
    )
    coverage = _coverage(outline, image.shape)
    shade = structure.resin + rng.uniform(-12, 12)
    image += coverage * (shade - image)
    return [outline]


def _coverage(outline: Polygon, shape: tuple[int, int]) -> Image:
    """Return the anti-aliased area of a polygon, (h, w) float32 in [0, 1]."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(mask, np.float32) / np.float32(255)
