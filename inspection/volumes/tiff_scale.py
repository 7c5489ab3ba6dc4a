"""The size of a voxel as OME-TIFF and ImageJ write it.

A plain TIFF says at most how wide and high a pixel is, and nothing of the distance of its pages:
the size of its voxels is not known.
"""

from __future__ import annotations

import math
import re
from typing import Any

_MM = {
    "nm": 1e-6, "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "\\u00B5m": 1e-3, "micron": 1e-3,
    "microns": 1e-3, "micrometer": 1e-3, "mm": 1.0, "millimeter": 1.0, "cm": 10.0, "m": 1000.0,
    "inch": 25.4, "in": 25.4,
}  # fmt: skip
_PHYSICAL = re.compile(r'PhysicalSize([XYZ])(Unit)?\s*=\s*"([^"]+)"')

Scale = tuple[float, float, float]


def voxel_mm(file: Any) -> Scale | None:
    """Return the edges (z, y, x) of a voxel, None where the file does not say all three.

    Parameters
    ----------
    file : an open ``tifffile.TiffFile``
    """
    if file.is_ome:
        return _of_ome(file.ome_metadata or "")
    if file.is_imagej:
        return _of_imagej(file)
    return None


def _of_ome(xml: str) -> Scale | None:
    pixels = xml[xml.find("<Pixels") :].partition(">")[0]
    sizes: dict[str, float] = {}
    units: dict[str, str] = {}
    for axis, unit, value in _PHYSICAL.findall(pixels):
        if unit:
            units[axis] = value
        else:
            sizes[axis] = _number(value)
    # A micrometre is what the schema says where no unit is written.
    return checked(sizes.get(axis, 0.0) * _MM.get(units.get(axis, "um"), 0.0) for axis in "ZYX")


def _of_imagej(file: Any) -> Scale | None:
    """ImageJ writes pixels a unit into the resolution, and the unit and the spacing beside it."""
    told = file.imagej_metadata or {}
    unit = _MM.get(str(told.get("unit", "")).strip().lower(), 0.0)
    edges = [float(told.get("spacing", 0.0)) * unit]
    for tag in ("YResolution", "XResolution"):
        found = file.pages.first.tags.get(tag)
        over, under = found.value if found is not None else (0, 1)
        edges.append(under / over * unit if over else 0.0)
    return checked(edges)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def checked(edges: Any) -> Scale | None:
    """Return three edges, or None where one is no length: a size is never guessed."""
    z, y, x = (float(edge) for edge in edges)
    good = all(math.isfinite(edge) and edge > 0 for edge in (z, y, x))
    return (z, y, x) if good else None
