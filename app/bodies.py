"""Defects as bodies in space: runs of slices on different axes that meet are one. No Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inspection.records import Axis, Rect
from inspection.results import BatteryResult, ImageResult, SliceRun
from inspection.volumes.planes import AXES, PLANES, Space, Voxel

Extent = tuple[int, int]
"""First number along an axis, and the one after the last."""


@dataclass(frozen=True, slots=True)
class Body:
    """A defect in space.

    Parameters
    ----------
    defect_type : its class
    score : of its best run
    extents : along each axis; what no slice tells is the whole of it
    peak : where it is hottest, to go to
    runs : that make it, the best first
    """

    defect_type: str
    score: float
    extents: Mapping[Axis, Extent]
    peak: Voxel
    runs: tuple[SliceRun, ...]

    def on_plane(self, axis: Axis, number: int) -> tuple[float, float, float, float] | None:
        """Return (x, y, w, h) of what a plane cuts out of it; None where it passes by."""
        first, end = self.extents[axis]
        if not first <= number < end:
            return None
        (top, bottom), (left, right) = (self.extents[name] for name in PLANES[axis])
        return left, top, right - left, bottom - top


def bodies_of(result: BatteryResult | None, space: Space) -> tuple[Body, ...]:
    """Return the bodies of a battery, the highest score first.

    A run is exact along its axis, where the slices count, and as wide as heat is across it. So
    of runs that meet a body is what they have in common.
    """
    if result is None:
        return ()
    bodies: list[Body] = []
    for run in sorted(result.runs, key=lambda one: one.score, reverse=True):
        made = _of_run(run, result.images, space)
        if made is None:
            continue
        met = next((body for body in bodies if _meet(body, made)), None)
        if met is None:
            bodies.append(made)
        else:
            bodies[bodies.index(met)] = _joined(met, made)
    return tuple(bodies)


def _of_run(run: SliceRun, images: Sequence[ImageResult], space: Space) -> Body | None:
    axis: Axis = run.axis or "z"
    hot = [
        image
        for image in images
        if image.modality == "ct"
        and image.axis == run.axis
        and run.first <= image.number <= run.last
        and image.peak is not None
        and image.width
        and image.height
    ]
    if not hot:
        return None
    middle = (run.first + run.last) / 2
    # Of slices that are as hot, the one in the middle.
    hottest = max(hot, key=lambda image: (image.pred_score or 0.0, -abs(image.number - middle)))
    rows, columns = space.size(axis)
    areas = []
    for image in hot:
        peak, width, height = image.peak, image.width, image.height
        assert peak is not None
        assert width is not None
        assert height is not None
        area = Rect(peak.x, peak.y, 1, 1)
        for box in image.pred_boxes:
            if box.x <= peak.x < box.x + box.w and box.y <= peak.y < box.y + box.h:
                area = Rect(box.x, box.y, box.w, box.h)
        across, down = columns / width, rows / height
        areas.append(
            (area.x * across, area.y * down, (area.x + area.w) * across, (area.y + area.h) * down)
        )
        if image is hottest:
            place = ((peak.x + 0.5) * across, (peak.y + 0.5) * down)
    lefts, tops, rights, bottoms = zip(*areas, strict=True)
    named = PLANES[axis]
    extents: dict[Axis, Extent] = {
        axis: (run.first, run.last + 1),
        named[0]: (int(min(tops)), max(int(min(tops)) + 1, round(max(bottoms)))),
        named[1]: (int(min(lefts)), max(int(min(lefts)) + 1, round(max(rights)))),
    }
    found = space.voxel(axis, hottest.number, place)
    return Body(run.defect_type, run.score, extents, found, (run,))


def _meet(one: Body, other: Body) -> bool:
    return all(
        one.extents[axis][0] < other.extents[axis][1]
        and other.extents[axis][0] < one.extents[axis][1]
        for axis in AXES
    )


def _joined(better: Body, other: Body) -> Body:
    extents = {
        axis: (
            max(better.extents[axis][0], other.extents[axis][0]),
            min(better.extents[axis][1], other.extents[axis][1]),
        )
        for axis in AXES
    }
    inside = [max(ends[0], min(ends[1] - 1, better.peak.along(a))) for a, ends in extents.items()]
    runs = (*better.runs, other.runs[0])
    return Body(better.defect_type, better.score, extents, Voxel(*inside), runs)
