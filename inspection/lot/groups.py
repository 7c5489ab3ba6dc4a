"""Sort a lot's files into sources: the images of one modality of one battery."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from inspection.errors import ConfigError
from inspection.lot.config import LotConfig
from inspection.lot.filenames import (
    AXES,
    NameParts,
    SourceName,
    axis_in,
    battery_id_of,
    parse_stem,
    source_at_start,
)
from inspection.lot.findings import Findings
from inspection.lot.folders import PART_NAME, Folder
from inspection.lot.numbering import (
    MOST_DIGITS,
    number_axis,
    without_bracket,
    without_copy_mark,
    without_copy_marks,
)
from inspection.lot.places import Named, Place, batteries_by_folder, plain_place, volume_place
from inspection.names import legible, told_name
from inspection.records import Axis, BatteryType, Form, Modality
from inspection.volumes.finding import FoundVolume

LONGEST_MATCHING_S = 120.0
"""For all names of a lot together, a pattern: a good one needs a second for 200,000."""
_FORMATS = {"jpeg": "jpg", "tiff": "tif"}
_LOSS = ("tif", "png", "bmp", "jpg")
"""Formats of images, the one that loses least and may be deepest first."""


class FoundImage(NamedTuple):
    """An image and what its name and place say.

    ``number`` is None until its axis is sorted, and after that for a slice whose name has none.
    ``title`` is its name without suffix and copy mark, the same for all copies of one slice.
    A volume is one image here; ``name`` is that of its first file.
    """

    folder: Folder
    name: str
    axis: Axis | None
    number: int | None
    battery_type: BatteryType | None
    form: Form | None
    title: str
    volume: FoundVolume | None = None

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return self.name[: self.name.rfind(".")]

    @property
    def format(self) -> str:
        """The format that the suffix stands for."""
        suffix = self.name[self.name.rfind(".") + 1 :].lower()
        return _FORMATS.get(suffix, suffix)


@dataclass(slots=True)
class ImageGroup:
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


def group_images(
    folders: Iterable[Folder], root_name: str, config: LotConfig, findings: Findings
) -> list[ImageGroup]:
    """Return the sources of a lot, their images sorted and without duplicates.

    Order of trust: the site's patterns, then the published file names, then the folders
    ``ct`` and ``rgb``. A battery folder whose files are mostly freely named, or whose file
    names disagree on the number, counts by its folder even for files in the published naming.
    """
    grouper = _Grouper(root_name, config, findings)
    folders = list(folders)
    with_views = {f.parts[:-1] for f in folders if f.parts and f.parts[-1].lower() == "rgb"}
    parsed: list[tuple[Folder, Place | None, Named]] = []
    for folder in folders:
        left = grouper.take_by_pattern(folder)
        volumes = [name for name in left if name in folder.volumes]
        names = [name for name in left if name not in folder.volumes] if volumes else left
        if names:
            named: Named = [(name, _parsed(name[: name.rfind(".")])) for name in names]
            parsed.append((folder, plain_place(folder), named))
        for name in volumes:
            place = plain_place(folder) or volume_place(folder, name, with_views)
            problem = folder.volumes[name].problem
            if place is None and problem is not None:
                findings.add(folder.path / name, problem)
                continue
            parsed.append((folder, place, [(name, _parsed_volume(folder.volumes[name]))]))
    by_folder = batteries_by_folder(parsed)
    for folder, place, named in parsed:
        if place is not None and place.battery in by_folder:
            grouper.take_by_folder(folder, place, named)
        else:
            grouper.take_by_name(folder, named)
    for source in grouper.sources.values():
        _number_and_sort(source)
    return list(grouper.sources.values())


class _Grouper:
    def __init__(self, root_name: str, config: LotConfig, findings: Findings) -> None:
        self.sources: dict[Hashable, ImageGroup] = {}
        self._root_name = root_name
        self._patterns = config.patterns
        self._seconds = [0.0] * len(config.patterns)
        self._findings = findings

    def take_by_pattern(self, folder: Folder) -> list[str]:
        """Take the files that a site pattern names; return the others."""
        names = [*folder.images, *folder.volumes]
        if not self._patterns:
            return names
        left = []
        above = legible("".join(f"{part}/" for part in folder.parts))
        for name in names:
            stem, dot, suffix = legible(name).rpartition(".")
            if not dot:
                # A file of a DICOM series may have no suffix.
                stem, suffix = suffix, ""
            # A copy bears the name of its original where no pattern knows its own.
            plain = without_copy_mark(stem)
            for called in dict.fromkeys((stem, plain, without_bracket(plain))):
                if self._take(folder, name, f"{above}{called}{dot}{suffix}"):
                    break
            else:
                left.append(name)
        return left

    def _take(self, folder: Folder, name: str, path: str) -> bool:
        """Take a file that is called ``path`` below the lot, if a site pattern knows it."""
        for place, pattern in enumerate(self._patterns):
            started = time.monotonic()
            match = pattern.match(path)
            self._seconds[place] += time.monotonic() - started
            if self._seconds[place] > LONGEST_MATCHING_S:
                raise ConfigError("lot_pattern_slow", pattern=pattern.name, path=path)
            modality = pattern.modality_of(match) if match else None
            if match is None or modality is None or not match["battery"]:
                continue
            groups = match.groupdict()
            axis = (groups.get("axis") or "").lower()
            kind = (groups.get("type") or "").lower()
            number = groups.get("number") or ""
            is_number = number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS
            image = FoundImage(
                folder,
                name,
                axis=cast(Axis, axis) if axis in AXES else None,
                number=int(number) if is_number else None,
                battery_type=cast(BatteryType, kind) if kind in {"cell", "module"} else None,
                form=None,
                title=_title(name),
                volume=folder.volumes.get(name),
            )
            battery = match["battery"]
            pairing_id = battery_id_of(battery)
            # 1 and 01 share a number; whether they are one battery is not known here.
            key = ("site", modality, battery, image.battery_type)
            self._add(key, modality, battery, pairing_id, [image])
            return True
        return False

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

    def take_by_folder(self, folder: Folder, place: Place, named: Named) -> None:
        """Take all files of a ``ct`` or ``rgb`` folder for the battery above it."""
        where = tuple(part for part in place.battery if not PART_NAME.fullmatch(part))
        source_id = told_name(where[-1]) if where else self._root_name
        images = [
            _named_image(folder, name, parts)
            if parts is not None
            else FoundImage(
                folder, name, place.axis, None, None, None, _title(name), folder.volumes.get(name)
            )
            for name, parts in named
        ]
        key = ("folder", place.modality, where)
        pairing_id = told_name("/".join(where)) or source_id
        self._add(key, place.modality, source_id, pairing_id, images)

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
            source = ImageGroup(modality, source_id, pairing_id, str(key[0]), None, None)
            self.sources[key] = source
        source.battery_type = source.battery_type or next(
            (image.battery_type for image in images if image.battery_type), None
        )
        source.form = source.form or next((image.form for image in images if image.form), None)
        source.images += images


def _named_image(folder: Folder, name: str, parts: NameParts) -> FoundImage:
    said = parts.source
    number, title = parts.number, _title(name)
    volume = folder.volumes.get(name)
    return FoundImage(folder, name, parts.axis, number, said.battery_type, said.form, title, volume)


def _title(name: str) -> str:
    return legible(name[: name.rfind(".")])


def _parsed(stem: str) -> NameParts | None:
    """Return what a name says in the published naming; a copy says what its original does."""
    parts = parse_stem(stem)
    if parts is None and source_at_start(stem) is not None:
        plain = without_copy_mark(legible(stem))
        parts = parse_stem(plain) or parse_stem(without_bracket(plain))
    return parts


def _parsed_volume(volume: FoundVolume) -> NameParts | None:
    """Return what a volume's name says in the published naming, which numbers slices only."""
    said = source_at_start(volume.files[0]) or source_at_start(volume.title)
    return NameParts(said, None, 0) if said else None


