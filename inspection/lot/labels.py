"""Label files: which image each belongs to, and what it says, however oddly it is written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np

from inspection.classes import class_table, squeezed
from inspection.lot.filenames import SourceName, parse_stem
from inspection.lot.label_json import read_label_json
from inspection.messages import Message
from inspection.names import legible
from inspection.records import BatteryType, DefectPolygon, Form, ImageLabel, Modality

# A real pore is a sliver: a polygon over this share of the ROI is a mislabel.
LARGEST_POROSITY = 0.25
Points = list[tuple[float, float]]
_CONTRADICTIONS = frozenset(
    {"label_normal_with_defects", "label_defective_without_defects", "label_key_twice"}
)
MOST_DEFECTS = 1_000
MOST_OF_A_KIND = 10
MOST_POINTS = 10_000
LONGEST_NAME = 60


def class_of(label: ImageLabel, modality: Modality | None = None) -> str | None:
    """Return the class that a label stands for, or None where it contradicts itself.

    Parameters
    ----------
    label : a cleaned label
    modality : of the image; by default what the label says

    Returns
    -------
    str or None
        A class of the table, or ``normal`` for a view without a defect; a slice with swelling only
        is normal. With several defects the gravest. None for a contradiction, an unknown defect,
        or too little information.
    """
    modality = modality or label.modality
    if modality is None or any(problem.code in _CONTRADICTIONS for problem in label.problems):
        return None
    kinds = {defect.name for defect in label.defects}
    if not kinds and not (label.is_normal or label.swelling):
        return None
    table = class_table()
    if not kinds:
        return "normal" if modality == "rgb" else table.class_of(None, "ct", label.battery_type)
    classes = (table.class_of(kind, modality, label.battery_type) for kind in kinds)
    return table.gravest({name for name in classes if name})


def read_label(path: Path) -> ImageLabel:
    """Read and clean a label file; whatever had to be mended is in ``problems``.

    Raises
    ------
    LabelError
        If the file cannot be read, is not a JSON object, or holds more than any label does.
    """
    content, parts = read_label_json(path), parse_stem(path.stem)
    name = parts.source if parts else None
    info, image = _object(content.get("data_info")), _object(content.get("image_info"))
    problems = _Problems()
    for key in content.twice:
        problems.note("label_key_twice", key=key)
    width, height = _whole_number(image.get("width")), _whole_number(image.get("height"))
    size = (width, height) if width and height else None
    roi = _roi(info.get("roi"), size, problems)
    claimed, defects = _defects(content.get("defects"), size, problems)

    raw = content.get("swelling")
    swelling = _truth(raw.get("swelling") if isinstance(raw, dict) else raw) is True
    is_normal = _truth(image.get("is_normal"))
    if is_normal is True and claimed:
        problems.note("label_normal_with_defects")
    elif is_normal is False and not claimed and not swelling:
        problems.note("label_defective_without_defects")
    elif is_normal is None:
        problems.note("label_is_normal_missing")

    for defect in defects:
        frame = roi or size
        share = polygon_area(defect.points) / (frame[0] * frame[1]) if frame else 0.0
        if defect.name == "porosity" and share > LARGEST_POROSITY:
            problems.note("label_porosity_large", percent=round(share * 100))

    battery_type = _word(info, "type", ("cell", "module")) or (name and name.battery_type)
    form = _word(info, "form", ("pouch", "cylindrical")) or (name and name.form)
    modality = _word(info, "data_type", ("ct", "rgb")) or (name and name.modality)
    return ImageLabel(
        battery_number=_battery_number(info.get("battery_ids"), name, problems),
        battery_type=cast(BatteryType | None, battery_type),
        form=cast(Form | None, form),
        roi=roi,
        is_normal=is_normal,
        swelling=swelling,
        defects=defects,
        size=size,
        problems=tuple(problems.values()),
        modality=cast(Modality | None, modality),
    )


class _Problems(dict[tuple[object, ...], Message]):
    """What was odd about a label, each thing once; of a kind the first `MOST_OF_A_KIND`."""

    def note(self, code: str, **params: str | int | float) -> None:
        key = (code, *params.values())
        alike = sum(known[0] == code for known in self)
        if key not in self and alike < MOST_OF_A_KIND:
            self[key] = Message(code=code, params=params)


def _battery_number(raw: object, name: SourceName | None, problems: _Problems) -> int | None:
    values = raw if isinstance(raw, list) else [raw]
    numbers = [number for number in map(_whole_number, values) if number is not None]
    if len(set(numbers)) > 1:
        problems.note("label_several_batteries", numbers=", ".join(map(str, numbers[:10])))
    named = name.battery_number if name else None
    if not numbers:
        return named
    if named is not None and named not in numbers:
        problems.note("label_battery_differs", label=numbers[0], file=named)
    return named if named in numbers else numbers[0]


def _roi(raw: object, size: tuple[int, int] | None, problems: _Problems) -> tuple[int, int] | None:
    """Return (width, height) of the region that holds the battery, within the image."""
    if raw is None:
        return None
    values = [_whole_number(value) for value in raw] if isinstance(raw, list) else []
    if len(values) == 4 and values[:2] == [0, 0]:
        values = values[2:]
    shown = json.dumps(raw)[:40]
    if len(values) != 2 or not all(values):
        problems.note("label_roi_invalid", roi=shown)
        return None
    width, height = values[0] or 0, values[1] or 0
    if size is not None and (width > size[0] or height > size[1]):
        problems.note("label_roi_beyond", roi=shown)
        return min(width, size[0]), min(height, size[1])
    return width, height


def _defects(
    raw: object, size: tuple[int, int] | None, problems: _Problems
) -> tuple[bool, tuple[DefectPolygon, ...]]:
    """Return whether any defect is listed, and the usable ones."""
    if raw is not None and not isinstance(raw, list | dict):
        problems.note("label_defects_invalid")
    listed = raw if isinstance(raw, list) else [raw] if isinstance(raw, dict) else []
    if len(listed) > MOST_DEFECTS:
        problems.note("label_too_many_defects", count=len(listed), most=MOST_DEFECTS)
        return True, ()
    kept: list[DefectPolygon] = []
    for place, item in enumerate(listed, start=1):
        entry = _object(item)
        written = entry.get("name")
        name = legible(written.strip()[:LONGEST_NAME]) if isinstance(written, str) else ""
        kind = class_table().kind_of_label.get(squeezed(name))
        if kind is None:
            kind = name or "?"
            problems.note("label_defect_unknown", defect=kind)
        if points := _points(entry.get("points"), place, size, problems):
            kept.append(DefectPolygon(kind, tuple(points)))
    return bool(listed), tuple(kept)


def _points(raw: object, place: int, size: tuple[int, int] | None, problems: _Problems) -> Points:
    """Return a polygon's points within the image; empty where they are of no use."""
    numbers = flat_numbers(raw)
    if numbers is None:
        problems.note("label_polygon_invalid", place=place)
        return []
    if len(numbers) > 2 * MOST_POINTS:
        problems.note("label_polygon_long", place=place, most=MOST_POINTS)
        return []
    if len(numbers) % 2:
        problems.note("label_polygon_odd", place=place)
        numbers.pop()
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    if len(points) < 3:
        problems.note("label_polygon_short", place=place)
        return []
    if size is None or all(0 <= x <= size[0] and 0 <= y <= size[1] for x, y in points):
        return points
    points = clip_to_frame(points, *size)
    if len(points) < 3:
        problems.note("label_polygon_outside", place=place)
        return []
    problems.note("label_polygon_clipped", place=place)
    return points


