"""Which voxels of a block are a body's: what stands out from its surroundings, to half depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Contrast = Literal["darker", "brighter"]
Corner = tuple[int, int, int]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

DEPTH = 4.0
"""Times the noise of 27 voxels' mean that a body has to stand out by."""
FEWEST = 8
"""Voxels of a body, of which fewer are noise, and of its inside, of which fewer tell no depth."""
TRENDS = 2
"""Times that the trends of all planes are taken away; each changes what the others are."""
STRAY = 3.0
"""Times the noise beyond which a voxel tells nothing of its plane's trend."""
TELLING = 30
"""Voxels of a plane, of which fewer tell no trend."""
ENOUGH = 4000
"""Voxels of a plane, of which more tell no more of its trend."""
SAMPLE = 200_000
"""Voxels, of which more tell no more of the noise."""


def depth_of(block: NDArray[Any], contrast: Contrast) -> Floats:
    """Return how far each voxel stands out from its surroundings.

    What is the same over a whole plane (a layer, a housing's wall) belongs to the surroundings.
    """
    values = block.astype(np.float32)
    middle = np.float32(np.median(values))
    around = np.full(values.shape, middle, np.float32)
    for axis in range(3):
        others = tuple(place for place in range(3) if place != axis)
        around += np.median(values, axis=others, keepdims=True).astype(np.float32) - middle
    return around - values if contrast == "darker" else values - around


def without_trend(depth: Floats, around: Mask) -> Floats:
    """Return depths without what is the same, or changes evenly, over each plane across an axis.

    Layers run in waves: near a body they are straight, but seldom along the axes.

    Parameters
    ----------
    around : voxels that are no body's: they alone tell the trend
    """
    rest = depth - np.float32(np.median(depth[around]))
    for _ in range(TRENDS):
        for axis in range(3):
            limit = STRAY * noise_of(rest[around])
            planes, told = np.moveaxis(rest, axis, 0), np.moveaxis(around, axis, 0)
            rows, columns = (
                np.linspace(-1, 1, side, dtype=np.float32) for side in planes.shape[1:]
            )
            for plane, known in zip(planes, told, strict=True):
                known = known & (np.abs(plane) < limit)
                if np.count_nonzero(known) < TELLING:
                    continue
                at = np.flatnonzero(known)
                at_row, at_column = np.divmod(at[:: 1 + len(at) // ENOUGH], planes.shape[2])
                terms = np.stack([np.ones(len(at_row)), rows[at_row], columns[at_column]], 1)
                found = np.linalg.lstsq(terms, plane[at_row, at_column], rcond=None)[0]
                level, down, along = found
                plane -= np.float32(level) + np.float32(down) * rows[:, None]
                plane -= np.float32(along) * columns[None]
    return rest


def noise_of(values: Floats) -> float:
    """Return the standard deviation of values, whatever a few of them are; 0 of none."""
    if not values.size:
        return 0.0
    values = np.ravel(values)[:: 1 + values.size // SAMPLE]
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def cut_out(
    depth: Floats, smooth: Floats, candidates: Floats, origin: Sequence[int]
) -> tuple[Mask, float, Corner] | None:
    """Return the body's voxels, its depth, and its deepest voxel; None where none stands out."""
    noise = noise_of(smooth)
    place = np.unravel_index(int(candidates.argmax()), candidates.shape)
    z, y, x = (int(at) + o for at, o in zip(place, origin, strict=True))
    seed = z, y, x
    level = float(smooth[seed])
    if not np.isfinite(candidates[place]) or level <= DEPTH * noise:
        return None
    mask: Mask | None = None
    for _ in range(3):
        # Noise makes holes in a body and bridges to the next: between the voxel and its nearest.
        mask = _connected((depth + smooth) / 2 > level / 2, seed)
        if mask is None or np.count_nonzero(mask) < FEWEST:
            return None
        inside = eroded(mask)
        if np.count_nonzero(inside) < FEWEST:
            # Too thin to have an inside: its deepest quarter is nearest to its depth.
            inside = mask & (smooth >= np.quantile(smooth[mask], 0.75))
        level = float(np.median(depth[inside]))
    assert mask is not None
    return mask, level, seed


def averaged(values: Floats) -> Floats:
    """Return the mean of each voxel and its nearest 26."""
    for axis in range(3):
        padded = np.pad(values, [(1, 1) if place == axis else (0, 0) for place in range(3)], "edge")
        parts = [padded.take(range(k, k + values.shape[axis]), axis) for k in range(3)]
        values = np.asarray(sum(parts, np.zeros_like(values)) / np.float32(3), np.float32)
    return values


def _shifted(mask: Mask, fill: bool) -> list[Mask]:
    padded = np.pad(mask, 1, constant_values=fill)
    whole = [slice(1, -1)] * 3
    found = []
    for axis in range(3):
        for at in (slice(0, -2), slice(2, None)):
            where = [*whole]
            where[axis] = at
            found.append(padded[tuple(where)])
    return found


def eroded(mask: Mask) -> Mask:
    """Return the voxels whose six neighbours are all in a mask, as they are."""
    return np.asarray(np.logical_and.reduce([mask, *_shifted(mask, False)]))


def dilated(mask: Mask) -> Mask:
    """Return the voxels of a mask, and their six neighbours."""
    return np.asarray(np.logical_or.reduce([mask, *_shifted(mask, False)]))


def _connected(mask: Mask, seed: Corner) -> Mask | None:
    """Return the voxels that hang together with one by their faces; None where it is no part."""
    if not mask[seed]:
        return None
    labels = [cv2.connectedComponents(plane, connectivity=4)[1] for plane in mask.astype(np.uint8)]
    found = np.zeros_like(mask)
    waiting = [(seed[0], int(labels[seed[0]][seed[1:]]))]
    seen = {*waiting}
    while waiting:
        number, label = waiting.pop()
        region = labels[number] == label
        found[number] |= region
        for beside in (number - 1, number + 1):
            if 0 <= beside < len(labels):
                met = {(beside, int(one)) for one in np.unique(labels[beside][region]) if one}
                waiting += met - seen
                seen |= met
    return found
