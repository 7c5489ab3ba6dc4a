"""The JSON of a label file: whole, no larger and no deeper than a label is, and read once."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from inspection.errors import LabelError

LABEL_KEYS = frozenset({"data_info", "image_info", "defects", "swelling"})
"""An object without any of them is no label."""
LARGEST_LABEL = 4 << 20
"""Bytes; the outline of a battery and ten defects need 20 thousand."""
DEEPEST = 16
"""A polygon of pairs lies six deep."""


class LabelContent(dict[str, Any]):
    """A label's object; ``twice`` are the keys that it says more than once, anywhere in it."""

    twice: tuple[str, ...] = ()


def read_label_json(path: Path) -> LabelContent:
    """Return the object that a label file holds.

    Raises
    ------
    LabelError
        If the file cannot be read, is no JSON object, or is larger or deeper than a label.
    """
    try:
        if not path.exists():
            raise LabelError("label_missing", name=path.name)
        # A pipe or a device may have no end.
        if not path.is_file():
            raise LabelError("label_special", name=path.name)
        with path.open("rb") as file:
            data = file.read(LARGEST_LABEL + 1)
    except OSError as error:
        problem = error.strerror or str(error)
        raise LabelError("label_unreadable", name=path.name, problem=problem) from error
    if len(data) > LARGEST_LABEL:
        raise LabelError("label_too_large", name=path.name, megabytes=LARGEST_LABEL >> 20)
    if not data.strip():
        raise LabelError("label_empty", name=path.name)
    twice: dict[str, None] = {}

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            often = Counter(key for key, _ in pairs)
            twice.update(dict.fromkeys(key[:60] for key, times in often.items() if times > 1))
        return found

    try:
        # Before it is parsed: what parses deep brackets, and what reads the result, calls itself.
        if _depth(data) > DEEPEST:
            raise LabelError("label_too_deep", name=path.name)
        content = json.loads(data.decode("utf-8-sig"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        # Beside plain mistakes: a number of thousands of digits, or bytes that are no UTF-8.
        line = getattr(error, "lineno", 1)
        raise LabelError("label_not_json", name=path.name, line=line) from error
    if not isinstance(content, dict):
        raise LabelError("label_not_object", name=path.name)
    label = LabelContent(content)
    label.twice = tuple(twice)
    return label


def _depth(data: bytes) -> int:
    """Return how deep brackets lie in each other; brackets within strings count too."""
    codes = np.frombuffer(data, np.uint8)
    opened = (codes == ord("[")) | (codes == ord("{"))
    closed = (codes == ord("]")) | (codes == ord("}"))
    return int(np.cumsum(opened.astype(np.int32) - closed).max())
