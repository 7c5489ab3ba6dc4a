"""Where a file lies tells which battery it is of: ``LOT/{battery}/ct/…``, or beside ``rgb``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

from inspection.lot.filenames import AXES, NameParts
from inspection.lot.folders import Folder
from inspection.records import MODALITIES, Axis, Modality


class Place(NamedTuple):
    """Where a file lies in ``LOT/{battery}/ct/…``: ``battery`` is the path above ``ct``."""

    battery: tuple[str, ...]
    modality: Modality
    axis: Axis | None


Named = list[tuple[str, NameParts | None]]
"""Names in a folder, with what they say in the published naming."""


def plain_place(folder: Folder) -> Place | None:
    """Return what the folders ``ct`` and ``rgb`` say of a folder's files; None outside of them."""
    for index in reversed(range(len(folder.parts))):
        word = folder.parts[index].lower()
        if word in MODALITIES:
            below = [part.lower() for part in folder.parts[index + 1 :]]
            axis = next((part for part in below if part in AXES), None)
            return Place(folder.parts[:index], word, cast(Axis, axis))
    return None


def batteries_by_folder(
    parsed: list[tuple[Folder, Place | None, Named]],
) -> set[tuple[str, ...]]:
    """Return the battery folders of the plain layout, as paths below the lot."""
    found: dict[tuple[str, ...], dict[Modality, list[NameParts | None]]] = {}
    for _, place, named in parsed:
        if place is not None:
            files = found.setdefault(place.battery, {}).setdefault(place.modality, [])
            files.extend(parts for _, parts in named)
    return {place for place, by_modality in found.items() if _is_one(by_modality.values())}


def _is_one(folders: Iterable[list[NameParts | None]]) -> bool:
    """Return whether the files of a folder's modalities are one battery, whatever they say."""
    numbers: set[int] = set()
    freely_named = False
    for files in folders:
        named = [parts.source for parts in files if parts is not None]
        if len({(said.battery_number, said.battery_type) for said in named}) > 1:
            return False
        numbers |= {said.battery_number for said in named[:1]}
        freely_named |= len(named) * 2 <= len(files)
    return freely_named or len(numbers) > 1


def volume_place(folder: Folder, name: str, with_views: set[tuple[str, ...]]) -> Place | None:
    """Return which battery a volume outside of ``ct`` is of, where its name does not say it.

    The one whose ``rgb`` lies beside it or above; else that of its folder, or, where several files
    in a folder are a volume each, one of its own. None for data without a header, which may be
    anything.
    """
    parts, volume = folder.parts, folder.volumes[name]
    for depth in range(len(parts), 0 if parts else -1, -1):
        if parts[:depth] in with_views:
            return Place(parts[:depth], "ct", None)
    if volume.problem is not None and volume.problem.code == "volume_raw_alone":
        return None
    series = any(one.ref.path == folder.path for one in folder.volumes.values())
    if len(folder.volumes) > 1 and not series:
        return Place((*parts, volume.title), "ct", None)
    return Place(parts, "ct", None)
