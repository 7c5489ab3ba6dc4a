"""Defects as bodies in a volume: heat says where they are, voxels how large."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from inspection.classes import class_table
from inspection.errors import ImageError
from inspection.messages import Message
from inspection.records import ImageRef, VolumeRef
from inspection.results import ImageResult, SliceRun
from inspection.volume_results import BodySize, DefectBody, VolumeSeen
from inspection.volumes.body_size import SizedBody, measure_bodies
from inspection.volumes.hot_parts import HotPart, hot_parts, joined_parts
from inspection.volumes.opening import open_volume
from inspection.volumes.planes import Space
from inspection.volumes.volume import Volume

MOST_PARTS = 40
"""Hot parts of a battery that are measured; with more it is not their sizes that count."""


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
    without: dict[str, tuple[Message, list[HotPart]]] = {}
    space = Space(info.shape)
    parts = [part for run in runs for part in hot_parts(run, images, space)]
    for number, part in enumerate(parts):
        found: list[SizedBody] = []
        problem: Message | None = None
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
                code, problem = error.message.code, error.message
        if not found:
            without.setdefault(code, (problem or Message(code=code), []))[1].append(part)
        for body in found:
            if not any(other.holds(body.deepest) for other in measured):
                measured.append(body)
                bodies.append(_measured(part.defect_type, body, volume))
    for why, unclear in without.values():
        # Told once, however many axes show it.
        bodies += [
            DefectBody(
                defect_type=part.defect_type,
                start=part.start,
                stop=part.stop,
                place=part.peak,
                problem=why,
            )
            for part in joined_parts(unclear)
        ]
    return bodies, seen


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
