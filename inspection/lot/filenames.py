"""What an image's file name says: the published naming, and names in natural order."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple, cast

from inspection.records import Axis, BatteryType, Form, Modality

IMAGE_SUFFIXES = frozenset({"jpg", "jpeg", "png", "tif", "tiff", "bmp"})
AXES = frozenset({"x", "y", "z"})

# CT_module_pouch_044_z_521.jpg, RGB_cell_cylindrical_0044_017.png; matched without the suffix.
_NAME = re.compile(
    r"((?:ct|rgb)_(?:cell|module)_(?:pouch|cylindrical)_[0-9]+)(?:_([xyz]))?_([0-9]{1,9})",
    re.IGNORECASE,
)
_SOURCE = re.compile(
    r"(?:ct|rgb)_(?:cell|module)_(?:pouch|cylindrical)_[0-9]+(?![0-9])", re.IGNORECASE
)
# A lone axis letter: x_001, slice-y-12, z012; not the x of "max" or of "x64img".
_AXIS = re.compile(r"(?:^|[^0-9a-z])([xyz])(?=[0-9]*(?:[^0-9a-z]|$))", re.IGNORECASE)
_AXIS_OF: dict[str | None, Axis | None] = {
    None: None, "x": "x", "y": "y", "z": "z", "X": "x", "Y": "y", "Z": "z",
}  # fmt: skip
_DIGITS = re.compile(r"([0-9]+)")
# What no file system or session folder takes in a name.
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


class SourceName(NamedTuple):
    """The part of a published name that all images of one source share: ``CT_module_pouch_044``."""

    text: str
    modality: Modality
    battery_type: BatteryType
    form: Form
    battery_number: int


class NameParts(NamedTuple):
    """An image name in the published naming."""

    source: SourceName
    axis: Axis | None
    number: int


def parse_stem(stem: str) -> NameParts | None:
    """Return the parts of a name without its suffix, or None where it is named otherwise."""
    match = _NAME.fullmatch(stem)
    if match is None:
        return None
    source, axis, number = match.groups()
    return NameParts(_source_name(source), _AXIS_OF[axis], int(number))


def source_at_start(name: str) -> SourceName | None:
    """Return the source that any name begins with: ``CT_cell_pouch_101_z_12 (copy).dcm``."""
    match = _SOURCE.match(name)
    return _source_name(match.group()) if match else None


@functools.lru_cache(maxsize=4096)
def _source_name(text: str) -> SourceName:
    modality, battery_type, form, battery = text.lower().split("_")
    return SourceName(
        text,
        cast(Modality, modality),
        cast(BatteryType, battery_type),
        cast(Form, form),
        int(battery),
    )


def battery_id_of(text: str) -> str:
    """Return the pairing id: a number in three digits (``0044`` -> ``044``), else the text.

    Numbers over 999 keep all their digits. Characters that no file name can hold become ``_``,
    because a battery's result is stored under its id.
    """
    if text.isascii() and text.isdigit():
        return text.lstrip("0").zfill(3)
    safe = _UNSAFE.sub("_", text).strip(" .")
    return safe or "_"


def axis_in(stem: str) -> Axis | None:
    """Return the axis that a freely named slice shows as a lone letter, if exactly one does."""
    found = {letter.lower() for letter in _AXIS.findall(stem)}
    return cast(Axis, found.pop()) if len(found) == 1 else None


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which ``view2`` comes before ``view10``."""
    return tuple(
        (0, int(piece), "") if index % 2 else (1, 0, piece.casefold())
        for index, piece in enumerate(_DIGITS.split(text))
    )
