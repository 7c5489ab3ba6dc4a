"""TIFF and BigTIFF: strips and tiles become values as stored, every byte accounted for."""

from __future__ import annotations

import math
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from inspection.images.colours import Values, on_black
from inspection.images.formats import FLOAT, JPEG_BITS, JPEG_PROCESS, SIGNED
from inspection.images.headers import ImageHeader, ImageProblem
from inspection.images.jpeg import FRAME_MARKERS, decode_jpeg, jpeg_segments
from inspection.images.tiff_tags import (
    ASSOCIATED,
    JPEG,
    LZW,
    MIN_IS_WHITE,
    NONE,
    PACK_BITS,
    PALETTE_COLOURS,
    UNASSOCIATED,
    YCBCR,
    TiffLayout,
    read_tiff_layout,
)
from inspection.images.unwritten import is_partly_unwritten
from inspection.lzw import decode_lzw

_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
# Behind the start of an image: how its three components are meant, which TIFF says elsewhere.
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
_PADDING = 3
"""Bytes that a strip or tile may be longer than it has to be."""


def read_tiff_header(data: bytes) -> ImageHeader:
    """Check the directory and where its pixels lie.

    Raises
    ------
    ImageProblem
        If the file is cut short or damaged, holds several pictures, or is of a kind that is not
        read.
    """
    layout = read_tiff_layout(data)
    pixels = layout.width * layout.height
    values = pixels * layout.samples * max(1, layout.bits // 8)
    # The picture, one plane's or strip's share of it unpacked, and a copy in another order or
    # another meaning. Packed bits take a byte each on the way.
    segment = layout.row_bytes * layout.rows
    unpacked = segment * (16 if layout.bits % 8 else 6 if layout.compression == LZW else 2)
    # The search for what was never written takes some bytes a pixel.
    searched = 6 * pixels if layout.compression == NONE else 0
    work = (
        searched
        + 2 * max(values, 3 * pixels if layout.colours == PALETTE_COLOURS else 0)
        + unpacked
    )
    return ImageHeader("tiff", layout.width, layout.height, layout.orientation, work)


def decode_tiff(data: bytes) -> Values:
    """Return the values, not upright: (h, w) or (h, w, 3) RGB, transparency on black.

    Raises
    ------
    ImageProblem
        If strips or tiles are damaged.
    """
    layout = read_tiff_layout(data)
    values = _assemble(data, layout)
    if layout.compression == NONE:
        _refuse_unwritten(values, layout)
    if layout.colours == PALETTE_COLOURS:
        return _through_palette(values[:, :, 0], layout)
    if layout.bits < 8:
        values *= np.uint8(255 // ((1 << layout.bits) - 1))
    if layout.colours == MIN_IS_WHITE:
        most = -1 if layout.pixel_format == SIGNED else (1 << max(8, layout.bits)) - 1
        np.subtract(values.dtype.type(most), values, out=values)
    if layout.pixel_format == FLOAT and not np.isfinite(values).all():
        raise ImageProblem("image_not_finite")
    if layout.imagej_signed and values.dtype == np.uint16:
        values = (values ^ np.uint16(0x8000)).view(np.int16)
    colours, alpha = values[:, :, :3], values[:, :, 3:]
    if values.shape[2] <= 2:
        colours, alpha = values[:, :, 0], values[:, :, 1:]
    if layout.extra == (UNASSOCIATED,):
        return on_black(np.ascontiguousarray(colours), alpha[:, :, 0])
    if layout.extra not in ((), (ASSOCIATED,)) and (alpha != alpha[0, 0]).any():
        # Something that varies, and nobody says what it is.
        raise ImageProblem("image_extra_samples", value=1)
    return np.ascontiguousarray(colours)


def _assemble(data: bytes, layout: TiffLayout) -> Values:
    """Return (h, w, samples) of all strips or tiles, in their place."""
    down = math.ceil(layout.height / layout.rows)
    across = math.ceil(layout.width / layout.columns)
    kind = {FLOAT: "f4", SIGNED: "i2"}.get(layout.pixel_format, "u1" if layout.bits <= 8 else "u2")
    values = np.zeros((layout.height, layout.width, layout.samples), kind)
    for index, (offset, count) in enumerate(
        zip(layout.offsets.tolist(), layout.counts.tolist(), strict=True)
    ):
        plane, place = divmod(index, down * across)
        top, left = place // across * layout.rows, place % across * layout.columns
        piece = _segment(data[offset : offset + count], layout, layout.segment_rows(place))
        into = values[top : top + layout.rows, left : left + layout.columns]
        if layout.separate:
            into[:, :, plane] = piece[: into.shape[0], : into.shape[1], 0]
        else:
            into[:] = piece[: into.shape[0], : into.shape[1]]
    return values


def _refuse_unwritten(values: Values, layout: TiffLayout) -> None:
    tile = (layout.rows, layout.columns) if layout.tiled else None
    planes = np.moveaxis(values, 2, 0) if layout.separate else [values]
    pixel_bits = layout.bits * (1 if layout.separate else layout.samples)
    # No part is of one pure colour: the plane of another was to follow.
    lost = layout.separate and not all(plane.any() for plane in planes[:3])
    if lost or any(is_partly_unwritten(plane, pixel_bits, tile) for plane in planes):
        raise ImageProblem("image_never_written")


def _segment(packed: bytes, layout: TiffLayout, rows: int) -> Values:
    """Return the values of a strip or tile, (rows, columns, samples)."""
    samples = 1 if layout.separate else layout.samples
    if layout.compression == JPEG:
        return _jpeg_segment(packed, layout, rows, samples)
    if layout.reversed_bits:
        packed = packed.translate(_REVERSED)
    needed = layout.row_bytes * rows
    # The last strip may be written with as many rows as the others.
    whole = layout.row_bytes * layout.rows
    raw = _unpack(packed, layout.compression, whole)
    if len(raw) < needed:
        raise ImageProblem("image_truncated" if layout.compression == NONE else "image_corrupt")
    if len(raw) > needed + _PADDING and not whole <= len(raw) <= whole + _PADDING:
        raise ImageProblem("image_corrupt")
    flat = np.frombuffer(raw, np.uint8, needed).reshape(rows, layout.row_bytes)
    count = layout.columns * samples
    if layout.predictor == 3:
        return _floats(flat, samples).reshape(rows, layout.columns, samples)
    if layout.bits % 8:
        bits = np.unpackbits(flat, axis=1)[:, : count * layout.bits]
        bits = bits.reshape(rows, count, layout.bits)
        values: Values = np.zeros((rows, count), np.uint8 if layout.bits < 8 else np.uint16)
        for place in range(layout.bits):
            values |= bits[:, :, place].astype(values.dtype) << (layout.bits - 1 - place)
    else:
        letter = {FLOAT: "f", SIGNED: "i"}.get(layout.pixel_format, "u")
        values = flat.view(f"{layout.order}{letter}{layout.bits // 8}")
    values = values.reshape(rows, layout.columns, samples)
    if layout.predictor == 2:
        return np.cumsum(values, axis=1, dtype=values.dtype.newbyteorder("="))
    return values


def _unpack(packed: bytes, compression: int, limit: int) -> bytes:
    """Undo the compression; at most a little more than ``limit`` bytes come out."""
    try:
        if compression == NONE:
            return packed
        if compression == LZW:
            if packed[:1] == b"\0" and packed[1:2] and packed[1] & 1:
                raise ImageProblem("image_compression", value="LZW (before TIFF 5.0)")
            return decode_lzw(packed, limit + _PADDING)
        if compression == PACK_BITS:
            return _packbits(packed, limit + _PADDING)
        stream = zlib.decompressobj()
        raw = stream.decompress(packed, limit + _PADDING + 1)
        # The check sum is read when a byte more is asked for.
        raw += stream.decompress(stream.unconsumed_tail, 1)
    except (zlib.error, ValueError) as error:
        if isinstance(error, ImageProblem):
            raise
        raise ImageProblem("image_corrupt") from error
    if not stream.eof or len(stream.unused_data.rstrip(b"\0")) > _PADDING:
        raise ImageProblem("image_corrupt")
    return raw


def _packbits(packed: bytes, limit: int) -> bytes:
    parts, total, at = [], 0, 0
    while at < len(packed) and total <= limit:
        head = packed[at]
        if head < 128:
            part = packed[at + 1 : at + 2 + head]
            if len(part) <= head:
                raise ImageProblem("image_corrupt")
            at += head + 2
        elif head > 128:
            part = packed[at + 1 : at + 2] * (257 - head)
            at += 2
        else:
            part = b""
            at += 1
        parts.append(part)
        total += len(part)
    return b"".join(parts)


def _floats(rows: NDArray[np.uint8], samples: int) -> NDArray[np.float32]:
    """Undo the floating point predictor: bytes of a row in four planes, high first, as differences.

    References
    ----------
    Adobe Photoshop TIFF Technical Note 3, 2005.
    """
    height, width = rows.shape
    summed = np.cumsum(rows.reshape(height, -1, samples), axis=1, dtype=np.uint8)
    planes = summed.reshape(height, 4, width // 4).swapaxes(1, 2)
    return np.ascontiguousarray(planes).view(">f4").reshape(height, -1).astype(np.float32)


def _jpeg_segment(packed: bytes, layout: TiffLayout, rows: int, samples: int) -> Values:
    """Decode a JPEG strip or tile, whose tables may be kept once for all."""
    if packed[:2] != b"\xff\xd8":
        raise ImageProblem("image_corrupt")
    tables = layout.tables[2:-2] if layout.tables[:2] == b"\xff\xd8" else b""
    meaning = _ADOBE + (b"\1" if layout.colours == YCBCR else b"\0")
    data = packed[:2] + (meaning if samples == 3 else b"") + tables + packed[2:]
    frame = None
    for marker, start, end in jpeg_segments(data):
        if marker in FRAME_MARKERS and end - start >= 6:
            frame = struct.unpack_from(">BHHB", data, start)
            JPEG_PROCESS.check(marker)
    if frame is None:
        raise ImageProblem("image_corrupt")
    bits, height, width, components = frame
    JPEG_BITS.check(bits)
    if components != samples or width != layout.columns or not rows <= height <= layout.rows:
        raise ImageProblem("image_corrupt")
    pixels = decode_jpeg(data, samples == 1, (width, height))
    return pixels.reshape(height, width, samples)


def _through_palette(indices: Values, layout: TiffLayout) -> NDArray[np.uint8]:
    size = 1 << layout.bits
    if len(layout.palette) != 3 * size:
        raise ImageProblem("image_corrupt")
    table: Values = layout.palette.reshape(3, size).T
    # 16 bits a colour; some writers fill in 8, and libtiff takes them so.
    table = table >> 8 if int(table.max()) > 255 else table
    return np.take(table.astype(np.uint8), indices, axis=0)