def _number_and_sort(source: ImageGroup) -> None:
    """Give every image its axis, number and title; sort by them, of copies the best first."""
    by_axis: dict[Axis | None, list[FoundImage]] = defaultdict(list)
    volumes = [image for image in source.images if image.volume is not None]
    for image in source.images:
        if image.volume is not None:
            continue
        axis = image.axis
        if source.modality == "ct":
            # A slice without a recognisable axis counts as z, the stacking direction.
            axis = axis or (axis_in(image.title) if image.number is None else None) or "z"
        by_axis[axis].append(image)
    source.images = []
    for axis, images in by_axis.items():
        numbers = [image.number for image in images]
        if None not in numbers and len(set(numbers)) == len(numbers):
            # Most axes of a large lot: their names have said it all.
            found_here = sorted(images, key=lambda image: image.number or 0)
            source.images += [image._replace(axis=axis) for image in found_here]
            continue
        titles = without_copy_marks([image.title for image in images])
        if None in numbers:
            folders = [image.folder.parts for image in images]
            numbers = number_axis(titles, folders, source.modality)
        # Stored in several formats, a stack is judged in the one that most of it has: a grey window
        # holds for one. Of equally many the one that loses least.
        often = Counter(image.format for image in images)
        found = []
        for image, title, number in zip(images, titles, numbers, strict=True):
            copied = title != image.title
            rank = (copied, -often[image.format], _LOSS.index(image.format))
            placed = image._replace(axis=axis, number=number, title=title)
            found.append(
                (number is None, number or 0, rank, image.folder.parts, image.name, placed)
            )
        source.images += [entry[-1] for entry in sorted(found, key=lambda entry: entry[:-1])]
    source.images.sort(key=lambda image: image.axis or "")
    source.images += volumes
