"""Stacks in one TIFF file: plain pages, BigTIFF, ImageJ's hyperstacks and OME-TIFF.

tifffile reads the directories and says how the pages are meant; the voxels are read by us, so that
a page that is short is an error and not grey (decision 0033).
"""

from __future__ import annotations

import lzma
import math
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspection.errors import ImageError
from inspection.lzw import decode_lzw
from inspection.volumes.greys import KEPT, Greys
from inspection.volumes.source import PlaneAt, Source, StoredPlanes
from inspection.volumes.stopping import go_on
from inspection.volumes.tiff_pages import chained_pages
from inspection.volumes.tiff_scale import voxel_mm
from inspection.volumes.volume import VolumeInfo, Voxels

NONE, LZW, PACK_BITS, LZMA = 1, 5, 32773, 34925
_UNPACKED = (NONE, LZW, 8, 32946, PACK_BITS, LZMA)
_PREDICTORS = (1, 2)
_MIN_IS_WHITE, _MIN_IS_BLACK = 0, 1


def open_tiff(path: Path) -> Source:
    """Read the directories of a stack.

    Raises
    ------
    ImageError
        If it is damaged, cut short, has pages of several sizes, or is of a kind that is not read.
    """
    from tifffile import TiffFile

    try:
        pages = chained_pages(path)
        with TiffFile(path) as file:
            return _source(path, file, pages)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError("image_missing", name=path.name) from error
    except OSError as error:
        problem = error.strerror or str(error)
        raise ImageError("image_unreadable", name=path.name, problem=problem) from error
    # What a damaged file makes tifffile raise is no short list.
    except Exception as error:
        raise ImageError("volume_damaged", name=path.name) from error


def _source(path: Path, file: Any, chained: int) -> Source:
    series = file.series[0]
    page = series.keyframe
    _refuse_foreign(path, page)
    shape = _shape(path, file, series)
    # tifffile passes over a chain that breaks off, and the rest of the body with it.
    if chained not in (1, shape[0]):
        raise ImageError("volume_damaged", name=path.name)
    offset = series.dataoffset
    order = file.byteorder
    kind = np.dtype(page.dtype)
    letter = f"{order if kind.itemsize > 1 else '|'}{kind.kind}{kind.itemsize}"
    top = None
    if page.photometric == _MIN_IS_WHITE:
        top = (1 << kind.itemsize * 8) - 1 if kind.kind == "u" else -1
    greys = Greys(letter, turned_at=top)
    info = VolumeInfo(shape, greys.dtype, voxel_mm(file), _title(file))
    plane = shape[1] * shape[2] * kind.itemsize
    size = os.fstat(file.filehandle.fileno()).st_size
    if offset is not None:
        _refuse_short(path, offset + plane * shape[0], size)
        return StoredPlanes(
            info, [PlaneAt(path, offset + plane * z) for z in range(shape[0])], greys
        )
    pages = [_Page(*_segments(page)) for page in series.pages]
    if any(None in page.offsets or len(page.offsets) != len(page.counts) for page in pages):
        raise ImageError("volume_damaged", name=path.name)
    _refuse_short(path, max(o + c for p in pages for o, c in zip(*p, strict=True)), size)
    if not all(count for page in pages for count in page.counts):
        raise ImageError("image_never_written", name=path.name)
    if page.compression == 1 and all(len(page.offsets) == 1 for page in pages):
        if any(page.counts[0] < plane for page in pages):
            raise ImageError("volume_cut", name=path.name)
        return StoredPlanes(info, [PlaneAt(path, page.offsets[0]) for page in pages], greys)
    return PackedPages(path, info, pages, page, greys)


def _name(value: Any) -> str:
    return getattr(value, "name", str(value))


def _title(file: Any) -> str:
    if file.is_ome:
        return "OME-TIFF"
    if file.is_imagej:
        return "ImageJ TIFF"
    return "BigTIFF" if file.is_bigtiff else "TIFF"


def _refuse_short(path: Path, needed: int, size: int) -> None:
    if needed > size:
        raise ImageError("volume_cut", name=path.name)


def _refuse_foreign(path: Path, page: Any) -> None:
    """Refuse by its name what is not read."""
    name = path.name
    if page.compression not in _UNPACKED:
        raise ImageError("image_compression", name=name, value=_name(page.compression))
    if page.predictor not in _PREDICTORS:
        raise ImageError("image_predictor", name=name, value=_name(page.predictor))
    if page.photometric not in (_MIN_IS_WHITE, _MIN_IS_BLACK) or page.samplesperpixel != 1:
        raise ImageError("image_colours", name=name, value=_name(page.photometric))
    kind = np.dtype(page.dtype) if page.dtype is not None else None
    if kind is None or page.bitspersample not in (8, 16, 32, 64) or kind.kind not in "uif":
        bits = f"{page.bitspersample}-bit"
        raise ImageError("image_pixel_type", name=name, value=bits)
    if kind.kind in "ui" and kind.name not in KEPT and page.photometric == _MIN_IS_WHITE:
        raise ImageError("image_pixel_type", name=name, value=f"min-is-white {kind.name}")


