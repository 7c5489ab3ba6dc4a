"""Read a label file: tolerant of what real ones hold, and saying what was odd about each."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from inspection.classes import class_table, squeezed
from inspection.errors import LabelError
from inspection.lot.filenames import NameParts, parse_stem
from inspection.lot.polygons import clip_to_frame, draw_polygons, flat_numbers, polygon_area
from inspection.messages import Message
from inspection.records import BatteryType, DefectPolygon, Form, ImageLabel, Modality

# A real pore is a sliver: a polygon over this share of the ROI is a mislabel.
LARGEST_POROSITY = 0.25
_CONTRADICTIONS = frozenset({"label_normal_with_defects", "label_defective_without_defects"})


def read_label(path: Path) -> ImageLabel:
    """Read and clean a label file; whatever had to be mended is in ``problems``.

    Raises
    ------
    LabelError
        If the file cannot be read or is not a JSON object.
    """
    return _Reader(_read_json(path), parse_stem(path.stem)).label()


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
    names = {defect.name for defect in label.defects}
    if not names and not (label.is_normal or label.swelling):
        return None
    table = class_table()
    if not names:
        return "normal" if modality == "rgb" else table.class_of(None, "ct", label.battery_type)
    classes = (table.class_of(kind, modality, label.battery_type) for kind in names)
    return table.gravest({name for name in classes if name})


def polygon_mask(
    label: ImageLabel, size: tuple[int, int], names: Collection[str] | None = None
) -> NDArray[np.bool_]:
    """Return the labelled defect pixels.

    Parameters
    ----------
    label : a cleaned label
    size : (width, height) of the full image
    names : only these defects; all by default

    Returns
    -------
    (H, W) bool
    """
    return draw_polygons(label.defects, size, names)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise LabelError("label_missing", name=path.name) from error
    except OSError as error:
        problem = error.strerror or str(error)
        raise LabelError("label_unreadable", name=path.name, problem=problem) from error
    except UnicodeDecodeError as error:
        raise LabelError("label_not_json", name=path.name, line=1) from error
    if not text.strip():
        raise LabelError("label_empty", name=path.name)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise LabelError("label_not_json", name=path.name, line=error.lineno) from error
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits, or brackets nested as deep.
        raise LabelError("label_not_json", name=path.name, line=1) from error
    if not isinstance(content, dict):
        raise LabelError("label_not_object", name=path.name)
    return content


class _Reader:
    """Turns one parsed file into an :class:`ImageLabel`, noting problems on the way."""

    def __init__(self, content: dict[str, Any], name: NameParts | None) -> None:
        self._name = name.source if name else None
        self._info = _object(content.get("data_info"))
        self._image = _object(content.get("image_info"))
        self._content = content
        self._problems: list[Message] = []

    def label(self) -> ImageLabel:
        name = self._name
        kind, form = self._word("type"), self._word("form")
        size = self._size()
        roi = self._roi(size)
        claimed, defects = self._defects(size)
        swelling = self._swelling()
        is_normal = _truth(self._image.get("is_normal"))
        self._check_consistency(is_normal, claimed, swelling)
        self._check_porosity(defects, roi or size)
        return ImageLabel(
            battery_number=self._battery_number(),
            battery_type=cast(BatteryType, kind)
            if kind in {"cell", "module"}
            else (name.battery_type if name else None),
            form=cast(Form, form)
            if form in {"pouch", "cylindrical"}
            else (name.form if name else None),
            roi=roi,
            is_normal=is_normal,
            swelling=swelling,
            defects=defects,
            size=size,
            problems=tuple(self._problems),
            modality=self._modality(),
        )

    def _note(self, code: str, **params: str | int | float) -> None:
        message = Message(code=code, params=params)
        if message not in self._problems:
            self._problems.append(message)

    def _word(self, key: str) -> str:
        value = self._info.get(key)
        return value.strip().lower() if isinstance(value, str) else ""

    def _modality(self) -> Modality | None:
        word = self._word("data_type")
        if word in {"ct", "rgb"}:
            return cast(Modality, word)
        return self._name.modality if self._name else None

    def _battery_number(self) -> int | None:
        raw = self._info.get("battery_ids")
        values = raw if isinstance(raw, list) else [raw]
        numbers = [number for number in map(_whole_number, values) if number is not None]
        if len(set(numbers)) > 1:
            self._note("label_several_batteries", numbers=", ".join(map(str, numbers)))
        named = self._name.battery_number if self._name else None
        if not numbers:
            return named
        if named is not None and named not in numbers:
            self._note("label_battery_differs", label=numbers[0], file=named)
        return named if named in numbers else numbers[0]

    def _size(self) -> tuple[int, int] | None:
        width = _whole_number(self._image.get("width"))
        height = _whole_number(self._image.get("height"))
        return (width, height) if width and height else None

    def _roi(self, size: tuple[int, int] | None) -> tuple[int, int] | None:
        raw = self._info.get("roi")
        if raw is None:
            return None
        values = [_whole_number(value) for value in raw] if isinstance(raw, list) else []
        if len(values) == 4 and values[:2] == [0, 0]:
            values = values[2:]
        if len(values) != 2 or not all(values):
            self._note("label_roi_invalid", roi=_short(raw))
            return None
        width, height = values[0] or 0, values[1] or 0
        if size is not None and (width > size[0] or height > size[1]):
            self._note("label_roi_beyond", roi=_short(raw))
            return min(width, size[0]), min(height, size[1])
        return width, height

    def _swelling(self) -> bool:
        raw = self._content.get("swelling")
        return _truth(raw.get("swelling") if isinstance(raw, dict) else raw) is True

    def _defects(self, size: tuple[int, int] | None) -> tuple[bool, tuple[DefectPolygon, ...]]:
        """Return whether any defect is listed, and the usable ones."""
        raw = self._content.get("defects")
        listed = raw if isinstance(raw, list) else [raw] if isinstance(raw, dict) else []
        if raw is not None and not isinstance(raw, list | dict):
            self._note("label_defects_invalid")
        kept: list[DefectPolygon] = []
        for place, item in enumerate(listed, start=1):
            entry = _object(item)
            name = self._defect_name(entry.get("name"))
            points = self._points(entry.get("points"), place, size)
            if points:
                kept.append(DefectPolygon(name, tuple(points)))
        return bool(listed), tuple(kept)

    def _defect_name(self, raw: object) -> str:
        name = raw.strip() if isinstance(raw, str) else ""
        known = class_table().kind_of_label.get(squeezed(name))
        if known is None:
            self._note("label_defect_unknown", defect=name or "?")
        return known or name or "?"

    def _points(
        self, raw: object, place: int, size: tuple[int, int] | None
    ) -> list[tuple[float, float]]:
        numbers = flat_numbers(raw)
        if numbers is None:
            self._note("label_polygon_invalid", place=place)
            return []
        if len(numbers) % 2:
            self._note("label_polygon_odd", place=place)
            numbers.pop()
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        if len(points) < 3:
            self._note("label_polygon_short", place=place)
            return []
        if size is None or all(0 <= x <= size[0] and 0 <= y <= size[1] for x, y in points):
            return points
        points = clip_to_frame(points, *size)
        self._note(
            "label_polygon_clipped" if len(points) >= 3 else "label_polygon_outside", place=place
        )
        return points if len(points) >= 3 else []

    def _check_consistency(self, is_normal: bool | None, claimed: bool, swelling: bool) -> None:
        if is_normal is True and claimed:
            self._note("label_normal_with_defects")
        elif is_normal is False and not claimed and not swelling:
            self._note("label_defective_without_defects")
        elif is_normal is None:
            self._note("label_is_normal_missing")

    def _check_porosity(
        self, defects: tuple[DefectPolygon, ...], frame: tuple[int, int] | None
    ) -> None:
        if frame is None:
            return
        for defect in defects:
            share = polygon_area(defect.points) / (frame[0] * frame[1])
            if defect.name == "porosity" and share > LARGEST_POROSITY:
                self._note("label_porosity_large", percent=round(share * 100))


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


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


def _short(value: object) -> str:
    return json.dumps(value)[:40]
