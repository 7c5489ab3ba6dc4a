"""The label file of one image, as `docs/labels.md` has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inspection.classes import class_table
from inspection.records import BatteryType, ImageRef, Modality

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """A defect: its class, and where it is.

    Parameters
    ----------
    points : corners (x, y) in source pixels, at least three
    """

    name: str
    points: Points


@dataclass(frozen=True, slots=True)
class NewLabel:
    """What is to be written of an image.

    Parameters
    ----------
    size : width and height in pixels
    battery_type : by which the class of a slice is known; None where the table needs none
    outlines : none on a normal image
    """

    ref: ImageRef
    size: tuple[int, int]
    battery_type: BatteryType | None
    outlines: tuple[Outline, ...]


def normal_class(modality: Modality, battery_type: BatteryType | None) -> str | None:
    """Return the class of an image that shows nothing wrong; None where that is not known."""
    return class_table().class_of(None, "ct", battery_type) if modality == "ct" else "normal"


def type_for(name: str, known: BatteryType | None) -> BatteryType | None:
    """Return the type of battery under which a class is read back from a label.

    Raises
    ------
    ValueError
        If a battery of the known type cannot have that class.
    """
    row = class_table().rows[name]
    if None not in (row.battery_type, known) and row.battery_type != known:
        raise ValueError(f"no {known} is {name}")
    return known or row.battery_type


def label_content(label: NewLabel) -> dict[str, Any]:
    """Return the content of a label file."""
    ref, table = label.ref, class_table()
    number = ref.battery_id if ref.battery_id.isdecimal() else None
    defects = [
        {
            "id": place,
            "name": (*table.rows[outline.name].labels, table.rows[outline.name].kind)[0],
            "points": [round(value, 3) for point in outline.points for value in point],
        }
        for place, outline in enumerate(label.outlines, start=1)
    ]
    return {
        "data_info": {
            "data_type": ref.modality,
            "battery_ids": None if number is None else int(number),
            "type": label.battery_type,
            "form": ref.form,
            "roi": None,
        },
        "swelling": {"swelling": False},
        "defects": defects or None,
        "image_info": {
            "width": label.size[0],
            "height": label.size[1],
            "file_name": ref.file_name,
            "is_normal": not defects,
        },
    }
