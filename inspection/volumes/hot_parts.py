"""Where a battery's CT is hot over neighbouring slices. Pure: no voxel is read.

A part is exact along its axis, where the slices count, and as wide as heat is across it. So where
parts on several axes meet, a body is what they have in common.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from inspection.records import Axis
from inspection.results import Box, ImageResult, SliceRun
from inspection.volume_results import DefectBody
from inspection.volumes.planes import AXES, PLANES, Space, Voxel

PEAK_REACH = 8
"""Pixels around a peak that are looked at where heat has no box."""
LOOK_BACK = 3
"""Slices of a part that a box on the next one may lie over."""


class HotPart(NamedTuple):
    """A part of a volume that is hot over neighbouring slices.

    Parameters
    ----------
    defect_type, score : of its run, the better one of several
    axes : that it is seen along, that of the better run first
    start, stop : the box around it, (z, y, x)
    peak : where it is hottest
    """

    defect_type: str
    score: float
    axes: tuple[Axis, ...]
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    peak: Voxel


def hot_parts(run: SliceRun, images: Sequence[ImageResult], space: Space) -> Iterator[HotPart]:
    """Yield what is hot in a run: boxes that lie over each other on neighbouring slices are one.

    Parameters
    ----------
    images : of the battery
    space : what the slices are planes of; pictures of another scale are brought to it
    """
    own = [
        image
        for image in images
        if image.modality == "ct"
        and image.axis == run.axis
        and run.first <= image.number <= run.last
        and image.peak is not None
    ]
    own.sort(key=lambda image: image.number)
    ended: list[list[tuple[ImageResult, Box]]] = []
    going: list[list[tuple[ImageResult, Box]]] = []
    for image in own:
        here: list[list[tuple[ImageResult, Box]]] = []
        for box in image.pred_boxes or [_around_peak(image)]:
            met = [one for one in going if any(_overlap(box, b) for _, b in one[-LOOK_BACK:])]
            met += [one for one in here if any(_overlap(box, b) for _, b in one[-LOOK_BACK:])]
            chain = [link for one in met for link in one]
            going = [one for one in going if one not in met]
            here = [one for one in here if one not in met]
            here.append([*chain, (image, box)])
        ended += going
        going = here
    for chain in [*ended, *going]:
        yield _part(run, chain, space)


def joined_parts(parts: Iterable[HotPart]) -> list[HotPart]:
    """Return parts, those on different axes that meet as one, the highest score first."""
    found: list[HotPart] = []
    for part in sorted(parts, key=lambda one: one.score, reverse=True):
        met = next(
            (one for one in found if meet(one, part) and not {*one.axes} & {*part.axes}), None
        )
        if met is None:
            found.append(part)
            continue
        z0, y0, x0 = map(max, met.start, part.start)
        z1, y1, x1 = map(min, met.stop, part.stop)
        inside = zip((z0, y0, x0), met.peak, (z1, y1, x1), strict=True)
        found[found.index(met)] = met._replace(
            axes=(*met.axes, *part.axes),
            start=(z0, y0, x0),
            stop=(z1, y1, x1),
            peak=Voxel(*(max(first, min(past - 1, at)) for first, at, past in inside)),
        )
    return found


def meet(one: HotPart, other: HotPart | DefectBody) -> bool:
    """Return whether two boxes have voxels in common."""
    ends = zip(one.start, one.stop, other.start, other.stop, strict=True)
    return all(a < d and c < b for a, b, c, d in ends)


def _part(run: SliceRun, chain: Sequence[tuple[ImageResult, Box]], space: Space) -> HotPart:
    axis: Axis = run.axis or "z"
    rows, columns = PLANES[axis]
    middle = (run.first + run.last) / 2

    def heat(link: tuple[ImageResult, Box]) -> tuple[bool, float, float]:
        # Of slices that are as hot, the one in the middle.
        image, box = link
        return _holds_peak(image, box), image.pred_score or 0.0, -abs(image.number - middle)

    scaled = []
    for image, box in chain:
        across, down = _scale(image, axis, space)
        scaled.append(
            (box.y * down, (box.y + box.h) * down, box.x * across, (box.x + box.w) * across)
        )
    tops, bottoms, lefts, rights = zip(*scaled, strict=True)
    numbers = [image.number for image, _ in chain]
    ends = {
        axis: (min(numbers), max(numbers) + 1),
        rows: _whole(min(tops), max(bottoms)),
        columns: _whole(min(lefts), max(rights)),
    }
    hottest, box = max(chain, key=heat)
    across, down = _scale(hottest, axis, space)
    place = box.x + box.w / 2, box.y + box.h / 2
    if hottest.peak is not None and _holds_peak(hottest, box):
        place = hottest.peak.x + 0.5, hottest.peak.y + 0.5
    peak = space.voxel(axis, hottest.number, (place[0] * across, place[1] * down))
    (z0, y0, x0), (z1, y1, x1) = ([ends[name][end] for name in AXES] for end in (0, 1))
    return HotPart(run.defect_type, run.score, (axis,), (z0, y0, x0), (z1, y1, x1), peak)


def _whole(first: float, past: float) -> tuple[int, int]:
    return math.floor(first), max(math.floor(first) + 1, round(past))


def _scale(image: ImageResult, axis: Axis, space: Space) -> tuple[float, float]:
    rows, columns = space.size(axis)
    return columns / (image.width or columns), rows / (image.height or rows)


def _holds_peak(image: ImageResult, box: Box) -> bool:
    peak = image.peak
    return peak is not None and box.x <= peak.x < box.x + box.w and box.y <= peak.y < box.y + box.h


def _around_peak(image: ImageResult) -> Box:
    peak = image.peak
    assert peak is not None
    side = 2 * PEAK_REACH
    return Box(x=max(0, peak.x - PEAK_REACH), y=max(0, peak.y - PEAK_REACH), w=side, h=side)


def _overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.w
        and other.x < one.x + one.w
        and one.y < other.y + other.h
        and other.y < one.y + one.h
    )
