"""What a lot is made of: images, labels, batteries. Filled by ``lot.py``, read by everyone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from inspection.messages import Message
from inspection.names import told_name

Modality = Literal["ct", "rgb"]
MODALITIES: tuple[Modality, ...] = ("ct", "rgb")
Axis = Literal["x", "y", "z"]
BatteryType = Literal["cell", "module"]
Form = Literal["pouch", "cylindrical"]


class Rect(NamedTuple):
    """A rectangle in source pixels."""

    x: int
    y: int
    w: int
    h: int


class ImageRef(NamedTuple):
    """One image of a battery, known by its name only: a scan opens no image.

    A named tuple rather than a dataclass because a lot has 126,000 of them.
    """

    path: Path
    modality: Modality
    battery_id: str
    axis: Axis | None
    number: int
    battery_type: BatteryType | None
    form: Form | None
    label_path: Path | None

    @property
    def file_name(self) -> str:
        """The name of the file, as it can be told."""
        return told_name(self.path.name)


def image_name(ref: ImageRef, lot_root: Path) -> str:
    """Return an image's name in results: its path relative to the lot, with forward slashes.

    Where the path is not UTF-8, the name is what `told_name` makes of it, and opens no file.
    """
    try:
        return told_name(ref.path.relative_to(lot_root).as_posix())
    except ValueError:
        return told_name(ref.path.as_posix())


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
