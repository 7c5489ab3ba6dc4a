"""Voxels that lie one behind the other in a file, which a header describes."""

from __future__ import annotations

import bz2
import gzip
import threading
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from inspection.errors import ImageError
from inspection.messages import Message
from inspection.volumes import scratch
from inspection.volumes.greys import Greys
from inspection.volumes.raw.header import Packing, RawVolume
from inspection.volumes.source import Damage, PlaneAt, StoredPlanes
from inspection.volumes.stopping import ReadingStopped, go_on, held
from inspection.volumes.volume import VolumeInfo, Voxels

_IN_MEMORY_BYTES = 1 << 28
_STEP = 1 << 22
_LOOKED_AT_ROWS = 64
_ROUGHER = 8
"""How much rougher a picture is in the wrong byte order, at least."""


def open_raw(raw: RawVolume) -> StoredPlanes | UnpackedPlanes:
    """Return the planes of a described volume.

    Raises
    ------
    ImageError
        If the data are not there, or not as many as the header says.
    """
    try:
        found = raw.data.stat().st_size
    except FileNotFoundError as error:
        raise ImageError("volume_data_missing", name=raw.header.name, data=raw.data.name) from error
    except OSError as error:
        problem = error.strerror or str(error)
        raise ImageError("image_unreadable", name=raw.data.name, problem=problem) from error
    info = VolumeInfo(raw.shape, raw.greys.dtype, raw.voxel_mm, raw.format)
    if raw.packing != "none":
        return UnpackedPlanes(raw, info)
    offset = found - raw.size if raw.offset < 0 else raw.offset
    if offset < 0 or offset + raw.size != found:
        raise ImageError(
            "volume_size_differs",
            name=raw.header.name,
            needed=raw.size,
            found=max(0, found - max(0, raw.offset)),
        )
    source = StoredPlanes(info, _places(raw.data, offset, raw), raw.greys)
    if _is_turned_round(source, raw):
        source.info = info._replace(
            warnings=(Message(code="volume_byte_order", params={"name": raw.header.name}),)
        )
    return source


def _places(path: Path, offset: int, raw: RawVolume) -> list[PlaneAt]:
    plane = raw.size // raw.shape[0]
    return [PlaneAt(path, offset + plane * z) for z in range(raw.shape[0])]


def _is_turned_round(source: StoredPlanes, raw: RawVolume) -> bool:
    """Return whether two-byte numbers make a smoother picture the other way round."""
    kind = np.dtype(raw.greys.stored)
    if kind.itemsize != 2:
        return False
    depth, height, width = raw.shape
    top = max(0, height // 2 - _LOOKED_AT_ROWS // 2)
    as_said = StoredPlanes(source.info, source.places, Greys(kind.str))
    rows = as_said.read((depth // 2, top, 0), (depth // 2 + 1, min(height, top + 64), width))[0]
    # Where the low bytes are all zero, an 8-bit picture was stored in the high ones.
    if width < 2 or not (rows & 0xFF).any():
        return False
    rough, other = (
        float(np.abs(np.diff(values.astype(np.int64), axis=1)).mean())
        for values in (rows, rows.byteswap())
    )
    return rough > _ROUGHER * other


class UnpackedPlanes:
    """Voxels packed as one stream, which has to be unpacked from its beginning.

    It is unpacked once, when the first voxel is asked for: into memory, or into the scratch folder.
    """

    packed = False

    def __init__(self, raw: RawVolume, info: VolumeInfo) -> None:
        self.info = info
        self._raw = raw
        self._lock = threading.Lock()
        self._damage = Damage()
        self._whole: Voxels | None = None
        self._stored: StoredPlanes | None = None
        self._place: scratch.Scratch | None = None

    def read(self, start: Sequence[int], stop: Sequence[int]) -> Voxels:
        """Return the voxels from ``start`` up to ``stop``, both (z, y, x)."""
        (z0, y0, x0), (z1, y1, x1) = start, stop
        with held(self._lock):
            if self._whole is None and self._stored is None:
                with self._damage.told_again():
                    self._unpack()
            if self._stored is not None:
                return self._stored.read(start, stop)
            assert self._whole is not None
            return self._whole[z0:z1, y0:y1, x0:x1].copy()

    def close(self) -> None:
        """Forget what was unpacked; it is unpacked anew if it is asked for again."""
        with self._lock:
            self._whole = self._stored = None
            if self._place is not None:
                self._place.remove()
                self._place = None

    def _unpack(self) -> None:
        raw = self._raw
        if raw.size <= _IN_MEMORY_BYTES:
            data = bytearray()
            self._pour(data.extend)
            stored = np.frombuffer(data, raw.greys.stored).reshape(raw.shape)
            self._whole = raw.greys.values(stored)
            return
        full = ImageError("volume_no_scratch", name=raw.header.name, gigabytes=raw.size >> 30)
        place = scratch.reserve(raw.header, raw.size, self)
        if place is None:
            raise full
        try:
            with place.path.open("wb") as file:

                def write(data: bytes) -> None:
                    try:
                        file.write(data)
                        file.flush()
                    except OSError as error:
                        raise full from error

                self._pour(write)
        except (ImageError, ReadingStopped):
            place.remove()
            raise
        self._place = place
        self._stored = StoredPlanes(self.info, _places(place.path, 0, raw), raw.greys)

    def _pour(self, into: Callable[[bytes], object]) -> None:
        raw = self._raw
        left = raw.size
        try:
            with raw.data.open("rb") as file:
                file.seek(max(0, raw.offset))
                with _stream(file, raw.packing) as stream:
                    if len(stream.read(raw.skipped)) < raw.skipped:
                        raise EOFError
                    while left:
                        go_on()
                        data = stream.read(min(_STEP, left))
                        if not data:
                            raise EOFError
                        into(data)
                        left -= len(data)
                    if stream.read(1):
                        raise ImageError("volume_damaged", name=raw.data.name)
        except FileNotFoundError as error:
            raise ImageError("image_missing", name=raw.data.name) from error
        except EOFError as error:
            raise ImageError("volume_cut", name=raw.data.name) from error
        except (gzip.BadGzipFile, zlib.error, ValueError) as error:
            raise ImageError("volume_damaged", name=raw.data.name) from error
        except OSError as error:
            # bz2 tells damage by one that no system has raised.
            if error.errno is None:
                raise ImageError("volume_damaged", name=raw.data.name) from error
            problem = error.strerror or type(error).__name__
            raise ImageError("image_unreadable", name=raw.data.name, problem=problem) from error


def _stream(file: IO[bytes], packing: Packing) -> Any:
    if packing == "gzip":
        return gzip.GzipFile(fileobj=file)
    if packing == "bzip2":
        return bz2.BZ2File(file)
    return _ZlibFile(file)


class _ZlibFile:
    """A zlib stream read piece by piece."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._stream = zlib.decompressobj()

    def __enter__(self) -> _ZlibFile:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the file to who opened it."""

    def read(self, size: int) -> bytes:
        out = b""
        while len(out) < size and not self._stream.eof:
            packed = self._stream.unconsumed_tail or self._file.read(_STEP)
            if not packed:
                break
            out += self._stream.decompress(packed, size - len(out))
        return out
