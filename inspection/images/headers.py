"""What an image file says of itself, read from its bytes without decoding a pixel.

The size limit has to hold *before* a decoder allocates anything, and a file cut short in
copying has to be told from a good one: decoders are too forgiving for both.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

ImageFormat = Literal["jpeg", "png", "tiff", "bmp"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION_TAG = 0x0112
_SUBFILE_TAG = 0x00FE
# A frame header (SOFn) is C0..CF without DHT (C4), JPG (C8) and DAC (CC).
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# In entropy-coded data FF is followed by 00 (a stuffed FF), D0..D7 (restart) or FF (fill).
_NEXT_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
# Bytes of one value of a TIFF field type; 0 where the type is none of the specification's.
_TIFF_TYPE_SIZE = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)


class TruncatedImage(ValueError):
    """The bytes end before the image does."""


class SeveralPages(ValueError):
    """A TIFF stack: its other pages would be passed over in silence."""


class MalformedImage(ValueError):
    """The bytes contradict their own format."""


class ImageHeader(NamedTuple):
    """Size as stored, before the EXIF orientation (1..8) turns it upright."""

    format: ImageFormat
    width: int
    height: int
    orientation: int

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
    if data.startswith(_PNG_SIGNATURE):
        return "png"
    if data.startswith(_TIFF_SIGNATURES):
        return "tiff"
    # "BM" alone also starts plain texts: the size of the info header makes it certain.
    if data.startswith(b"BM") and data[14:18] in {
        struct.pack("<I", n) for n in (12, 40, 52, 56, 64, 108, 124)
    }:
        return "bmp"
    return None


def parse_header(data: bytes) -> ImageHeader | None:
    """Return size and orientation, or None where the bytes are no image of a known format.

    Raises
    ------
    TruncatedImage
        If the header is not complete within ``data``.
    MalformedImage
        If the header contradicts its format.
    """
    kind = sniff_format(data)
    try:
        if kind == "jpeg":
            orientation = 1
            for marker, start, end in _jpeg_segments(data):
                if marker == 0xE1 and data[start : start + 6] == b"Exif\0\0":
                    orientation = _exif_orientation(data[start + 6 : end])
                elif marker in _FRAME_MARKERS:
                    height, width = struct.unpack_from(">HH", data, start + 1)
                    return ImageHeader(kind, width, height, orientation)
            raise MalformedImage("jpeg: no frame")
        if kind == "png":
            return _parse_png(data)
        if kind == "tiff":
            fields, _ = _tiff_page(data)
            if not {256, 257} <= fields.keys():
                raise MalformedImage("tiff: no size")
            return ImageHeader(kind, fields[256][0], fields[257][0], _orientation_of(fields))
        if kind == "bmp":
            (info_size,) = struct.unpack_from("<I", data, 14)
            width, height = struct.unpack_from("<HH" if info_size == 12 else "<ii", data, 18)
            return ImageHeader(kind, width, abs(height), 1)
    except (struct.error, IndexError) as error:
        raise TruncatedImage(kind) from error
    return None


def check_complete(data: bytes, kind: ImageFormat) -> None:
    """Walk the whole file without decoding it.

    Raises
    ------
    TruncatedImage
        If the file ends early.
    SeveralPages
        If a TIFF has more than one page.
    MalformedImage
        If a check sum is wrong or the structure is broken.
    """
    try:
        if kind == "jpeg":
            for _ in _jpeg_segments(data):
                pass
        elif kind == "png":
            view = memoryview(data)
            for _, start, end in _png_chunks(data):
                (expected,) = struct.unpack_from(">I", data, end)
                if zlib.crc32(view[start - 4 : end]) != expected:
                    raise MalformedImage("png: check sum")
        elif kind == "tiff":
            _check_tiff(data)
        else:
            _check_bmp(data)
    except (struct.error, IndexError) as error:
        raise TruncatedImage(kind) from error


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of every segment, and of the end marker."""
    at = 2
    while True:
        if data[at] != 0xFF:
            raise MalformedImage("jpeg: marker expected")
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == 0xD9:
            yield marker, at, at
            return
        (length,) = struct.unpack_from(">H", data, at)
        if length < 2:
            raise MalformedImage("jpeg: segment length")
        yield marker, at + 2, at + length
        at += length
        if marker == 0xDA:
            found = _NEXT_MARKER.search(data, at)
            if found is None:
                raise TruncatedImage("jpeg")
            at = found.start()


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (type, start, end) of every chunk up to and including IEND."""
    at = len(_PNG_SIGNATURE)
    while True:
        length, name = struct.unpack_from(">I4s", data, at)
        if length > 0x7FFFFFFF:
            raise MalformedImage("png: chunk length")
        yield name, at + 8, at + 8 + length
        if name == b"IEND":
            return
        at += 12 + length


def _parse_png(data: bytes) -> ImageHeader:
    size: tuple[int, int] | None = None
    orientation = 1
    for name, start, end in _png_chunks(data):
        if name == b"IHDR":
            size = struct.unpack_from(">II", data, start)
        elif name == b"eXIf":
            orientation = _exif_orientation(data[start:end])
        elif name in {b"IDAT", b"IEND"}:
            # An eXIf behind the pixels is legal but nobody writes it; stopping here lets the
            # size be read from the first bytes of the file.
            break
    if size is None:
        raise MalformedImage("png: no IHDR")
    return ImageHeader("png", *size, orientation)


def _check_bmp(data: bytes) -> None:
    header = parse_header(data)
    assert header is not None
    (offset,) = struct.unpack_from("<I", data, 10)
    (info_size,) = struct.unpack_from("<I", data, 14)
    bits = struct.unpack_from("<H", data, 24 if info_size == 12 else 28)[0]
    compression = 0 if info_size == 12 else struct.unpack_from("<I", data, 30)[0]
    # Run-length coded pixels (1, 2) have no fixed size; the decoder finds their end missing.
    row = (header.width * bits + 31) // 32 * 4
    if compression in {0, 3} and offset + row * header.height > len(data):
        raise TruncatedImage("bmp")


def _tiff_page(data: bytes, at: int | None = None) -> tuple[dict[int, tuple[int, ...]], int]:
    """Return whole-number fields of a page, by tag, and the place of the link to the next page.

    A TIFF block is also what EXIF is; there the link may be absent.

    Parameters
    ----------
    at : where the page's directory begins; by default the first page's
    """
    order, big = _tiff_layout(data)
    word, count_code, entry_size = ("Q", "Q", 20) if big else ("I", "H", 12)
    if at is None:
        (at,) = struct.unpack_from(order + word, data, 8 if big else 4)
    (entries,) = struct.unpack_from(order + count_code, data, at)
    at += struct.calcsize(order + count_code)
    fields: dict[int, tuple[int, ...]] = {}
    for _ in range(entries):
        tag, kind, count = struct.unpack_from(order + "HH" + word, data, at)
        code = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind)
        if code is not None:
            inline = struct.calcsize(order + word)
            value_at = at + 4 + inline
            if _TIFF_TYPE_SIZE[kind] * count > inline:
                (value_at,) = struct.unpack_from(order + word, data, value_at)
            if value_at + _TIFF_TYPE_SIZE[kind] * count > len(data):
                raise TruncatedImage("tiff")
            fields[tag] = struct.unpack_from(f"{order}{count}{code}", data, value_at)
        at += entry_size
    return fields, at


def _check_tiff(data: bytes) -> None:
    fields, link = _tiff_page(data)
    # Strips (273, 279) or tiles (324, 325): offsets and byte counts of the pixel data.
    for offsets, counts in ((273, 279), (324, 325)):
        for offset, count in zip(fields.get(offsets, ()), fields.get(counts, ()), strict=False):
            if offset + count > len(data):
                raise TruncatedImage("tiff")
    order, big = _tiff_layout(data)
    (second,) = struct.unpack_from(order + ("Q" if big else "I"), data, link)
    # A page that is a thumbnail of the first is none of its own.
    if second and not _tiff_page(data, second)[0].get(_SUBFILE_TAG, (0,))[0] & 1:
        raise SeveralPages("tiff")


def _tiff_layout(data: bytes) -> tuple[str, bool]:
    """Return the byte order, and whether it is a BigTIFF."""
    return "<" if data[:2] == b"II" else ">", data[2:4] in {b"+\0", b"\0+"}


def _orientation_of(fields: dict[int, tuple[int, ...]]) -> int:
    value = fields.get(_ORIENTATION_TAG, (1,))
    return value[0] if value and 1 <= value[0] <= 8 else 1


def _exif_orientation(block: bytes) -> int:
    """Return the orientation of an EXIF block; 1 where the block is broken.

    Broken EXIF is common and says nothing about the pixels, so it is no reason to refuse them.
    """
    if not block.startswith(_TIFF_SIGNATURES):
        return 1
    try:
        return _orientation_of(_tiff_page(block)[0])
    except (struct.error, IndexError, TruncatedImage):
        return 1
