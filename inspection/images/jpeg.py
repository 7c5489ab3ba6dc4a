"""JPEG: walked from marker to marker, decoded by libjpeg-turbo with every warning an error."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from inspection.images.formats import JPEG_BITS, JPEG_COLOURS, JPEG_PROCESS
from inspection.images.headers import (
    ImageHeader,
    ImageProblem,
    exif_orientation,
    refuse_second_picture,
)

# A frame header (SOFn) is C0..CF without DHT (C4), JPG (C8) and DAC (CC).
FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SOI, _EOI, _SOS, _APP1, _APP2 = 0xD8, 0xD9, 0xDA, 0xE1, 0xE2
# In entropy-coded data FF is followed by 00 (a stuffed FF), D0..D7 (restart) or FF (fill).
_NEXT_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
# A scale such as 512/4000 times 4000 must not ask for 513 pixels.
_ROUNDING = 1e-6
_MOST_SCANS = 100
"""Each scan of a progressive file takes as long as a picture; encoders write about ten."""


def read_jpeg_header(data: bytes) -> ImageHeader:
    """Walk a whole file.

    Raises
    ------
    ImageProblem
        If it is cut short or damaged, holds a second picture, or is of a kind that is not read.
    """
    orientation, frame, scans = 1, None, 0
    end = len(data)
    for marker, start, end in jpeg_segments(data):
        if marker == _APP1 and frame is None and data[start : start + 6] == b"Exif\0\0":
            orientation = exif_orientation(data[start + 6 : end])
        elif marker in FRAME_MARKERS:
            if frame is not None:
                raise ImageProblem("image_several_pictures")
            if end - start < 6 or end > len(data):
                raise ImageProblem("image_truncated")
            frame = (marker, *struct.unpack_from(">BHHB", data, start))
        scans += marker == _SOS
    if frame is None or scans > _MOST_SCANS:
        raise ImageProblem("image_corrupt")
    refuse_second_picture(data, end)
    process, bits, height, width, components = frame
    JPEG_PROCESS.check(process)
    JPEG_BITS.check(bits)
    JPEG_COLOURS.check(components)
    # Progressive coefficients are kept for the whole picture, as 16-bit numbers. An upright copy
    # may lie beside the decoded pixels.
    values = width * height * components
    kept = 2 * values if process == 0xC2 else 0
    return ImageHeader("jpeg", width, height, orientation, 2 * values + kept, kept)


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of every segment, and of the end marker.

    Raises
    ------
    ImageProblem
        If the bytes end before the end marker, or something else stands where a marker should.
    """
    at = 2
    try:
        while True:
            if data[at] != 0xFF:
                raise ImageProblem("image_corrupt")
            while data[at] == 0xFF:
                at += 1
            marker = data[at]
            at += 1
            if marker == _EOI:
                yield marker, at, at
                return
            if marker == _SOI:
                raise ImageProblem("image_several_pictures")
            (length,) = struct.unpack_from(">H", data, at)
            if length < 2:
                raise ImageProblem("image_corrupt")
            yield marker, at + 2, at + length
            at += length
            if marker == _SOS:
                found = _NEXT_MARKER.search(data, at)
                if found is None:
                    raise ImageProblem("image_truncated")
                at = found.start()
    except (struct.error, IndexError) as error:
        raise ImageProblem("image_truncated") from error


def decode_jpeg(
    data: bytes, grey: bool, size: tuple[int, int], scale: float = 1.0
) -> NDArray[np.uint8]:
    """Return the pixels at ``scale`` or larger, as stored: (h, w) or (h, w, 3).

    Parameters
    ----------
    size : (width, height) of the stored picture

    Raises
    ------
    ImageProblem
        If libjpeg-turbo has anything to object to.
    """
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            _without_profile(data),
            "GRAY" if grey else "RGB",
            min_width=math.ceil(size[0] * scale - _ROUNDING),
            min_height=math.ceil(size[1] * scale - _ROUNDING),
        )
    except ValueError as error:
        cut = "premature end of jpeg" in str(error).lower()
        raise ImageProblem("image_truncated" if cut else "image_corrupt") from error
    return pixels[:, :, 0] if grey else pixels


def _without_profile(data: bytes) -> bytes:
    """Leave out colour profiles: a broken one says nothing of the pixels, and none is applied."""
    parts, kept = [], 0
    for marker, start, end in jpeg_segments(data):
        if marker == _SOS:
            break
        if marker == _APP2:
            parts.append(data[kept : start - 4])
            kept = end
    return b"".join((*parts, data[kept:])) if parts else data
