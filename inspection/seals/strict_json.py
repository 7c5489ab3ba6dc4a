"""JSON in which everything is said once: a key that comes twice is refused."""

from __future__ import annotations

import json
from typing import Any


def load_strict(data: bytes | str) -> Any:
    """Return what a JSON text says.

    Raises
    ------
    ValueError
        If it is not JSON, names a key of an object twice, or holds NaN or an infinity: two
        readers would read two things.
    """
    try:
        return json.loads(data, object_pairs_hook=_once, parse_constant=_refused)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key comes twice")
    return content


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")
