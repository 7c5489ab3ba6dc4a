"""What a packed picture says of its own size, read before a decoder is let at it.

A decoder makes room for what the picture says: a damaged byte there is gigabytes of memory and
half a minute, for pixels that would be refused.
"""

from __future__ import annotations

import struct

_JPEG_START = b"\xff\xd8"
_J2K_START = b"\xff\x4f\xff\x51"
_J2K_SIZE = ">4I16xH"
_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""Markers that tell a size: of JPEG, and of JPEG-LS the last."""


def stated_size(stream: bytes) -> tuple[int, int, int]:
    """Return (rows, columns, colours) that a JPEG, JPEG-LS or JPEG 2000 picture says it has.

    Raises
    ------
    ValueError
        If it says none.
    """
    try:
        if stream.startswith(_JPEG_START):
            return _size_of_jpeg(stream)
        # Some writers put it into a file of boxes.
        start = stream.find(_J2K_START)
        if start >= 0:
            right, bottom, left, top, colours = struct.unpack_from(_J2K_SIZE, stream, start + 8)
            return bottom - top, right - left, colours
    except struct.error as error:
        raise ValueError("the picture ends before its size") from error
    raise ValueError("no picture begins here")


def _size_of_jpeg(stream: bytes) -> tuple[int, int, int]:
    at = len(_JPEG_START)
    while True:
        mark, code, length = struct.unpack_from(">BBH", stream, at)
        if mark != 0xFF:
            raise ValueError("no marker where one has to be")
        if code == 0xFF:
            # Any number of them may stand before a marker.
            at += 1
            continue
        if code in _FRAMES:
            _, rows, columns, colours = struct.unpack_from(">B2HB", stream, at + 4)
            return rows, columns, colours
        at += 2 + length
