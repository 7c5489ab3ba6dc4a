"""The body of a pouch cell or module in three dimensions, drawn plane after plane across z.

Isotropic: its planes across x, y and z are cuts of one part. The electrode layers lie along x, as
in the slices of `inspection.synthetic.ct`. Lengths are in voxels at the reference canvas and are
multiplied by ``scale``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from inspection.records import BatteryType
from inspection.synthetic.ct import AIR, SHARPEST
from inspection.synthetic.noise import add_blob, noise_patch
from inspection.synthetic.spec import REFERENCE_CANVAS, Visibility
from inspection.synthetic.style import PLAIN, Style
from inspection.synthetic.volume_defects import Bleed, Bounds, MaskRecorder, Plane, Pore

MARGINS = {"z": (0.03, 0.05), "y": (0.05, 0.08), "x": (0.09, 0.12)}
"""Air around the body, as a share of the side."""
REACH = 2
"""Planes to either side that are seen in one: the blur's."""
SPECKS = {"bright": (26, (0.8, 1.7), (40.0, 110.0)), "soft": (10, (4.0, 8.0), (-34.0, -16.0))}
"""Harmless things, on good and bad batteries alike: how many, their radius, their contrast."""


class _Block(NamedTuple):
    """A part of the body: what it fills, its grey, and whether electrode layers run in it."""

    bounds: Bounds
    grey: float
    layered: bool = False


class _Speck(NamedTuple):
    centre: tuple[float, float, float]
    radius: float
    contrast: float


@dataclass(frozen=True, slots=True)
class SoundBody:
    """One part, still without its defects.

    Parameters
    ----------
    shape : voxels (z, y, x) of the volume it lies in
    bounds : first and past-the-last voxel of the part by z, y, x
    scale : voxels for one at the reference canvas
    resin : grey of a module's resin
    seed : of its noise
    """

    shape: tuple[int, int, int]
    bounds: Bounds
    scale: float
    resin: float
    seed: int
    noise: float
    blur: float
    cup: tuple[float, float]
    blocks: tuple[_Block, ...]
    specks: tuple[_Speck, ...]
    layers: _VolumeLayers


class _VolumeLayers:
    """The electrode stack: stripes across x, gently waved along y and z."""

    def __init__(self, scale: float, rng: np.random.Generator, style: Style) -> None:
        self.period = rng.uniform(5.5, 9.5) * scale * style.period
        self.phase = rng.uniform(0, 2 * np.pi)
        self.amplitude = rng.uniform(9, 16) * style.amplitude
        self.base = rng.uniform(100, 130) + style.layers
        self._wave = rng.normal(0, 2.0 * scale, (5, 5)).astype(np.float32)
        self._clouds = rng.normal(0, 5, (8, 6, 4)).astype(np.float32)

    def draw(self, share: float, rows: int, columns: int) -> Plane:
        """Return the stripes of one plane, (rows, columns).

        Parameters
        ----------
        share : where the plane lies in the volume, 0 to 1
        """
        wave = cv2.resize(_between(self._wave, share)[None], (rows, 1))[0]
        across = np.arange(columns, dtype=np.float32)[None] + wave[:, None]
        stripes = self.amplitude * np.sin(2 * np.pi * across / self.period + self.phase)
        clouds = cv2.resize(
            _between(self._clouds, share), (columns, rows), interpolation=cv2.INTER_CUBIC
        )
        return np.asarray(self.base + stripes + clouds, np.float32)


def _between(grid: Plane, share: float) -> Plane:
    """Return a grid's content between two of its first axis's entries."""
    place = share * (len(grid) - 1)
    first = min(int(place), len(grid) - 2)
    return np.asarray(grid[first] + (place - first) * (grid[first + 1] - grid[first]), np.float32)


def build_body(
    battery_type: BatteryType, canvas: int, rng: np.random.Generator, style: Style = PLAIN
) -> SoundBody:
    """Return a part of random size and make.

    Parameters
    ----------
    canvas : voxels of the longest side, at most
    """
    scale = canvas / REFERENCE_CANVAS
    depth = int(canvas * rng.uniform(0.90, 0.99))
    height = int(depth * rng.uniform(0.80, 0.98))
    width = int(depth * (rng.uniform(0.32, 0.44) if battery_type == "cell" else 0.34))
    shape = (depth, height, width)
    sides = zip(shape, MARGINS.values(), strict=True)
    margins = [max(2, round(side * rng.uniform(*share))) for side, share in sides]
    z, y, x = ((m, side - m) for side, m in zip(shape, margins, strict=True))
    bounds = (z, y, x)
    resin = rng.uniform(80, 100)
    make = _cell_blocks if battery_type == "cell" else _module_blocks
    blocks = make(bounds, scale, resin, rng)
    specks = [
        _Speck(
            (rng.uniform(*z), rng.uniform(*y), rng.uniform(*x)),
            rng.uniform(*radius) * scale,
            rng.uniform(*contrast),
        )
        for count, radius, contrast in SPECKS.values()
        for _ in range(rng.poisson(count))
    ]
    return SoundBody(
        shape=shape,
        bounds=bounds,
        scale=scale,
        resin=resin,
        seed=int(rng.integers(1 << 31)),
        noise=rng.uniform(4, 7) * style.noise,
        blur=rng.uniform(0.3, 0.65) * min(max(scale, 0.6), SHARPEST) * style.blur,
        cup=(rng.uniform(0.02, 0.06), rng.uniform(0.03, 0.12)),
        blocks=tuple(blocks),
        specks=tuple(specks),
        layers=_VolumeLayers(scale, rng, style),
    )


