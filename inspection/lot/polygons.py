"""Label polygons: from what the files hold to points inside the frame, and to masks."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.records import DefectPolygon

Points = list[tuple[float, float]]


def flat_numbers(raw: Any) -> list[float] | None:
    """Return the numbers of ``[x, y, …]``, ``[[x, y], …]`` or ``[{x, y}, …]`` in order.

    None where anything in it is not a finite number.
    """
    if isinstance(raw, dict) and {"x", "y"} <= raw.keys():
        raw = [raw["x"], raw["y"]]
    if isinstance(raw, list):
        pieces = [flat_numbers(item) for item in raw]
        return None if None in pieces else [n for piece in pieces if piece for n in piece]
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    try:
        number = float(raw)
    except OverflowError:
        return None
    return [number] if math.isfinite(number) else None


def clip_to_frame(points: Points, width: float, height: float) -> Points:
    """Return the part of a polygon inside ``[0, width] x [0, height]``; empty if none is.

    References
    ----------
    Sutherland and Hodgman, Reentrant polygon clipping, CACM 17 (1974).
    """
    for axis, bound, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        clipped: Points = []
        for start, end in zip([*points[-1:], *points[:-1]], points, strict=True):
            start_in = sign * (start[axis] - bound) >= 0
            end_in = sign * (end[axis] - bound) >= 0
            if start_in != end_in:
                clipped.append(_crossing(start, end, axis, bound))
            if end_in:
                clipped.append(end)
        points = clipped
    return points


def _crossing(
    start: tuple[float, float], end: tuple[float, float], axis: int, bound: float
) -> tuple[float, float]:
    share = (bound - start[axis]) / (end[axis] - start[axis])
    other = start[1 - axis] + share * (end[1 - axis] - start[1 - axis])
    return (bound, other) if axis == 0 else (other, bound)


def polygon_area(points: Iterable[tuple[float, float]]) -> float:
    """Return the enclosed area in square pixels (shoelace formula)."""
    array = np.array(list(points), dtype=np.float64)
    x, y = array[:, 0], array[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def draw_polygons(
    defects: Iterable[DefectPolygon], size: tuple[int, int], names: Collection[str] | None = None
) -> NDArray[np.bool_]:
    """Return the pixels that polygons cover, outline included.

    Parameters
    ----------
    defects : polygons in full-image pixels
    size : (width, height) of the image
    names : only these defects; all by default

    Returns
    -------
    (H, W) bool
    """
    mask = np.zeros((size[1], size[0]), np.uint8)
    for defect in defects:
        if names is None or defect.name in names:
            # Points near 2^31 would wrap in OpenCV's integers.
            points = np.clip(np.array(defect.points), -1e6, 1e6).round().astype(np.int32)
            cv2.fillPoly(mask, [points], 1)
    return mask.astype(bool)
