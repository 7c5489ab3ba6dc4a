"""Sort a lot's files into sources: the images of one modality of one battery."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from inspection.lot.config import LotConfig
from inspection.lot.filenames import (
    AXES,
    NameParts,
    SourceName,
    axis_in,
    battery_id_of,
    natural_key,
    numbers_of,
    parse_stem,
)
from inspection.lot.findings import Findings
from inspection.lot.folders import PART_NAME, Folder
from inspection.records import MODALITIES, Axis, BatteryType, Form, Modality


class FoundImage(NamedTuple):
    """An image and what its name and place say; ``number`` is None until its axis is sorted."""

    folder: Folder
    name: str
    axis: Axis | None
    number: int | None
    battery_type: BatteryType | None
    form: Form | None

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return self.name[: self.name.rfind(".")]


@dataclass(slots=True)
class Source:
    """All images of one modality of one battery.

    Parameters
    ----------
    source_id : as its files or folder call it, e.g. ``CT_module_pouch_044``
    pairing_id : what the other modality's source has to share, e.g. ``044``
    family : sources pair by id only within a layout
    """

    modality: Modality
    source_id: str
    pairing_id: str
    family: str
    battery_type: BatteryType | None
    form: Form | None
    images: list[FoundImage] = field(default_factory=list)


class _PlainPlace(NamedTuple):
    """Where a file lies in ``LOT/{battery}/ct/…``: ``battery`` is the path above ``ct``."""

    battery: tuple[str, ...]
    modality: Modality
    axis: Axis | None


Named = list[tuple[str, NameParts | None]]
"""Names in a folder, with what they say in the published naming."""


def group_images(
    folders: Iterable[Folder], root_name: str, config: LotConfig, findings: Findings
) -> list[Source]:
    """Return the sources of a lot, their images sorted and without duplicates.

    Order of trust: the site's patterns, then the published file names, then the folders
    ``ct`` and ``rgb``. A battery folder whose files are mostly freely named, or whose file
    names disagree on the number, counts by its folder even for files in the published naming.
    """
    grouper = _Grouper(root_name, config, findings)
    rest = [(folder, grouper.take_by_pattern(folder)) for folder in folders]
    parsed: list[tuple[Folder, Named]] = [
        (folder, [(name, parse_stem(name[: name.rfind(".")])) for name in names])
        for folder, names in rest
        if names
    ]
    by_folder = _batteries_by_folder(parsed)
    for folder, named in parsed:
        place = _plain_place(folder)
        if place is not None and place.battery in by_folder:
            grouper.take_by_folder(folder, place, named)
        else:
            grouper.take_by_name(folder, named)
    for source in grouper.sources.values():
        _number_and_sort(source)
    return list(grouper.sources.values())


class _Grouper:
    def __init__(self, root_name: str, config: LotConfig, findings: Findings) -> None:
        self.sources: dict[Hashable, Source] = {}
        self._root_name = root_name
        self._patterns = config.patterns
        self._findings = findings

    def take_by_pattern(self, folder: Folder) -> list[str]:
        """Take the files that a site pattern names; return the others."""
        if not self._patterns:
            return folder.images
        left = []
        above = "".join(f"{part}/" for part in folder.parts)
        for name in folder.images:
            for pattern in self._patterns:
                match = pattern.compiled.fullmatch(above + name)
                modality = pattern.modality_of(match) if match else None
                if match is None or modality is None or not match["battery"]:
                    continue
                groups = match.groupdict()
                axis = (groups.get("axis") or "").lower()
                kind = (groups.get("type") or "").lower()
                number = groups.get("number") or ""
                image = FoundImage(
                    folder,
                    name,
                    axis=cast(Axis, axis) if axis in AXES else None,
                    number=int(number) if number.isascii() and number.isdigit() else None,
                    battery_type=cast(BatteryType, kind) if kind in {"cell", "module"} else None,
                    form=None,
                )
                pairing_id = battery_id_of(match["battery"])
                key = ("site", modality, pairing_id, image.battery_type)
                self._add(key, modality, match["battery"], pairing_id, [image])
                break
            else:
                left.append(name)
        return left

    def take_by_name(self, folder: Folder, named: Named) -> None:
        """Take the files in the published naming; report the others."""
        by_name: dict[SourceName, list[FoundImage]] = defaultdict(list)
        for name, parts in named:
            if parts is None:
                self._findings.add_file("lot_name_unknown", folder.path, name)
            else:
                by_name[parts.source].append(_named_image(folder, name, parts))
        for said, images in by_name.items():
            key = ("name", said.modality, said.battery_number, said.battery_type)
            pairing_id = battery_id_of(str(said.battery_number))
            self._add(key, said.modality, said.text, pairing_id, images)

    def take_by_folder(self, folder: Folder, place: _PlainPlace, named: Named) -> None:
        """Take all files of a ``ct`` or ``rgb`` folder for the battery above it."""
        where = tuple(part for part in place.battery if not PART_NAME.fullmatch(part))
        source_id = where[-1] if where else self._root_name
        images = [
            _named_image(folder, name, parts)
            if parts is not None
            else FoundImage(folder, name, place.axis, None, None, None)
            for name, parts in named
        ]
        key = ("folder", place.modality, where)
        self._add(key, place.modality, source_id, "/".join(where) or source_id, images)

    def _add(
        self,
        key: tuple[object, ...],
        modality: Modality,
        source_id: str,
        pairing_id: str,
        images: list[FoundImage],
    ) -> None:
        source = self.sources.get(key)
        if source is None:
            source = Source(modality, source_id, pairing_id, str(key[0]), None, None)
            self.sources[key] = source
        source.battery_type = source.battery_type or next(
            (image.battery_type for image in images if image.battery_type), None
        )
        source.form = source.form or next((image.form for image in images if image.form), None)
        source.images += images


def _named_image(folder: Folder, name: str, parts: NameParts) -> FoundImage:
    said = parts.source
    return FoundImage(folder, name, parts.axis, parts.number, said.battery_type, said.form)


def _plain_place(folder: Folder) -> _PlainPlace | None:
    for index in reversed(range(len(folder.parts))):
        word = folder.parts[index].lower()
        if word in MODALITIES:
            below = [part.lower() for part in folder.parts[index + 1 :]]
            axis = next((part for part in below if part in AXES), None)
            return _PlainPlace(folder.parts[:index], word, cast(Axis, axis))
    return None


def _batteries_by_folder(parsed: list[tuple[Folder, Named]]) -> set[tuple[str, ...]]:
    """Return the battery folders of the plain layout, as paths below the lot."""
    found: dict[tuple[str, ...], dict[Modality, list[NameParts | None]]] = {}
    for folder, named in parsed:
        place = _plain_place(folder)
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


def _number_and_sort(source: Source) -> None:
    """Give freely named images axis and number, then sort by axis, number and path."""
    unplaced = any(image.number is None for image in source.images)
    if unplaced or (source.modality == "ct" and any(i.axis is None for i in source.images)):
        by_axis: dict[Axis | None, list[FoundImage]] = defaultdict(list)
        for image in source.images:
            axis: Axis | None = None
            if source.modality == "ct":
                # A slice without a recognisable axis counts as z, the stacking direction.
                axis = image.axis or (axis_in(image.stem) if image.number is None else None) or "z"
            by_axis[axis].append(image._replace(axis=axis))
        source.images = []
        for images in by_axis.values():
            if any(image.number is None for image in images):
                images.sort(key=lambda image: (image.folder.parts, natural_key(image.name)))
                numbers = numbers_of([image.stem for image in images])
                for place, number in enumerate(numbers):
                    images[place] = images[place]._replace(number=number)
            source.images += images
    source.images.sort(
        key=lambda image: (image.axis or "", image.number, image.folder.parts, image.name)
    )