def _cell_blocks(
    bounds: Bounds, scale: float, _resin: float, rng: np.random.Generator
) -> Iterator[_Block]:
    foil, seam = max(1, round(1.8 * scale)), max(2, round(rng.uniform(4, 7) * scale))
    yield _Block(bounds, rng.uniform(150, 190))
    yield _Block(_inside(bounds, (foil, foil, foil)), rng.uniform(78, 100))
    yield _Block(_inside(bounds, (2 * seam, 2 * seam, seam)), 0.0, layered=True)
    (z0, _), (y0, y1), (x0, x1) = bounds
    metal, tall = rng.uniform(165, 200), y1 - y0
    for share in (rng.uniform(0.22, 0.32), rng.uniform(0.66, 0.78)):
        centre, half = y0 + round(tall * share), round(0.065 * tall)
        middle, thick = (x0 + x1) // 2, max(1, round(2 * scale))
        tab = (
            (max(0, z0 - round(10 * scale)), z0 + 2 * seam),
            (centre - half, centre + half),
            (middle - thick, middle + thick),
        )
        yield _Block(tab, metal)


def _module_blocks(
    bounds: Bounds, scale: float, resin: float, rng: np.random.Generator
) -> Iterator[_Block]:
    wall, gap = max(2, round(rng.uniform(3.5, 6) * scale)), max(2, round(4 * scale))
    yield _Block(bounds, rng.uniform(150, 190))
    inside = _inside(bounds, (wall, wall, wall))
    yield _Block(inside, resin)
    free = round(rng.uniform(7, 14) * scale)
    (z0, z1), (y0, y1), (x0, x1) = _inside(inside, (free, free, gap))
    edges = np.linspace(x0, x1 + gap, int(rng.integers(3, 6)) + 1).astype(int)
    for left, right in zip(edges[:-1], edges[1:] - gap, strict=True):
        grey = float(rng.uniform(-5, 5))
        yield _Block(((z0, z1), (y0, y1), (int(left), int(right))), grey, layered=True)
        third = (y1 - y0) // 3
        bar = ((z0 - max(1, round(4 * scale)), z0), (y0 + third, y1 - third), (left, right))
        yield _Block(bar, float(rng.uniform(160, 195)))


def _inside(bounds: Bounds, rim: tuple[int, int, int]) -> Bounds:
    z, y, x = ((a + r, b - r) for (a, b), r in zip(bounds, rim, strict=True))
    return z, y, x


def body_planes(body: SoundBody, defects: Sequence[MaskRecorder]) -> Iterator[Plane]:
    """Yield the planes across z in their order, (y, x) float32 grey levels with noise.

    No more than a few are in memory at once.
    """
    depth = body.shape[0]
    steps = np.arange(-REACH, REACH + 1)
    weights = np.exp(-0.5 * (steps / body.blur) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    clean: deque[Plane] = deque(maxlen=len(steps))
    grain: deque[Plane] = deque(maxlen=3)
    for number in range(-REACH, depth + REACH):
        plane = _clean_plane(body, defects, min(max(number, 0), depth - 1))
        clean.append(np.asarray(cv2.GaussianBlur(plane, (0, 0), body.blur), np.float32))
        rng = np.random.default_rng([body.seed, number + REACH])
        grain.append(noise_patch(body.shape[1:], rng))
        if len(clean) == len(steps):
            # As coarse along z as the grain of one plane is along x and y.
            noise = (grain[0] + 1.5 * grain[1] + grain[2]) * np.float32(body.noise / 2.06)
            yield sum((w * one for w, one in zip(weights, clean, strict=True)), noise)


def _clean_plane(body: SoundBody, defects: Sequence[MaskRecorder], number: int) -> Plane:
    rows, columns = body.shape[1:]
    plane = np.full((rows, columns), AIR, np.float32)
    layers = body.layers.draw(number / body.shape[0], rows, columns)
    for block in body.blocks:
        (z0, z1), (y0, y1), (x0, x1) = block.bounds
        if z0 <= number < z1:
            part = layers[y0:y1, x0:x1] + np.float32(block.grey) if block.layered else block.grey
            plane[y0:y1, x0:x1] = part
    for speck in body.specks:
        z, y, x = speck.centre
        height = speck.contrast * float(np.exp(-0.5 * ((number - z) / speck.radius) ** 2))
        if abs(height) > 0.5:
            add_blob(plane, (x, y), (speck.radius, speck.radius), height)
    (z0, z1), (y0, y1), (x0, x1) = body.bounds
    if z0 <= number < z1:
        # Grey levels are cupped towards the axis of rotation, as a polychromatic beam does.
        across = np.linspace(-1, 1, x1 - x0, dtype=np.float32)
        along = np.linspace(-1, 1, y1 - y0, dtype=np.float32)
        loss, cup = body.cup
        plane[y0:y1, x0:x1] *= 1 - loss + cup * (across[None] ** 2 + along[:, None] ** 2)
    for defect in defects:
        defect.draw(plane, number)
    return plane


def build_defects(
    body: SoundBody, name: str | None, visibility: Visibility, rng: np.random.Generator
) -> list[MaskRecorder]:
    """Return the defects of one kind that a body has: up to three pores, or one hump of resin."""
    if name is None:
        return []
    if name == "resin_overflow":
        bleed = Bleed(body.bounds, body.shape, body.resin, visibility, rng)
        return [MaskRecorder(bleed)]
    real = body.scale * REFERENCE_CANVAS / 4000
    count = int(rng.integers(1, 4))
    return [MaskRecorder(Pore(body.bounds, real, visibility, rng)) for _ in range(count)]
