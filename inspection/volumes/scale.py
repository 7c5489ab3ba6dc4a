"""The size of a voxel in millimetres: only where a file says all of it, never guessed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Scale = tuple[float, float, float]
"""Edges (z, y, x) in millimetres."""

_MM = {
    "nm": 1e-6, "nanometer": 1e-6,
    "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "\\u00b5m": 1e-3, "micron": 1e-3, "microns": 1e-3,
    "micrometer": 1e-3, "micrometre": 1e-3,
    "mm": 1.0, "millimeter": 1.0, "millimetre": 1.0,
    "cm": 10.0, "centimeter": 10.0, "m": 1000.0, "meter": 1000.0,
    "inch": 25.4, "in": 25.4,
}  # fmt: skip


def unit_mm(name: str) -> float:
    """Return how many millimetres a unit of length is; 0 of one that is not known."""
    return _MM.get(name.strip().lower(), 0.0)


def checked(edges: Iterable[float]) -> Scale | None:
    """Return three edges (z, y, x), or None where one is no length."""
    z, y, x = (float(edge) for edge in edges)
    good = all(math.isfinite(edge) and edge > 0 for edge in (z, y, x))
    return (z, y, x) if good else None


def checked_header(edges: Sequence[float], unit: float = 1.0) -> Scale | None:
    """Return the edges (z, y, x) in millimetres of a header's (x, y, z); None where it has none.

    Three ones are what writers put there who were told nothing.
    """
    if len(edges) != 3 or all(edge == 1.0 for edge in edges):
        return None
    return checked(edge * unit for edge in reversed(edges))
