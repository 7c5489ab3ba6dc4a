"""PNG: walked from chunk to chunk with every check sum, decoded by OpenCV without the extras."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np

from inspection.images.colours import Values, on_black
from inspection.images.formats import PNG_COLOURS
from inspection.images.headers import (
    PNG_SIGNATURE,
    ImageHeader,
    ImageProblem,
    exif_orientation,
    refuse_second_picture,
)

# What the pixels depend on. Texts, times and colour profiles are left out before decoding: a
# broken profile says nothing of the pixels, and a text may unpack to gigabytes.
_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_LOWER = 0x20


def read_png_header(data: bytes) -> ImageHeader:
    """Walk a whole file.

    Raises
    ------
    ImageProblem
        If it is cut short or damaged, holds a second picture, or is of a kind that is not read.
    """
    view = memoryview(data)
    frame: tuple[int, ...] | None = None
    orientation, end = 1, len(data)
    try:
        for name, start, end in _chunks(data):
            (expected,) = struct.unpack_from(">I", data, end)
            if zlib.crc32(view[start - 4 : end]) != expected:
                raise ImageProblem("image_corrupt")
            if (frame is None) is not (name == b"IHDR"):
                raise ImageProblem("image_corrupt")
            if name == b"IHDR":
                frame = struct.unpack_from(">IIBBBBB", data, start)
            elif name == b"eXIf":
                orientation = exif_orientation(data[start:end])
            elif name == b"fdAT" or (name == b"acTL" and data[start : start + 4] != b"\0\0\0\1"):
                raise ImageProblem("image_several_pictures")
            elif name not in _PIXELS and not name[0] & _LOWER:
                # In capitals: the pixels cannot be understood without it.
                raise ImageProblem("image_corrupt")
    except struct.error as error:
        raise ImageProblem("image_truncated") from error
    if frame is None:
        raise ImageProblem("image_corrupt")
    refuse_second_picture(data, end + 4)
    width, height, bits, colours, *_ = frame
    PNG_COLOURS.check((colours, bits), f"colour type {colours}, {bits} bit")
    # OpenCV's pixels, of four channels where there may be transparency, twice while it decodes;
    # a copy in another order; and the file without its extras.
    samples = 2 * (1 if colours == 0 else 4) + 3
    work = width * height * samples * (2 if bits == 16 else 1) + len(data)
    return ImageHeader("png", width, height, orientation, work)


def decode_png(data: bytes) -> Values:
    """Return the pixels, 8 or 16 bit: (h, w) or (h, w, 3) RGB, transparency on black.

    Raises
    ------
    ImageProblem
        If they cannot be decoded.
    """
    kept, key = [PNG_SIGNATURE], None
    bits, colours = data[24], data[25]
    for name, start, end in _chunks(data):
        if name in _PIXELS:
            kept.append(data[start - 8 : end + 4])
        if name == b"tRNS" and colours == 0 and end - start == 2:
            # One grey that is transparent, which OpenCV passes over.
            key = int.from_bytes(data[start:end], "big") * (255 // ((1 << min(bits, 8)) - 1))
    try:
        found = cv2.imdecode(np.frombuffer(b"".join(kept), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ImageProblem("image_corrupt") from error
    if found is None or found.size == 0 or found.dtype not in (np.uint8, np.uint16):
        raise ImageProblem("image_corrupt")
    if found.ndim == 2 or found.shape[2] == 1:
        grey = np.asarray(found.reshape(found.shape[:2]))
        if key is not None:
            grey[grey == key] = 0
        return grey
    transparent = found.shape[2] == 4
    order = cv2.COLOR_BGRA2RGB if transparent else cv2.COLOR_BGR2RGB
    pixels = np.asarray(cv2.cvtColor(found, order))
    return on_black(pixels, found[:, :, 3]) if transparent else pixels


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (type, start, end) of every chunk up to and including IEND."""
    at = len(PNG_SIGNATURE)
    while True:
        length, name = struct.unpack_from(">I4s", data, at)
        if length > 0x7FFFFFFF:
            raise ImageProblem("image_corrupt")
        yield name, at + 8, at + 8 + length
        if name == b"IEND":
            return
        at += 12 + length
