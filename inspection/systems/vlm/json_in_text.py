"""JSON as language models write it: fenced, inside prose, cut off, with a comma too many."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 32
MAX_FRAGMENTS = 16
_CLOSING = {"{": "}", "[": "]"}
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_PYTHON_WORDS = {"None": "null", "True": "true", "False": "false"}


@dataclass(frozen=True, slots=True)
class Fragment:
    """A JSON value found in a text; ``complete`` is False where the text ends inside it."""

    value: Any
    start: int
    end: int
    complete: bool


def find_json(text: str) -> list[Fragment]:
    """Return the objects and lists of a text, in order, never more than `MAX_FRAGMENTS`.

    Linear in the length of the text: each try reads on to its end at most once, and tries are
    counted.
    """
    found: list[Fragment] = []
    position = 0
    for _ in range(MAX_FRAGMENTS):
        places = [p for p in (text.find("{", position), text.find("[", position)) if p >= 0]
        if not places:
            break
        start = min(places)
        fragment = _fragment_at(text, start)
        if fragment is None:
            position = start + 1
        else:
            found.append(fragment)
            position = fragment.end
    return found


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts_in(part)


def _fragment_at(text: str, start: int) -> Fragment | None:
    stack: list[str] = []
    in_string = escaped = False
    whole: tuple[int, str] | None = None
    for place in range(start, len(text)):
        char = text[place]
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in _CLOSING:
            stack.append(_CLOSING[char])
            if len(stack) > MAX_DEPTH:
                return None
        elif char in "}]":
            if stack.pop() != char:
                return None
            if not stack:
                return _loaded(text[start : place + 1], start, place + 1, complete=True)
        elif char == ",":
            # What stands before a comma is whole; a number before the end of a text may not be.
            whole = place, "".join(reversed(stack))
    if whole is None:
        return None
    end, closing = whole
    return _loaded(text[start:end] + closing, start, len(text), complete=False)


def _loaded(text: str, start: int, end: int, *, complete: bool) -> Fragment | None:
    mended = _TRAILING_COMMA.sub(r"\1", text)
    attempts = [text, mended]
    if '"' not in text:
        # Python's way to write it.
        quoted = mended.replace("'", '"')
        attempts.append(
            re.sub(r"\b(?:None|True|False)\b", lambda m: _PYTHON_WORDS[m.group()], quoted)
        )
    for attempt in attempts:
        try:
            value = json.loads(
                attempt,
                strict=False,
                # A thousand digits are no coordinate, and int() refuses them.
                parse_int=float,
                parse_float=float,
                parse_constant=lambda _name: None,
                object_pairs_hook=_object,
            )
        except (ValueError, RecursionError):
            continue
        return Fragment(value, start, end, complete)
    return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keep the keys; one that is given twice with different values has no value."""
    made: dict[str, Any] = {}
    for key, value in pairs:
        known = key.strip().lower()
        made[known] = value if made.get(known, value) == value else None
    return made
