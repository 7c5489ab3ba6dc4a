"""Defects as bodies in space: as they were measured, else where runs of slices meet. No Qt."""

from __future__ import annotations

from dataclasses import dataclass

from inspection.records import Axis
from inspection.results import BatteryResult
from inspection.volume_results import DefectBody
from inspection.volumes.hot_parts import HotPart, hot_parts, joined_parts, meet
from inspection.volumes.planes import AXES, PLANES, Space, Voxel

Extent = tuple[int, int]
"""First number along an axis, and the one after the last."""


@dataclass(frozen=True, slots=True)
class Body:
    """A defect in space.

    Parameters
    ----------
    defect_type : its class
    score : of its best run; None where no run is known
    axis : that its best run is along
    extents : along each axis
    peak : where it is most distinct, or hottest, to go to
    defect : what was measured; None where nothing was, as of separate pictures
    """

    defect_type: str
    score: float | None
    axis: Axis
    extents: dict[Axis, Extent]
    peak: Voxel
    defect: DefectBody | None = None

    def on_plane(self, axis: Axis, number: int) -> tuple[float, float, float, float] | None:
        """Return (x, y, w, h) of what a plane cuts out of it; None where it passes by."""
        first, end = self.extents[axis]
        if not first <= number < end:
            return None
        (top, bottom), (left, right) = (self.extents[name] for name in PLANES[axis])
        return left, top, right - left, bottom - top


def bodies_of(result: BatteryResult | None, space: Space) -> tuple[Body, ...]:
    """Return the bodies of a battery, the highest score first.

    Parameters
    ----------
    space : what the slices are planes of
    """
    if result is None:
        return ()
    parts = joined_parts(
        part for run in result.runs for part in hot_parts(run, result.images, space)
    )
    if not result.defects:
        return tuple(_body(part, part, None) for part in parts)
    found = [_body(one, _best_met(one, parts), one) for one in result.defects]
    return tuple(sorted(found, key=lambda body: body.score or 0.0, reverse=True))


def _best_met(defect: DefectBody, parts: list[HotPart]) -> HotPart | None:
    met = [part for part in parts if meet(part, defect)]
    return met[0] if met else None


def _body(box: HotPart | DefectBody, part: HotPart | None, defect: DefectBody | None) -> Body:
    extents = dict(zip(AXES, zip(box.start, box.stop, strict=True), strict=True))
    score, axis = (part.score, part.axes[0]) if part else (None, AXES[0])
    peak = Voxel(*box.place) if isinstance(box, DefectBody) else box.peak
    return Body(box.defect_type, score, axis, extents, peak, defect)
