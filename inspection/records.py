"""What a lot is made of: images, labels, batteries. Filled by ``lot.py``, read by everyone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, cast

from inspection.messages import Message
from inspection.names import told_name

Modality = Literal["ct", "rgb"]
MODALITIES: tuple[Modality, ...] = ("ct", "rgb")
Axis = Literal["x", "y", "z"]
BatteryType = Literal["cell", "module"]
Form = Literal["pouch", "cylindrical"]


SMALLEST_SIDE = 8
"""Pixels of an image; below it there is nothing to see."""


class Rect(NamedTuple):
    """A rectangle in source pixels."""

    x: int
    y: int
    w: int
    h: int


class VolumeRef(NamedTuple):
    """A CT volume by its place: what `inspection.volumes` opens.

    Parameters
    ----------
    path : the file, the header beside its data, or the folder of a series
    series : which one of a folder that holds several; empty where there is one
    """

    path: Path
    series: str = ""


class Section(NamedTuple):
    """A plane of voxels that serves as a slice.

    Voxels are numbered (z, y, x) from 0. Across z a slice has rows y and columns x, across y rows z
    and columns x, across x rows z and columns y.
    """

    volume: VolumeRef
    axis: Axis
    number: int


ImageSource = Path | Section
"""Where an image's pixels come from: a file of its own, or a plane of a volume."""


def source_path(source: ImageSource) -> Path:
    """Return the file, or what its volume is known by."""
    return source.volume.path if isinstance(source, Section) else source


def source_name(source: ImageSource) -> str:
    """Return the name of the file, and of the plane in it, as it can be told."""
    if isinstance(source, Section):
        return told_name(source.volume.path.name) + plane_suffix(source)
    return told_name(source.name)


class ImageRef(NamedTuple):
    """One image of a battery, known by its name only: a scan opens no image.

    A named tuple rather than a dataclass because a lot has 126,000 of them. Of a slice out of a
    volume, ``path`` is the volume's and ``section`` says which plane of it.
    """

    path: Path
    modality: Modality
    battery_id: str
    axis: Axis | None
    number: int
    battery_type: BatteryType | None
    form: Form | None
    label_path: Path | None
    section: Section | None = None

    @property
    def source(self) -> ImageSource:
        """Where its pixels come from."""
        return self.section or self.path

    @property
    def file_name(self) -> str:
        """The name of the file, and of the plane in it, as it can be told."""
        return source_name(self.source)


def image_name(ref: ImageRef, lot_root: Path) -> str:
    """Return an image's name in results: its path relative to the lot, with forward slashes.

    A plane of a volume is ``001/ct/volume.tif#z0123``, of one of several series in a folder
    ``001/ct#2/z0123``. Where the path is not UTF-8, the name is what `told_name` makes of it, and
    opens no file.
    """
    try:
        return told_name(ref.path.relative_to(lot_root).as_posix()) + plane_suffix(ref.section)
    except ValueError:
        return told_name(ref.path.as_posix()) + plane_suffix(ref.section)


def plane_suffix(section: Section | None) -> str:
    """Return what names a plane after its volume's name; nothing of a file of its own."""
    if section is None:
        return ""
    volume, axis, number = section
    series = f"{volume.series}/" if volume.series else ""
    return f"#{series}{axis}{number:04d}"


_PLANE = re.compile(r"(.*)#(?:([^/]+)/)?([xyz])([0-9]{4,})", re.DOTALL)


def named_source(root: Path, name: str) -> ImageSource:
    """Return the source that `image_name` has named: no image file is called as a plane is."""
    if (found := _PLANE.fullmatch(name)) is None:
        return root / name
    path, series, axis, number = found.groups()
    return Section(VolumeRef(root / path, series or ""), cast(Axis, axis), int(number))


def named_section(root: Path, name: str, axis: Axis | None, number: int) -> Section | None:
    """Return the plane that `image_name` has named, None of an image that is a file of its own.

    Parameters
    ----------
    root : of the lot
    axis, number : as a result has them beside the name
    """
    path, mark, plane = name.rpartition("#")
    series, slash, shown = plane.rpartition("/")
    if not mark or axis is None or shown != f"{axis}{number:04d}" or bool(series) != bool(slash):
        return None
    return Section(VolumeRef(root / path, series), axis, number)


@dataclass(frozen=True, slots=True)
class DefectPolygon:
    """A labelled defect: ``points`` are (x, y) in full-image pixels, at least three of them."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class ImageLabel:
    """A label file, cleaned; ``problems`` tells what was odd about it."""

    battery_number: int | None
    battery_type: BatteryType | None
    form: Form | None
    roi: tuple[int, int] | None
    is_normal: bool | None
    swelling: bool
    defects: tuple[DefectPolygon, ...]
    size: tuple[int, int] | None
    problems: tuple[Message, ...] = ()
    modality: Modality | None = None


@dataclass(frozen=True, slots=True)
class LotFinding:
    """A file or battery that the intake could not take as it is, with the reason."""

    path: Path
    reason: Message
    battery_id: str | None = None


@dataclass(frozen=True, slots=True)
class Battery:
    """One battery of a lot: its CT slices and RGB views, either of which may be missing.

    ``lost`` names what belongs to it and was left out: with any, it is never ``normal``.
    """

    battery_id: str
    ct_id: str | None
    rgb_id: str | None
    ct: tuple[ImageRef, ...] = ()
    rgb: tuple[ImageRef, ...] = ()
    battery_type: BatteryType | None = None
    warnings: tuple[Message, ...] = ()
    lost: tuple[Message, ...] = ()

    @property
    def paired(self) -> bool:
        """True where both modalities are present."""
        return bool(self.ct) and bool(self.rgb)


@dataclass(frozen=True, slots=True)
class Lot:
    """A scanned lot folder; batteries are sorted by id, the paired ones first."""

    root: Path
    batteries: tuple[Battery, ...]
    findings: tuple[LotFinding, ...] = field(default=())

    @property
    def pairs(self) -> tuple[Battery, ...]:
        """Batteries with both modalities."""
        return tuple(b for b in self.batteries if b.paired)
