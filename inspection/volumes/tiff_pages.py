"""The chain of directories of a TIFF file, read without its pixels and without a library.

A lot has thousands of TIFF files, most of them pictures; and a chain that breaks off has to be
told, which tifffile passes over.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

from inspection.errors import ImageError

_IMAGEJ_IMAGES = b"images="
_KIND = (256, 257, 258, 259, 262, 277, 317, 322, 323, 339)
"""Width, height, bits, compression, colours, samples, predictor, tile, sample format."""


class _Directory(NamedTuple):
    """What tells a stack from a picture.

    Parameters
    ----------
    kind : the values of width, height and how the pixels are stored, which all pages share
    following : where the next directory lies; 0 behind the last
    """

    kind: tuple[tuple[int, int], ...]
    text: bytes
    following: int


def is_stack(path: Path) -> bool:
    """Return whether a TIFF file has several pages of one size; reads a few hundred bytes of it."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
            first = _directory(file, head)
            if first is None:
                return False
            if first.text.startswith(b"ImageJ=") and _IMAGEJ_IMAGES in first.text:
                images = first.text.split(_IMAGEJ_IMAGES)[1].split(b"\n")[0]
                return images.strip().isdigit() and int(images) > 1
            if not first.following:
                return False
            second = _directory(file, head, first.following)
    except (OSError, ValueError, OverflowError, struct.error):
        return False
    return second is not None and first.kind == second.kind


def chained_pages(path: Path) -> int:
    """Return how many directories a file has, one behind the other to the end of the chain.

    Raises
    ------
    ImageError
        If the chain breaks off or turns back, or its pages are not all of one size and kind.
    """
    with path.open("rb") as file:
        head = file.read(16)
        seen: set[int] = set()
        first = page = None
        try:
            while page is None or page.following:
                page = _directory(file, head, page.following if page else None)
                first = first or page
                if page is None or first is None or page.following in seen:
                    raise ImageError("volume_damaged", name=path.name)
                if page.kind != first.kind:
                    raise ImageError("volume_mixed_sizes", name=path.name)
                seen.add(page.following)
        except struct.error as error:
            raise ImageError("volume_cut", name=path.name) from error
        except (ValueError, OverflowError) as error:
            raise ImageError("volume_damaged", name=path.name) from error
        return len(seen)


def _directory(file: BinaryIO, head: bytes, at: int | None = None) -> _Directory | None:
    """Read a directory's kind, description and successor; None where it is no TIFF."""
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        return None
    version = struct.unpack_from(f"{order}H", head, 2)[0]
    if version not in (42, 43):
        return None
    big = version == 43
    count_as, entry_as, place_as, room = ("Q", "HHQ", "Q", 8) if big else ("H", "HHI", "I", 4)
    if at is None:
        at = struct.unpack_from(f"{order}{place_as}", head, 8 if big else 4)[0]
    file.seek(at)
    size = struct.calcsize(f"{order}{count_as}")
    (count,) = struct.unpack(f"{order}{count_as}", file.read(size))
    length = struct.calcsize(f"{order}{entry_as}") + room
    if not 0 < count <= 4096:
        return None
    entries = file.read(count * length + room)
    found: dict[int, int] = {}
    text = b""
    for start in range(0, count * length, length):
        tag, kind, values = struct.unpack_from(f"{order}{entry_as}", entries, start)
        place = start + length - room
        if tag in _KIND and values == 1:
            letter = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind, place_as)
            found[tag] = struct.unpack_from(f"{order}{letter}", entries, place)[0]
        elif tag == 270 and values > room:
            file.seek(struct.unpack_from(f"{order}{place_as}", entries, place)[0])
            text = file.read(min(values, 512))
    (following,) = struct.unpack_from(f"{order}{place_as}", entries, count * length)
    return _Directory(tuple(sorted(found.items())), text, following)
