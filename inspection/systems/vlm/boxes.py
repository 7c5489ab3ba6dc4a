"""A VLM's boxes, in the coordinates of its family, as boxes in source pixels. Pure.

References
----------
Qwen2-VL (arXiv:2409.12191, section 2.1): corners in thousandths of the image, between tokens.
Qwen2.5-VL (arXiv:2502.13923, section 2.1): pixels of the resized input.
Qwen3-VL: thousandths again, as ``bbox_2d`` in JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from inspection.modelstore.vlm_folder import BoxScale
from inspection.records import Rect
from inspection.results import Box

MAX_BOXES = 64
_PARTS = (("x1", "y1", "x2", "y2"), ("left", "top", "right", "bottom"))
_SIZED = ("x", "y", "w", "h"), ("x", "y", "width", "height")


@dataclass(frozen=True, slots=True)
class BoxFrame:
    """What a family's coordinates refer to.

    Parameters
    ----------
    scale : the family's convention
    region : the part of the upright source that the model saw, source pixels
    input : (width, height) of that part as the model saw it
    """

    scale: BoxScale
    region: Rect
    input: tuple[int, int]

    def to_source(self, corners: tuple[float, float, float, float]) -> Box | None:
        """Return two opposite corners as a box within the source.

        None where they are not finite, span nothing, or lie outside the region.
        """
        if not all(math.isfinite(value) for value in corners):
            return None
        whole_x, whole_y = self.input if self.scale == "input_pixels" else (1000, 1000)
        width, height = self.region.w, self.region.h
        xs = sorted(_within(value * width / whole_x, width) for value in corners[::2])
        ys = sorted(_within(value * height / whole_y, height) for value in corners[1::2])
        if xs[0] == xs[1] or ys[0] == ys[1]:
            return None
        left, top = math.floor(xs[0]), math.floor(ys[0])
        return Box(
            x=self.region.x + left,
            y=self.region.y + top,
            w=math.ceil(xs[1]) - left,
            h=math.ceil(ys[1]) - top,
        )


def _within(value: float, limit: int) -> float:
    # Rounded, or a corner on a pixel's edge would take in the next pixel.
    return round(min(max(value, 0.0), float(limit)), 6)


def boxes_of(value: Any, frame: BoxFrame) -> tuple[tuple[Box, ...], bool]:
    """Return the boxes of a JSON value, and whether it claims any, readable or not.

    Parameters
    ----------
    value : a list of boxes, one box, or anything a model may write there; a box is four numbers
        or two points, or an object that holds them
    """
    boxes: list[Box] = []
    claimed = False
    for item in _items(value):
        corners = _corners(item)
        if corners is not None and not any(corners):
            continue  # the zeros of a form filled in for "nowhere"
        claimed = True
        box = frame.to_source(corners) if corners is not None else None
        if box is not None and box not in boxes and len(boxes) < MAX_BOXES:
            boxes.append(box)
    return tuple(boxes), claimed


def _items(value: Any) -> Iterator[Any]:
    if value is None or value == [] or value == {} or value is False:
        return
    if isinstance(value, str):
        if value.strip().lower() not in ("", "-", "none", "null", "n/a", "[]", "없음"):
            yield value
    elif isinstance(value, list) and _corners(value) is None:
        for item in value:
            if item not in (None, [], {}, ""):
                yield item
    else:
        yield value


def _corners(value: Any) -> tuple[float, float, float, float] | None:
    if isinstance(value, dict):
        for key in ("bbox_2d", "bbox", "box"):
            if isinstance(value.get(key), list):
                return _corners(value[key])
        for names in _PARTS:
            if all(name in value for name in names):
                return _corners([value[name] for name in names])
        for names in _SIZED:
            if all(name in value for name in names):
                sized = _corners([value[name] for name in names])
                if sized is not None:
                    x, y, w, h = sized
                    return x, y, x + w, y + h
        return None
    if isinstance(value, list) and len(value) == 2 and all(isinstance(p, list) for p in value):
        value = [*value[0], *value[1]]
    if not isinstance(value, list) or len(value) != 4:
        return None
    # True and False are whole numbers to Python.
    if not all(
        isinstance(part, int | float) and not isinstance(part, bool) and math.isfinite(part)
        for part in value
    ):
        return None
    x1, y1, x2, y2 = map(float, value)
    return x1, y1, x2, y2
