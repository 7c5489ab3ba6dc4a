"""Do boxes lie on the labelled defects? For the boxes of any system.

Conventions, those of the field's detection benchmarks: a labelled polygon counts as its bounding
box, as COCO and Pascal VOC do for boxes; overlap is intersection over union of areas in source
pixels; boxes are matched greedily, the highest score first, each to the free defect that it
overlaps most; a match counts above the given overlap, never at it. Precision and recall are
over the whole set of images, so that boxes on normal images count as false alarms.

Label files hold some defects in pieces: polygons that touch, cross or lie in one another are one
defect, whose bounding box covers them all.

References
----------
Everingham et al., The Pascal Visual Object Classes challenge, IJCV 88 (2010), section 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.results import Box

Polygon = NDArray[np.float32]
"""(n, 2) points as x, y in source pixels."""
Corners = NDArray[np.float64]
"""(n, 4) rectangles as left, top, right, bottom in source pixels."""


@dataclass(frozen=True, slots=True)
class Located:
    """How one image's boxes match its defects.

    Parameters
    ----------
    matched : boxes that found a defect of their own
    boxes, defects : how many there are
    best : for each defect the highest overlap of any box, 0 where none touches it
    """

    matched: int
    boxes: int
    defects: int
    best: tuple[float, ...] = field(default=())


def locate(boxes: Sequence[Box], polygons: Sequence[Polygon], iou: float = 0.5) -> Located:
    """Match an image's boxes to its labelled defects; see the module's conventions."""
    truth = defect_rectangles(polygons)
    overlaps = overlap(corners_of(sorted(boxes, key=lambda box: -(box.score or 0.0))), truth)
    free = np.ones(len(truth), bool)
    matched = 0
    for row in overlaps:
        candidates = np.where(free, row, -1.0)
        if len(truth) and candidates.max() > iou:
            free[int(candidates.argmax())] = False
            matched += 1
    best = overlaps.max(axis=0) if len(overlaps) else np.zeros(len(truth))
    return Located(matched, len(overlaps), len(truth), tuple(float(value) for value in best))


def box_figures(located: Sequence[Located], iou: float) -> dict[str, Any]:
    """Return F1, precision and recall of the boxes, and the mean overlap of the best box.

    Returns
    -------
    dict
        ``images``, ``defects``, ``boxes``, ``iou_threshold``, ``precision``, ``recall``, ``f1``
        and ``mean_best_iou`` (over defects, 0 for one without a box). A rate with nothing to
        count is None.
    """
    matched = sum(item.matched for item in located)
    boxes, defects = sum(item.boxes for item in located), sum(item.defects for item in located)
    best = [value for item in located for value in item.best]
    return {
        "images": len(located),
        "defects": defects,
        "boxes": boxes,
        "iou_threshold": iou,
        "precision": matched / boxes if boxes else None,
        "recall": matched / defects if defects else None,
        "f1": 2 * matched / (boxes + defects) if boxes + defects else None,
        "mean_best_iou": float(np.mean(best)) if best else None,
    }


def corners_of(boxes: Sequence[Box]) -> Corners:
    """Return the corners of boxes, in their order."""
    corners = [(box.x, box.y, box.x + box.w, box.y + box.h) for box in boxes]
    return np.array(corners, np.float64).reshape(-1, 4)


def overlap(boxes: Corners, truth: Corners) -> NDArray[np.float64]:
    """Return (B, T) intersection over union; 0 where both areas are empty."""
    shared = _shared(boxes, truth)
    united = _areas(boxes)[:, None] + _areas(truth)[None, :] - shared
    overlaps = np.divide(shared, united, out=np.zeros_like(shared), where=united > 0)
    return np.asarray(overlaps, np.float64)


def containment(boxes: Corners, others: Corners) -> NDArray[np.float64]:
    """Return (B, O) intersection over the smaller of two areas: 1 where one lies in the other."""
    shared = _shared(boxes, others)
    smaller = np.minimum(_areas(boxes)[:, None], _areas(others)[None, :])
    shares = np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0)
    return np.asarray(shares, np.float64)


def _shared(boxes: Corners, others: Corners) -> NDArray[np.float64]:
    left_top = np.maximum(boxes[:, None, :2], others[None, :, :2])
    right_bottom = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.asarray(np.clip(right_bottom - left_top, 0.0, None).prod(axis=2), np.float64)


def _areas(corners: Corners) -> NDArray[np.float64]:
    return np.asarray((corners[:, 2:] - corners[:, :2]).prod(axis=1), np.float64)


def defect_rectangles(polygons: Sequence[Polygon]) -> Corners:
    """Return the bounding box of each defect; polygons that share ground are one defect."""
    groups: list[list[Polygon]] = []
    for polygon in polygons:
        joined = [g for g in groups if any(share_ground(polygon, other) for other in g)]
        apart = [g for g in groups if not any(g is j for j in joined)]
        groups = [*apart, [polygon, *(member for group in joined for member in group)]]
    rectangles = [_bounds(np.concatenate(group)) for group in groups]
    return np.array(sorted(rectangles), np.float64).reshape(-1, 4)


def share_ground(first: Polygon, second: Polygon) -> bool:
    """Return whether two polygons touch, cross, or lie in one another."""
    one, two = _bounds(first), _bounds(second)
    if one[0] > two[2] or two[0] > one[2] or one[1] > two[3] or two[1] > one[3]:
        return False
    # One in the other: then any point of it is.
    for outer, (x, y) in ((first, second[0]), (second, first[0])):
        contour = np.ascontiguousarray(outer, np.float32).reshape(-1, 1, 2)
        if cv2.pointPolygonTest(contour, (float(x), float(y)), False) >= 0:
            return True
    # Else an edge of one has to meet an edge of the other.
    a, b = first.astype(np.float64)[:, None], second.astype(np.float64)[None, :]
    a_end, b_end = np.roll(a, -1, axis=0), np.roll(b, -1, axis=1)
    sides = [_side(a, a_end, b), _side(a, a_end, b_end), _side(b, b_end, a), _side(b, b_end, a_end)]
    # Edges on one line are told apart by their bounds.
    overlapping = np.all(
        (np.maximum(a, a_end) >= np.minimum(b, b_end))
        & (np.maximum(b, b_end) >= np.minimum(a, a_end)),
        axis=2,
    )
    meet = (sides[0] * sides[1] <= 0) & (sides[2] * sides[3] <= 0) & overlapping
    return bool(meet.any())


def _side(start: Any, end: Any, point: Any) -> NDArray[np.float64]:
    """Return on which side of the line through two points a third lies: -1, 0 or 1."""
    edge, to_point = end - start, point - start
    turn = edge[..., 0] * to_point[..., 1] - edge[..., 1] * to_point[..., 0]
    return np.asarray(np.sign(turn), np.float64)


def _bounds(points: Polygon) -> tuple[float, float, float, float]:
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return left, top, right, bottom
