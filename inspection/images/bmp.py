"""BMP: palettes, masks and run lengths, every row accounted for."""

from __future__ import annotations

import struct
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.images.colours import on_black
from inspection.images.formats import BMP_BITS, BMP_COMPRESSION
from inspection.images.headers import ImageHeader, ImageProblem, refuse_second_picture
from inspection.images.unwritten import is_partly_unwritten

Pixels = NDArray[np.uint8]
_NONE, _RLE8, _RLE4, _MASKS, _ALPHA_MASKS = 0, 1, 2, 3, 6
_CORE, _INFO, _OS2 = 12, 40, 64
_FILE_HEADER = 14
_MOST_RUN_BYTES = 1 << 25
"""Runs are read one by one."""
_PADDING = 3
"""Pixels that a row of runs may be too long: some writers pad it to a multiple of 4."""


class _Layout(NamedTuple):
    width: int
    height: int
    bits: int
    compression: int
    offset: int
    colours: int
    info_size: int
    stride: int
    """Bytes of a row where the pixels are not run-length coded."""


def read_bmp_header(data: bytes) -> ImageHeader:
    """Check a whole file against its header.

    Raises
    ------
    ImageProblem
        If it is cut short or damaged, holds a second picture, or is of a kind that is not read.
    """
    layout = _read_layout(data)
    if layout.compression in (_RLE8, _RLE4):
        if len(data) - layout.offset > _MOST_RUN_BYTES:
            raise ImageProblem("image_file_too_large", megabytes=len(data) >> 20)
    else:
        end = layout.offset + layout.stride * abs(layout.height)
        if end > len(data):
            raise ImageProblem("image_truncated")
        refuse_second_picture(data, end)
    height = abs(layout.height)
    # Sources, (h, w, 3) and, where there are masks, 32-bit numbers.
    work = layout.width * height * (20 if layout.bits in (16, 32) else 12)
    return ImageHeader("bmp", layout.width, height, 1, work)


def _read_layout(data: bytes) -> _Layout:
    try:
        (offset, info_size) = struct.unpack_from("<II", data, 10)
        compression = colours = 0
        if info_size == _CORE:
            width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        else:
            width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
            (colours,) = struct.unpack_from("<I", data, 46)
    except struct.error as error:
        raise ImageProblem("image_truncated") from error
    BMP_COMPRESSION.check(compression)
    BMP_BITS.check(bits)
    if info_size == _OS2 and compression not in (_NONE, _RLE8, _RLE4):
        raise ImageProblem("image_compression", value=f"{compression} of OS/2")
    fits = {_RLE8: (8,), _RLE4: (4,), _MASKS: (16, 32), _ALPHA_MASKS: (16, 32)}
    if width < 1 or height == 0 or bits not in fits.get(compression, (bits,)):
        raise ImageProblem("image_corrupt")
    if not _FILE_HEADER + info_size <= offset:
        raise ImageProblem("image_corrupt")
    stride = (width * bits + 31) // 32 * 4
    return _Layout(width, height, bits, compression, offset, colours, info_size, stride)


