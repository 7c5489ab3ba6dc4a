"""NRRD: a text header with its data behind it (``.nrrd``) or beside it (``.nhdr``).

References
----------
https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from inspection.errors import ImageError
from inspection.volumes.greys import Greys
from inspection.volumes.raw.header import (
    Packing,
    RawVolume,
    beside,
    check_field,
    checked_shape,
    field_of,
    head_of,
    numbers,
    text_fields,
)
from inspection.volumes.scale import Scale, checked_header, unit_mm

_TYPES = {
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i1": ("signed char", "int8", "int8_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_TYPE_OF = {name: kind for kind, names in _TYPES.items() for name in names}
_PACKINGS: dict[str, Packing] = {
    "raw": "none", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2",
}  # fmt: skip
# Spaces of the body, which are in millimetres by their definition.
_MEDICAL = (
    "left-posterior-superior", "right-anterior-superior", "left-anterior-superior", "lps", "ras",
    "las", "scanner-xyz",
)  # fmt: skip


def describe_nrrd(path: Path) -> RawVolume:
    """Read a header.

    Raises
    ------
    ImageError
        If it is none, or says something that is not read.
    """
    head = head_of(path)
    if not head.startswith(b"NRRD"):
        raise ImageError("volume_damaged", name=path.name)
    blank = re.search(rb"\r?\n\r?\n", head)
    end = blank.end() if blank else len(head)
    fields = text_fields(head[:end].decode("utf-8", "replace"), ":")
    check_field(path, fields, "dimension", "3")
    kind = _TYPE_OF.get(field_of(path, fields, "type").lower())
    if kind is None:
        raise ImageError("image_pixel_type", name=path.name, value=fields["type"])
    packing = _PACKINGS.get(field_of(path, fields, "encoding").lower())
    if packing is None:
        raise ImageError("image_compression", name=path.name, value=fields["encoding"])
    if kind[1] != "1":
        kind = (">" if field_of(path, fields, "endian").lower() == "big" else "<") + kind
    name = fields.get("data file", fields.get("datafile", ""))
    if name.upper().startswith("LIST") or "%" in name:
        raise ImageError("volume_field", name=path.name, field="data file", value=name)
    if fields.get("line skip", fields.get("lineskip", "0")) != "0":
        raise ImageError("volume_field", name=path.name, field="line skip", value="")
    skip = int(numbers(path, "byte skip", fields.get("byte skip", fields.get("byteskip", "0")))[0])
    return RawVolume(
        header=path,
        data=beside(path, name) if name else path,
        offset=skip if name or skip < 0 else end + skip,
        shape=checked_shape(path, field_of(path, fields, "sizes").split()),
        greys=Greys(kind),
        voxel_mm=_voxel_mm(path, fields),
        format="NRRD",
        packing=packing,
    )


def _voxel_mm(path: Path, fields: dict[str, str]) -> Scale | None:
    """Return the edges where their unit is said too."""
    units = re.findall(r'"([^"]*)"', fields.get("space units", fields.get("units", "")))
    if units:
        unit = unit_mm(units[0]) if len(set(units)) == 1 else 0.0
    else:
        unit = 1.0 if fields.get("space", "").lower() in _MEDICAL else 0.0
    if "space directions" in fields:
        vectors = re.findall(r"\(([^)]*)\)", fields["space directions"])
        lengths = [math.hypot(*numbers(path, "space directions", one)) for one in vectors]
        return checked_header(lengths, unit)
    return checked_header(numbers(path, "spacings", fields.get("spacings", "")), unit)
