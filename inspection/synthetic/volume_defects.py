"""Internal defects as bodies of voxels: pores between the layers, resin beyond the housing."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from inspection.synthetic.ct import BLEED_DEPTH, PORE_CONTRAST
from inspection.synthetic.noise import smooth_curve
from inspection.synthetic.spec import Visibility

Plane = NDArray[np.float32]
Bounds = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

PORE_FLOOR = (3.6, 16.0, 10.0)
"""Least extent of a pore across x, y and z: a thinner one would have no voxel of its own."""
INSIDE = 0.5
"""Share of a voxel from which it belongs to a defect."""


class BodilyDefect(Protocol):
    """A defect that is drawn plane after plane."""

    name: str
    span: tuple[int, int]

    def draw(self, plane: Plane, number: int) -> Plane:
        """Draw a plane of it in place, and return the share of every voxel that is its own."""
        ...


class Pore:
    """A flat lens of gas: thin across the layers, long along them, and bent.

    Parameters
    ----------
    bounds : of the body, (z, y, x)
    real : voxels for a pixel of a real scanner
    """

    name = "porosity"

    def __init__(
        self, bounds: Bounds, real: float, visibility: Visibility, rng: np.random.Generator
    ) -> None:
        thick = max(PORE_FLOOR[0], rng.uniform(3, 7) * real)
        length = max(PORE_FLOOR[1], rng.uniform(120, 400) * real)
        tall = max(PORE_FLOOR[2], rng.uniform(0.4, 0.8) * length)
        self._half = (tall / 2, length / 2, thick / 2)
        self._contrast = rng.uniform(*PORE_CONTRAST[visibility])
        self._tilt, self._bend = rng.normal(0, 0.06, 2), rng.normal(0, 0.03)
        self._centre = tuple(a + rng.uniform(0.22, 0.78) * (b - a) for a, b in bounds)
        z = self._centre[0]
        self.span = (int(z - self._half[0]), int(z + self._half[0]) + 2)

    def draw(self, plane: Plane, number: int) -> Plane:
        """Draw a plane of it in place, and return the share of every voxel that is its own."""
        (cz, cy, cx), (hz, hy, hx) = self._centre, self._half
        y, x = np.indices(plane.shape, dtype=np.float32)
        z, y = np.float32((number - cz) / hz), (y - cy) / hy
        drift = self._tilt[0] * hz * z + self._tilt[1] * hy * y + self._bend * hy * (1 - y**2)
        rim = np.sqrt(np.clip(1 - z**2 - y**2, 0, 1)) * hx
        # Shares of voxels along x alone: it is by far the thinnest, and counts the others too.
        low, high = x - 0.5, x + 0.5
        left, right = cx + drift - rim, cx + drift + rim
        cover = np.clip(np.minimum(high, right) - np.maximum(low, left), 0, 1)
        cover = np.asarray(cover, np.float32)
        plane -= np.float32(self._contrast) * cover
        return cover


class Bleed:
    """Resin past the wall: a hump of uneven depth on one of the long sides.

    Parameters
    ----------
    bounds : of the body, (z, y, x)
    shape : of the volume
    resin : its grey
    """

    name = "resin_overflow"

    def __init__(
        self,
        bounds: Bounds,
        shape: tuple[int, int, int],
        resin: float,
        visibility: Visibility,
        rng: np.random.Generator,
    ) -> None:
        # The axis that it sticks out along, and the one that it runs along beside z.
        self._out, self._along = (2, 1) if rng.random() < 0.5 else (1, 2)
        self._low = bool(rng.random() < 0.5)
        first, last = bounds[self._out]
        self._edge = first if self._low else last
        free = first if self._low else shape[self._out] - last
        reach = rng.uniform(*BLEED_DEPTH[visibility]) * free
        start, end = bounds[self._along]
        length = rng.uniform(0.3, 0.6) * (end - start)
        begin = rng.uniform(start, end - length)
        self._points = begin + np.linspace(0, 1, 25) * length
        hump = np.sin(np.linspace(0, np.pi, 25)) ** 0.5
        self._depth = hump * reach * np.clip(0.85 + smooth_curve(rng, 25, 0.2, 7), 0.4, 1.15)
        z0, z1 = bounds[0]
        tall = rng.uniform(0.15, 0.3) * (z1 - z0)
        top = rng.uniform(z0, z1 - tall)
        self.span = (int(top), int(top + tall) + 1)
        self._shade = np.float32(resin + rng.uniform(-12, 12))

    def draw(self, plane: Plane, number: int) -> Plane:
        """Draw a plane of it in place, and return the share of every voxel that is its own."""
        first, last = self.span
        growth = np.sin(np.pi * np.clip((number - first) / (last - first), 0, 1)) ** 0.5
        # Axes 1 and 2 of the volume are 0 and 1 of the plane.
        along = np.arange(plane.shape[self._along - 1])
        depth = growth * np.interp(along, self._points, self._depth, left=0, right=0)
        place = np.arange(plane.shape[self._out - 1])
        beyond = self._edge - place if self._low else place + 1 - self._edge  # 1 at the wall
        cover = np.clip(depth[:, None] - beyond[None] + 1, 0, 1) * (beyond[None] >= 1)
        cover = np.asarray(cover if self._out == 2 else cover.T, np.float32)
        plane += cover * (self._shade - plane)
        return cover


class Mask(NamedTuple):
    """The voxels of a defect: ``voxels`` (z, y, x) bool, from ``start`` on."""

    name: str
    start: tuple[int, int, int]
    voxels: NDArray[np.bool_]


class MaskRecorder:
    """Gathers a defect's voxels while it is drawn."""

    def __init__(self, defect: BodilyDefect) -> None:
        self.defect = defect
        self._planes: dict[int, NDArray[np.bool_]] = {}

    def draw(self, plane: Plane, number: int) -> None:
        """Draw one plane of the defect, where it has any."""
        first, past = self.defect.span
        if first <= number < past and number not in self._planes:
            self._planes[number] = self.defect.draw(plane, number) >= INSIDE
        elif number in self._planes:
            self.defect.draw(plane, number)

    def mask(self) -> Mask:
        """Return what was drawn."""
        numbers = sorted(number for number, plane in self._planes.items() if plane.any())
        stack = np.stack([self._planes[number] for number in numbers])
        rows, columns = (np.flatnonzero(stack.any(axis=(0, axis))) for axis in (2, 1))
        cut = stack[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return Mask(self.defect.name, (numbers[0], int(rows[0]), int(columns[0])), cut)