def decode_bmp(data: bytes) -> Pixels:
    """Return the pixels: (h, w) or (h, w, 3) RGB, transparency on black.

    Raises
    ------
    ImageProblem
        If runs or palette contradict the header.
    """
    layout = _read_layout(data)
    if layout.compression in (_NONE, _MASKS, _ALPHA_MASKS):
        # Bytes stand for pixels of any size here: what counts is where they are zeros.
        written = _rows(data, layout)[:, : max(1, layout.width * layout.bits // 8)]
        if layout.bits > 8:
            written = written.reshape(len(written), layout.width, -1)
        if is_partly_unwritten(written, max(8, layout.bits)):
            raise ImageProblem("image_never_written")
    height = abs(layout.height)
    if layout.bits <= 8:
        if layout.compression == _NONE:
            indices = _rows(data, layout)
            if layout.bits < 8:
                indices = _nibbles(indices, layout.bits)
            indices = indices[:, : layout.width]
        else:
            indices = _runs(data[layout.offset :], layout)
        pixels = _through_palette(data, layout, indices)
    elif layout.bits == 24:
        pixels = _rows(data, layout)[:, : 3 * layout.width].reshape(height, layout.width, 3)
        pixels = pixels[:, :, ::-1]
    else:
        pixels = _through_masks(data, layout)
    # Rows are stored from the bottom up, unless the height is negative.
    return np.ascontiguousarray(pixels[::-1] if layout.height > 0 else pixels)


def _rows(data: bytes, layout: _Layout) -> Pixels:
    count = layout.stride * abs(layout.height)
    return np.frombuffer(data, np.uint8, count, layout.offset).reshape(-1, layout.stride)


def _nibbles(packed: Pixels, bits: int) -> Pixels:
    """Return the values of 1 or 4 bits that bytes hold, the highest bits first."""
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    values = (packed[:, :, None] >> shifts) & np.uint8((1 << bits) - 1)
    return values.reshape(len(packed), -1)


def _through_palette(data: bytes, layout: _Layout, indices: Pixels) -> Pixels:
    entry = 3 if layout.info_size == _CORE else 4
    start = _FILE_HEADER + layout.info_size
    count = layout.colours or 1 << layout.bits
    count = min(count, (layout.offset - start) // entry, 256)
    if count < 1 or start + count * entry > len(data):
        raise ImageProblem("image_corrupt")
    table = np.zeros((256, 3), np.uint8)
    table[:count] = np.frombuffer(data, np.uint8, count * entry, start).reshape(-1, entry)[:, 2::-1]
    if int(indices.max()) >= count:
        raise ImageProblem("image_corrupt")
    grey = (table == table[:, :1]).all()
    if grey:
        return np.asarray(cv2.LUT(np.ascontiguousarray(indices), table[:, 0].copy()), np.uint8)
    return np.take(table, indices, axis=0)


def _through_masks(data: bytes, layout: _Layout) -> Pixels:
    """Return RGB of pixels of 16 or 32 bits; each colour is stretched to 8 bits."""
    masks = (0x7C00, 0x3E0, 0x1F, 0) if layout.bits == 16 else (0xFF0000, 0xFF00, 0xFF, 0)
    if layout.compression in (_MASKS, _ALPHA_MASKS):
        alpha = layout.compression == _ALPHA_MASKS or layout.info_size >= 56
        try:
            found = struct.unpack_from("<4I" if alpha else "<3I", data, _FILE_HEADER + _INFO)
        except struct.error as error:
            raise ImageProblem("image_truncated") from error
        masks = (*found, 0)[:4]
    if not all(masks[:3]):
        raise ImageProblem("image_corrupt")
    packed = np.ascontiguousarray(_rows(data, layout)[:, : layout.width * layout.bits // 8])
    values = packed.view("<u2" if layout.bits == 16 else "<u4")
    planes = []
    for mask in masks:
        if mask == 0:
            continue
        low = (mask & -mask).bit_length() - 1
        most = mask >> low
        if most & (most + 1) or most > 0xFFFF:
            raise ImageProblem("image_corrupt")
        plane = (values & np.uint32(mask)) >> np.uint32(low)
        planes.append(((plane * np.uint32(255) + most // 2) // most).astype(np.uint8))
    pixels = np.dstack(planes[:3])
    return on_black(pixels, planes[3]) if len(planes) == 4 else pixels


def _runs(data: bytes, layout: _Layout) -> Pixels:
    """Return the palette indices of run-length coded rows, the bottom one first."""
    width, height = layout.width, abs(layout.height)
    nibbles = layout.compression == _RLE4
    indices = np.zeros((height, width + _PADDING), np.uint8)
    x = y = at = 0
    try:
        while True:
            count, value = data[at], data[at + 1]
            at += 2
            if count:
                if y >= height or x + count > width + _PADDING:
                    raise ImageProblem("image_corrupt")
                if nibbles and value >> 4 != value & 15:
                    indices[y, x : x + count : 2] = value >> 4
                    indices[y, x + 1 : x + count : 2] = value & 15
                else:
                    indices[y, x : x + count] = value & 15 if nibbles else value
                x += count
            elif value == 0:
                x, y = 0, y + 1
            elif value == 1:
                break
            elif value == 2:
                x, y = x + data[at], y + data[at + 1]
                at += 2
            else:
                size = (value + 1) // 2 if nibbles else value
                piece = np.frombuffer(data, np.uint8, size, at)
                if y >= height or x + value > width + _PADDING:
                    raise ImageProblem("image_corrupt")
                if nibbles:
                    piece = _nibbles(piece[None], 4)[0]
                indices[y, x : x + value] = piece[:value]
                at += size + size % 2
                x += value
    except (IndexError, ValueError) as error:
        if isinstance(error, ImageProblem):
            raise
        raise ImageProblem("image_truncated") from error
    refuse_second_picture(data, at)
    return indices[:, :width]
