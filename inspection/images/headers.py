"""What every container has in common: its signature, its size, how it is turned, where it ends.

A file is walked to its end before a pixel is decoded: the limits have to hold *before* a decoder
allocates anything, and a file cut short, or one that holds a second picture, has to be told from a
good one. Decoders are too forgiving for all three.
"""

from __future__ import annotations

import math
import re
import struct
from typing import Literal, NamedTuple

ImageFormat = Literal["jpeg", "png", "tiff", "bmp"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_FOREIGN = (
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (4, b"jP  \r\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL \r\n", "JPEG XL"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftyp", "HEIF"),
    (128, b"DICM", "DICOM"),
    (0, b"8BPS", "Photoshop"),
    (0, b"v/1\x01", "OpenEXR"),
    (0, b"SIMPLE  =", "FITS"),
    (0, b"NRRD", "NRRD"),
    (0, b"\x93NUMPY", "NumPy"),
    (0, b"\x89HDF\r\n", "HDF5"),
    (0, b"%PDF", "PDF"),
    (0, b"II\xbc\x01", "JPEG XR"),
)
"""Where they are told by: place, bytes, name."""
_BMP_INFO_SIZES = {struct.pack("<I", n) for n in (12, 40, 52, 56, 64, 108, 124)}
_ORIENTATION_TAG = 0x0112
# JPEG, PNG, TIFF, GIF, WebP, BMP, and what films and HEIF begin with.
_PICTURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|II\*\0|MM\0\*|GIF8[79]a|RIFF.{4}WEBP|ftyp"
    rb"|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    re.DOTALL,
)


class ImageProblem(ValueError):
    """Why a file is not read, without the file's name.

    Parameters
    ----------
    code : of an `inspection.errors.ImageError`
    params : of its message
    """

    def __init__(self, code: str, **params: str | int | float) -> None:
        self.code = code
        self.params = params
        super().__init__(code, params)


class ImageHeader(NamedTuple):
    """What a file says of its picture.

    Parameters
    ----------
    width, height : as stored, before the orientation (EXIF, 1..8) turns it upright
    work_bytes : what decoding takes at most, the file's own bytes not counted
    fixed_bytes : what of it is taken at reduced scale too
    """

    format: ImageFormat
    width: int
    height: int
    orientation: int
    work_bytes: int
    fixed_bytes: int = 0

    def bytes_at(self, scale: float) -> int:
        """Return what decoding takes at a scale; only a JPEG is decoded at a reduced one."""
        if self.format != "jpeg":
            return self.work_bytes
        # In eighths: an eighth more than asked for, at most.
        share = min(1.0, scale + 1 / 8) ** 2
        return self.fixed_bytes + math.ceil((self.work_bytes - self.fixed_bytes) * share)

    @property
    def upright_size(self) -> tuple[int, int]:
        """(width, height) after the orientation is applied."""
        if self.orientation >= 5:
            return self.height, self.width
        return self.width, self.height


def sniff_format(data: bytes) -> ImageFormat | None:
    """Return the format by signature, whatever the file is called."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(PNG_SIGNATURE):
        return "png"
    if data.startswith(TIFF_SIGNATURES):
        return "tiff"
    # "BM" alone also starts plain texts: the size of the info header makes it certain.
    if data.startswith(b"BM") and data[14:18] in _BMP_INFO_SIZES:
        return "bmp"
    return None


def foreign_format(data: bytes) -> str | None:
    """Return the name of a format that is known and not read."""
    for at, mark, name in _FOREIGN:
        if data[at : at + len(mark)] == mark:
            return name
    return None


def refuse_second_picture(data: bytes, end: int) -> None:
    """Refuse a file that goes on with another picture; other bytes behind the end do no harm.

    Raises
    ------
    ImageProblem
        If a picture or a film begins behind ``end``.
    """
    if _PICTURE.search(data, end):
        raise ImageProblem("image_several_pictures")


def exif_orientation(block: bytes) -> int:
    """Return the orientation of an EXIF block; 1 where it has none.

    A broken block says nothing about the pixels, so it is no reason to refuse them.
    """
    order = "<" if block[:2] == b"II" else ">"
    if not block.startswith(TIFF_SIGNATURES[:2]):
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", block, 4)
        (entries,) = struct.unpack_from(order + "H", block, at)
        for entry in range(at + 2, at + 2 + 12 * entries, 12):
            tag, kind, count, value = struct.unpack_from(order + "HHIH", block, entry)
            if (tag, kind, count) == (_ORIENTATION_TAG, 3, 1):
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
