"""A battery's CT as a volume: which one it is, and the slices that the recipe cuts out of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from inspection.errors import ImageError
from inspection.lot.findings import Findings
from inspection.lot.groups import FoundImage, ImageGroup
from inspection.lot.label_index import LabelIndex
from inspection.messages import Message
from inspection.names import told_name
from inspection.records import SMALLEST_SIDE, Axis, BatteryType, Form, ImageRef, Section, VolumeRef
from inspection.volumes.config import VolumesConfig
from inspection.volumes.finding import FoundVolume
from inspection.volumes.opening import read_info
from inspection.volumes.planes import AXES, Space
from inspection.volumes.volume import VolumeInfo


class _Opened(NamedTuple):
    image: FoundImage
    volume: FoundVolume
    info: VolumeInfo | None
    problem: Message | None

    @property
    def voxels(self) -> int:
        return math.prod(self.info.shape) if self.info else 0


class VolumeSlices(NamedTuple):
    """What a volume gives a battery.

    Parameters
    ----------
    refs : its slices, in the order in which a volume is read quickest; empty where pictures
        beside it are inspected instead
    lost : what was left out of the battery, or cannot be trusted
    pictures : of the source, those that are inspected; none where the volume is
    """

    refs: tuple[ImageRef, ...]
    lost: tuple[Message, ...]
    pictures: list[FoundImage]


def volume_slices(
    source: ImageGroup,
    battery_id: str,
    labels: LabelIndex,
    recipe: VolumesConfig,
    findings: Findings,
) -> VolumeSlices:
    """Return the slices of a source's volume.

    One CT is inspected: of several volumes the largest, of a volume and pictures beside it the one
    that has more slices. What is left out is a finding, and the battery at best ``review``.

    Parameters
    ----------
    source : with at least one volume among its images
    labels : of the lot; those of planes that are inspected are referred to
    """
    opened = [_open(image, image.volume) for image in source.images if image.volume is not None]
    pictures = [image for image in source.images if image.volume is None]
    lost: list[Message] = []
    chosen = max(opened, key=lambda one: one.voxels)
    depth = max(chosen.info.shape) if chosen.info else 0
    use_pictures = len(pictures) > depth
    for one in opened:
        folder, name = one.image.folder.path, told_name(one.volume.files[0])
        for message in _said_of(one, name, chosen if not use_pictures else None):
            findings.add(folder / one.volume.files[0], message, battery_id)
            # What cannot be opened fails where it is inspected, with the same words.
            if one is not chosen or one.info is not None or use_pictures:
                lost.append(message)
    if use_pictures:
        return VolumeSlices((), tuple(lost), pictures)
    for picture in pictures:
        code = "lot_slice_beside_volume"
        findings.add_file(code, picture.folder.path, told_name(picture.name), battery_id)
    if pictures:
        params: dict[str, str | int | float] = {
            "name": told_name(chosen.volume.files[0]),
            "count": len(pictures),
        }
        lost.append(Message(code="lot_slices_left_out", params=params))
    battery_type, form = source.battery_type, source.form
    refs = plane_refs(chosen.volume.ref, chosen.info, recipe, battery_id, battery_type, form)
    return VolumeSlices(_labelled(refs, chosen, labels, findings), tuple(lost), [])


def plane_refs(
    volume: VolumeRef,
    info: VolumeInfo | None,
    recipe: VolumesConfig,
    battery_id: str,
    battery_type: BatteryType | None = None,
    form: Form | None = None,
) -> tuple[ImageRef, ...]:
    """Return references to the planes that are inspected of a volume.

    Planes that are too narrow to show anything are none. Of a volume that cannot be opened, and of
    one that is too small in all directions, its first plane stands for all: who opens it is told
    the reason.

    Parameters
    ----------
    info : None where it cannot be opened
    """
    places: list[tuple[Axis, int]] = []
    # As they are stored first: planes across the others may have to be laid out before.
    space = Space(info.shape) if info is not None else Space((0, 0, 0))
    for axis in (a for a in AXES if a in recipe.axes):
        if min(space.size(axis)) >= SMALLEST_SIDE:
            numbers = range(0, space.length(axis), recipe.step_across(axis))
            places += [(axis, number) for number in numbers]
    return tuple(
        ImageRef(
            volume.path, "ct", battery_id, axis, number, battery_type, form, None,
            Section(volume, axis, number),
        )
        for axis, number in places or [("z", 0)]
    )  # fmt: skip


def _labelled(
    refs: tuple[ImageRef, ...], chosen: _Opened, labels: LabelIndex, findings: Findings
) -> tuple[ImageRef, ...]:
    """Return a volume's slices with their labels; where a labelled lot has none, it is told."""
    image, volume, info, _ = chosen
    if not labels or info is None:
        return refs
    published = image.form is not None
    found = labels.of_planes(image.folder, volume.ref, info.shape, published=published)
    kept = tuple(ref._replace(label_path=found.get((ref.axis or "z", ref.number))) for ref in refs)
    missing = [ref for ref in kept if ref.label_path is None]
    # Of a volume without any, once: not for each of a thousand planes.
    names = [ref.file_name for ref in missing] if len(missing) < len(kept) else [image.name]
    for name in names if missing else ():
        findings.add_file(
            "lot_image_unlabelled", image.folder.path, told_name(name), kept[0].battery_id
        )
    return kept


def _open(image: FoundImage, volume: FoundVolume) -> _Opened:
    try:
        return _Opened(image, volume, read_info(volume.ref), volume.problem)
    except ImageError as error:
        return _Opened(image, volume, None, volume.problem or error.message)


def _said_of(one: _Opened, name: str, chosen: _Opened | None) -> Sequence[Message]:
    """Return what is odd about a volume of a battery, and that it is left out where it is."""
    odd = [one.problem] if one.problem is not None else []
    if one is chosen:
        return [*odd, *(w for w in (one.info.warnings if one.info else ()) if w not in odd)]
    if odd:
        return odd
    if chosen is None:
        return [Message(code="lot_volume_beside_slices", params={"name": name})]
    first = told_name(chosen.volume.files[0])
    return [Message(code="lot_volume_second", params={"name": name, "other": first})]
