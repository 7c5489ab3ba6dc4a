"""Defects as bodies in a volume: heat says where they are, voxels how large."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from inspection.classes import class_table
from inspection.errors import ImageError
from inspection.messages import Message
from inspection.records import Axis, ImageRef, VolumeRef
from inspection.results import Box, ImageResult, SliceRun
from inspection.volume_results import BodySize, DefectBody, VolumeSeen
from inspection.volumes.body_size import SizedBody, measure_bodies
from inspection.volumes.opening import open_volume
from inspection.volumes.planes import AXES, PLANES
from inspection.volumes.volume import Volume

MOST_PARTS = 40
"""Hot parts of a battery that are measured; with more it is not their sizes that count."""
PEAK_REACH = 8
"""Pixels around a peak that are looked at where heat has no box."""


class HotPart(NamedTuple):
    """A part of a volume that is hot over neighbouring slices: a box, (z, y, x)."""

    defect_type: str
    start: tuple[int, int, int]
    stop: tuple[int, int, int]


def volume_of(slices: Sequence[ImageRef]) -> VolumeRef | None:
    """Return the volume that a battery's slices are planes of, the most of them; None without."""
    found = Counter(ref.section.volume for ref in slices if ref.section is not None)
    return found.most_common(1)[0][0] if found else None


def measure_defects(
    slices: Sequence[ImageRef], images: Sequence[ImageResult], runs: Sequence[SliceRun]
) -> tuple[list[DefectBody], VolumeSeen | None]:
    """Return the bodies of a battery's runs with their sizes, and the volume that they are in.

    Nothing where the slices are no planes of a volume. What heat has found more than once, on
    several axes, is one body. What cannot be measured is told with the reason.

    Parameters
    ----------
    slices : of the battery
    images : what was found on them
    runs : of those over the threshold
    """
    ref = volume_of(slices)
    if ref is None:
        return [], None
    try:
        volume = open_volume(ref)
        info = volume.info
    except ImageError:
        # Its slices have failed with this very reason.
        return [], None
    seen = VolumeSeen(shape=info.shape, voxel_mm=info.voxel_mm, format=info.format)
    measured: list[SizedBody] = []
    bodies: list[DefectBody] = []
    parts = [part for run in runs for part in hot_parts(run, images)]
    for number, part in enumerate(parts):
        found: list[SizedBody] = []
        greys = class_table().rows[part.defect_type].greys
        code = "defect_size_unclear"
        if greys is None:
            code = "defect_size_unknown_greys"
        elif number >= MOST_PARTS:
            code = "defect_size_too_many"
        else:
            try:
                found = measure_bodies(volume, part.start, part.stop, greys)
            except ImageError as error:
                bodies.append(_unmeasured(part, error.message))
                continue
        if not found:
            bodies.append(_unmeasured(part, Message(code=code)))
        for body in found:
            if not any(other.holds(body.deepest) for other in measured):
                measured.append(body)
                bodies.append(_measured(part.defect_type, body, volume))
    return bodies, seen


def hot_parts(run: SliceRun, images: Sequence[ImageResult]) -> Iterator[HotPart]:
    """Yield what is hot in a run: boxes that lie over each other on neighbouring slices are one."""
    axis: Axis = run.axis or "z"
    own = [
        image
        for image in images
        if image.modality == "ct"
        and image.axis == run.axis
        and run.first <= image.number <= run.last
        and image.peak is not None
    ]
    own.sort(key=lambda image: image.number)
    ended: list[list[tuple[int, Box]]] = []
    going: list[list[tuple[int, Box]]] = []
    for image in own:
        here: list[list[tuple[int, Box]]] = []
        for box in image.pred_boxes or [_around_peak(image)]:
            met = [chain for chain in going if any(_overlap(box, b) for _, b in chain[-3:])]
            met += [chain for chain in here if any(_overlap(box, b) for _, b in chain[-3:])]
            chain = [link for one in met for link in one]
            going = [one for one in going if one not in met]
            here = [one for one in here if one not in met]
            here.append([*chain, (image.number, box)])
        ended += going
        going = here
    for chain in [*ended, *going]:
        numbers = [number for number, _ in chain]
        rows = [(box.y, box.y + box.h) for _, box in chain]
        columns = [(box.x, box.x + box.w) for _, box in chain]
        ends = {
            axis: (min(numbers), max(numbers) + 1),
            PLANES[axis][0]: (min(a for a, _ in rows), max(b for _, b in rows)),
            PLANES[axis][1]: (min(a for a, _ in columns), max(b for _, b in columns)),
        }
        (z0, z1), (y0, y1), (x0, x1) = (ends[name] for name in AXES)
        yield HotPart(run.defect_type, (z0, y0, x0), (z1, y1, x1))


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


def _unmeasured(part: HotPart, problem: Message) -> DefectBody:
    z, y, x = ((a + b) // 2 for a, b in zip(part.start, part.stop, strict=True))
    return DefectBody(
        defect_type=part.defect_type,
        start=part.start,
        stop=part.stop,
        place=(z, y, x),
        problem=problem,
    )


def _measured(defect_type: str, body: SizedBody, volume: Volume) -> DefectBody:
    size = BodySize(voxels=body.voxels, error=body.error, length=body.length(), area=body.area())
    edges = volume.info.voxel_mm
    if edges is not None:
        in_mm = {
            "length_mm": body.length(edges),
            "area_mm2": body.area(edges),
            "volume_mm3": body.voxels * edges[0] * edges[1] * edges[2],
            "edge_mm": max(edges),
        }
        size = size.model_copy(update=in_mm)
    return DefectBody(
        defect_type=defect_type, start=body.start, stop=body.stop, place=body.deepest, size=size
    )
