"""How near the sizes of pores come to the voxels that they were made of.

    python benchmarks/body_sizes.py --first 1000 --bodies 20 --canvas 160 256

Each body is measured under every visibility. Heat is taken to be right along the slices and whole
cells of 16 pixels wide across them. Pores of one body that touch are one, and left out.
"""

from __future__ import annotations

import argparse

import numpy as np

from inspection.synthetic.spec import VISIBILITIES, Visibility
from inspection.synthetic.volume import body_planes, build_body, build_defects
from inspection.synthetic.volume_defects import Mask
from inspection.synthetic.volume_files import stored_values
from inspection.volumes.body_size import SizedBody, measure_bodies
from inspection.volumes.volume import VolumeInfo, Voxels

CELL = 16
APART = 4
"""Voxels between two pores, with fewer of which they are one to whoever measures."""
WITHIN = 0.15


class _InMemory:
    def __init__(self, voxels: Voxels) -> None:
        self._voxels = voxels
        self.info = VolumeInfo(voxels.shape, str(voxels.dtype), None, "array")

    def section(self, axis: str, number: int) -> Voxels:
        return self._voxels.take(number, axis=("z", "y", "x").index(axis))

    def block(self, start: tuple[int, ...], stop: tuple[int, ...]) -> Voxels:
        return self._voxels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]

    def close(self) -> None:
        pass


def main() -> None:
    """Measure, and print a row of the table for each canvas and visibility."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--first", type=int, default=1000)
    options.add_argument("--bodies", type=int, default=20)
    options.add_argument("--canvas", type=int, nargs="+", default=[160, 256])
    asked = options.parse_args()
    print("canvas, pores: how many, not found, within 15 %; off by: median, p90, most, on average;")
    print("told error, within two of them; box off by more than a voxel, by more than two")
    for canvas in asked.canvas:
        for visibility in VISIBILITIES:
            seeds = range(asked.first, asked.first + asked.bodies)
            print(canvas, visibility, *_row(canvas, visibility, seeds), sep=" | ", flush=True)


def _row(canvas: int, visibility: Visibility, seeds: range) -> list[str]:
    off, told, boxes, pores = [], [], [], 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        body = build_body("cell" if seed % 2 else "module", canvas, rng)
        defects = build_defects(body, "porosity", visibility, rng)
        planes = [stored_values(plane, "16") for plane in body_planes(body, defects)]
        volume = _InMemory(np.stack(planes))
        masks = [defect.mask() for defect in defects]
        for mask in masks:
            if any(_gap(mask, other) < APART for other in masks if other is not mask):
                continue
            pores += 1
            low, high = _heat(mask)
            met = [b for b in measure_bodies(volume, low, high, "darker") if _meet(b, mask)]
            if not met:
                continue
            found = max(met, key=lambda one: one.voxels)
            true = int(mask.voxels.sum())
            off.append(found.voxels / true - 1)
            told.append(found.error)
            boxes.append(_box_off(found, mask))
    far, errors = np.abs(off), np.asarray(told)
    shares = [far <= WITHIN, far <= 2 * errors, np.asarray(boxes) > 1, np.asarray(boxes) > 2]
    within, trusted, box_1, box_2 = (f"{100 * np.mean(one):.0f} %" for one in shares)
    figures = (np.median(far), np.quantile(far, 0.9), far.max(), np.mean(off), np.median(errors))
    median, p90, most, mean, error = (f"{100 * value:.1f} %" for value in figures)
    missed = str(pores - len(off))
    return [str(pores), missed, within, median, p90, most, mean, error, trusted, box_1, box_2]


def _heat(mask: Mask) -> tuple[list[int], list[int]]:
    (z, y, x), (depth, height, width) = mask.start, mask.voxels.shape
    ends = [-(-(y + height) // CELL) * CELL, -(-(x + width) // CELL) * CELL]
    return [z, y // CELL * CELL, x // CELL * CELL], [z + depth, *ends]


def _gap(one: Mask, other: Mask) -> int:
    """Return the largest distance of two boxes along any axis; below 0 where they meet."""
    gaps = []
    for axis in range(3):
        a, b = one.start[axis], one.start[axis] + one.voxels.shape[axis]
        c, d = other.start[axis], other.start[axis] + other.voxels.shape[axis]
        gaps.append(max(a - d, c - b))
    return max(gaps)


def _meet(body: SizedBody, mask: Mask) -> bool:
    ends = zip(body.start, body.stop, mask.start, mask.voxels.shape, strict=True)
    return all(a < start + size and start < b for a, b, start, size in ends)


def _box_off(body: SizedBody, mask: Mask) -> int:
    ends = zip(body.start, body.stop, mask.start, mask.voxels.shape, strict=True)
    return max(max(abs(a - start), abs(b - start - size)) for a, b, start, size in ends)


if __name__ == "__main__":
    main()
