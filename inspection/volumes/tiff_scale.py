"""The size of a voxel as OME-TIFF and ImageJ write it.

A plain TIFF says at most how wide and high a pixel is, and nothing of the distance of its pages:
the size of its voxels is not known.
"""

from __future__ import annotations

import re
from typing import Any

from inspection.volumes.scale import Scale, checked, unit_mm

_PHYSICAL = re.compile(r'PhysicalSize([XYZ])(Unit)?\s*=\s*"([^"]+)"')


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
    return checked(sizes.get(axis, 0.0) * unit_mm(units.get(axis, "um")) for axis in "ZYX")


def _of_imagej(file: Any) -> Scale | None:
    """ImageJ writes pixels a unit into the resolution, and the unit and the spacing beside it."""
    told = file.imagej_metadata or {}
    unit = unit_mm(str(told.get("unit", "")))
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
