"""What a header says of voxels that lie one behind the other, and its fields."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from inspection.errors import ImageError
from inspection.volumes.greys import Greys
from inspection.volumes.scale import Scale

Packing = Literal["none", "gzip", "zlib", "bzip2"]
_MOST_BYTES = 1 << 16
_LONGEST_SIDE = 1 << 16


class RawVolume(NamedTuple):
    """What a header says of its data.

    Parameters
    ----------
    header, data : the two files, which may be one
    offset : of the first voxel, or of what is packed; -1 where the data are the end of the file
    skipped : bytes before the first voxel in what was unpacked
    shape : voxels (z, y, x), x the fastest
    """

    header: Path
    data: Path
    offset: int
    shape: tuple[int, int, int]
    greys: Greys
    voxel_mm: Scale | None
    format: str
    packing: Packing = "none"
    skipped: int = 0

    @property
    def size(self) -> int:
        """Bytes of all voxels."""
        return math.prod(self.shape) * np.dtype(self.greys.stored).itemsize


def head_of(path: Path) -> bytes:
    """Return the beginning of a file, as much of it as a text header may be."""
    with path.open("rb") as file:
        return file.read(_MOST_BYTES)


def check_field(path: Path, fields: Mapping[str, str], key: str, wanted: str) -> None:
    """Hold a field to the one value that is read.

    Raises
    ------
    ImageError
        If the header lacks it, or says another.
    """
    found = field_of(path, fields, key)
    if found != wanted:
        raise ImageError("volume_field", name=path.name, field=key, value=found)


def checked_shape(path: Path, sides: Sequence[Any]) -> tuple[int, int, int]:
    """Return (z, y, x) of a header's (x, y, z).

    Raises
    ------
    ImageError
        If these are not three sides of a volume.
    """
    told = " ".join(str(side) for side in sides)
    try:
        x, y, z = (int(side) for side in sides)
    except ValueError as error:
        raise ImageError("volume_field", name=path.name, field="size", value=told) from error
    if not all(1 <= side <= _LONGEST_SIDE for side in (z, y, x)):
        raise ImageError("volume_field", name=path.name, field="size", value=told)
    return z, y, x


def beside(header: Path, name: str) -> Path:
    """Return the data file that a header names: one beside it, wherever it was when written."""
    return header.parent / name.strip().strip('"').replace("\\", "/").rpartition("/")[2]


def text_fields(text: str, separator: str) -> dict[str, str]:
    """Return ``key separator value`` lines by their key in small letters."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, found, value = line.partition(separator)
        if found and not line.startswith("#"):
            fields.setdefault(key.strip().lower(), value.strip())
    return fields


def field_of(path: Path, fields: Mapping[str, str], key: str) -> str:
    """Return a field.

    Raises
    ------
    ImageError
        If the header lacks it.
    """
    if key not in fields:
        raise ImageError("volume_field_missing", name=path.name, field=key)
    return fields[key]


def numbers(path: Path, key: str, text: str) -> list[float]:
    """Return the numbers of a field.

    Raises
    ------
    ImageError
        If one is none.
    """
    try:
        return [float(word) for word in text.replace(",", " ").split()]
    except ValueError as error:
        raise ImageError("volume_field", name=path.name, field=key, value=text[:80]) from error