def flat_numbers(raw: Any) -> list[float] | None:
    """Return the numbers of ``[x, y, …]``, ``[[x, y], …]`` or ``[{x, y}, …]`` in order.

    None where anything in it is not a finite number.
    """
    if isinstance(raw, dict) and {"x", "y"} <= raw.keys():
        raw = [raw["x"], raw["y"]]
    if isinstance(raw, list):
        pieces = [flat_numbers(item) for item in raw]
        return None if None in pieces else [n for piece in pieces if piece for n in piece]
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    try:
        number = float(raw)
    except OverflowError:
        return None
    return [number] if math.isfinite(number) else None


def clip_to_frame(points: Points, width: float, height: float) -> Points:
    """Return the part of a polygon inside ``[0, width] x [0, height]``; empty if none is.

    References
    ----------
    Sutherland and Hodgman, Reentrant polygon clipping, CACM 17 (1974).
    """
    for axis, bound, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        clipped: Points = []
        for start, end in zip([*points[-1:], *points[:-1]], points, strict=True):
            start_in = sign * (start[axis] - bound) >= 0
            end_in = sign * (end[axis] - bound) >= 0
            if start_in != end_in:
                share = (bound - start[axis]) / (end[axis] - start[axis])
                other = start[1 - axis] + share * (end[1 - axis] - start[1 - axis])
                clipped.append((bound, other) if axis == 0 else (other, bound))
            if end_in:
                clipped.append(end)
        points = clipped
    return points


def polygon_area(points: Iterable[tuple[float, float]]) -> float:
    """Return the enclosed area in square pixels (shoelace formula)."""
    array = np.array(list(points), dtype=np.float64)
    x, y = array[:, 0], array[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _word(info: dict[str, Any], key: str, known: tuple[str, ...]) -> str | None:
    value = info.get(key)
    word = value.strip().lower() if isinstance(value, str) else ""
    return word if word in known else None


def _truth(value: object) -> bool | None:
    """Return a JSON truth value, also where it is written as a word or as 0 and 1."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, bool | int) else None


def _whole_number(value: object) -> int | None:
    """Return a number of at least 0, also where it is written as text; else None."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 10**9 else None