def _shape(path: Path, file: Any, series: Any) -> tuple[int, int, int]:
    """Return (z, y, x) of a stack with one direction across its pages, whatever that is called."""
    if len(file.series) > 1:
        raise ImageError("volume_mixed_sizes", name=path.name)
    across = [
        (axis, length)
        for axis, length in zip(series.get_axes(False), series.get_shape(False), strict=True)
        if axis not in "YX" and length > 1
    ]
    # Some writers call the planes of a stack channels; as many of them are no colours.
    coloured = any(axis == "S" or (axis == "C" and length <= 4) for axis, length in across)
    if len(across) > 1 or coloured:
        raise ImageError("volume_several_channels", name=path.name)
    height, width = series.keyframe.shape[-2:]
    return (across[0][1] if across else 1), height, width


class _Page(NamedTuple):
    offsets: tuple[int, ...]
    counts: tuple[int, ...]


def _segments(page: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if page is None:
        raise ValueError("a page is missing")
    return tuple(page.dataoffsets), tuple(page.databytecounts)


class PackedPages:
    """Pages in strips or tiles, unpacked as they are asked for.

    Parameters
    ----------
    keyframe : tifffile's page that says how all of them are packed
    """

    packed = True

    def __init__(
        self, path: Path, info: VolumeInfo, pages: Sequence[_Page], keyframe: Any, greys: Greys
    ) -> None:
        self.info = info
        self._path = path
        self._pages = pages
        self._greys = greys
        self._compression = int(keyframe.compression)
        self._predictor = int(keyframe.predictor)
        _, height, width = info.shape
        self._piece = (
            (keyframe.tilelength, keyframe.tilewidth)
            if keyframe.is_tiled
            else (min(keyframe.rowsperstrip, height), width)
        )
        self._tiled = keyframe.is_tiled
        down, across = (math.ceil(s / p) for s, p in zip((height, width), self._piece, strict=True))
        if any(len(page.offsets) != down * across for page in pages):
            raise ImageError("volume_damaged", name=path.name)
        self._across = across

    def read(self, start: Sequence[int], stop: Sequence[int]) -> Voxels:
        """Return the voxels from ``start`` up to ``stop``, both (z, y, x)."""
        (z0, y0, x0), (z1, y1, x1) = start, stop
        box = np.empty((z1 - z0, y1 - y0, x1 - x0), self.info.dtype)
        try:
            with self._path.open("rb") as file:
                for index in range(z1 - z0):
                    go_on()
                    stored = self._rows(file, self._pages[z0 + index], y0, y1)
                    box[index] = self._greys.values(stored[:, x0:x1])
        except FileNotFoundError as error:
            raise ImageError("image_missing", name=self._path.name) from error
        except OSError as error:
            problem = error.strerror or str(error)
            raise ImageError("image_unreadable", name=self._path.name, problem=problem) from error
        except (ValueError, zlib.error, lzma.LZMAError) as error:
            raise ImageError("volume_damaged", name=self._path.name) from error
        return box

    def close(self) -> None:
        """Forget nothing: every read opens its files."""

    def _rows(self, file: BinaryIO, page: _Page, top: int, bottom: int) -> NDArray[np.generic]:
        """Return the rows from ``top`` up to ``bottom`` as stored; pieces outside stay packed."""
        _, height, width = self.info.shape
        tall, wide = self._piece
        kind = np.dtype(self._greys.stored)
        first = top // tall * tall
        rows = np.empty((bottom - first, width), kind)
        for row in range(first, bottom, tall):
            for column in range(self._across):
                place = row // tall * self._across + column
                file.seek(page.offsets[place])
                packed = file.read(page.counts[place])
                # The last strip may hold fewer rows; a tile is always whole.
                lines = tall if self._tiled else min(tall, height - row)
                raw = unpacked(packed, self._compression, lines * wide * kind.itemsize)
                values = np.frombuffer(raw, kind, lines * wide).reshape(lines, wide)
                if self._predictor == 2:
                    native = kind.newbyteorder("=")
                    values = np.cumsum(values, axis=1, dtype=native)
                into = rows[row - first : row - first + lines, column * wide : (column + 1) * wide]
                into[:] = values[: into.shape[0], : into.shape[1]]
        return rows[top - first :]


def unpacked(packed: bytes, compression: int, size: int) -> bytes:
    """Undo a piece's compression.

    Raises
    ------
    ValueError, zlib.error, lzma.LZMAError
        If it is damaged, or holds fewer than ``size`` bytes.
    """
    if compression == LZW:
        raw = decode_lzw(packed, size)
    elif compression == PACK_BITS:
        raw = _packbits(packed, size)
    elif compression == LZMA:
        raw = lzma.LZMADecompressor().decompress(packed, size)
    elif compression == NONE:
        raw = packed
    else:
        stream = zlib.decompressobj()
        raw = stream.decompress(packed, size)
        # The check sum is read when a byte more is asked for.
        stream.decompress(stream.unconsumed_tail, 1)
        if not stream.eof:
            raise ValueError("the stream does not end where the piece does")
    if len(raw) < size:
        raise ValueError("fewer bytes than voxels")
    return raw


def _packbits(packed: bytes, limit: int) -> bytes:
    parts, total, at = [], 0, 0
    while at < len(packed) and total < limit:
        head = packed[at]
        part = b""
        if head < 128:
            part = packed[at + 1 : at + 2 + head]
            at += head + 1
        elif head > 128:
            part = packed[at + 1 : at + 2] * (257 - head)
            at += 1
        at += 1
        parts.append(part)
        total += len(part)
    return b"".join(parts)
