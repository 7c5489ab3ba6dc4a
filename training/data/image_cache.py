"""Decoded, cropped and letterboxed images kept on disk, so that only a first epoch decodes.

One file an image, named by a digest of all that its pixels depend on: path, size and time of the
source file, or of all files of the volume that it is a plane of, the preprocess's geometry, the
region asked for. It holds the raw pixels after a short header with a checksum: a file cut off by a
crash, or altered, is decoded anew. Files are put in place by a rename: processes may share them.

The folder is bounded. Images that this run has not used make room, the longest unused first; its
own never do. Where a run needs more than the bound, what fits stays and the rest is decoded in
every epoch, while a plain least-recently-used rule would drop each image just before its turn.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import logging
import os
import secrets
import struct
import threading
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray
from pydantic import Field

from inspection import lzw, volumes
from inspection.config import Config
from inspection.errors import ConfigError
from inspection.images import (
    bmp,
    bounds,
    colours,
    decoding,
    formats,
    grey,
    headers,
    jpeg,
    png,
    preprocess,
    sections,
    tiff,
    tiff_tags,
    unwritten,
)
from inspection.images.grey import GreyWindow
from inspection.images.preprocess import Preprocess, load_image
from inspection.records import ImageSource, Modality, Rect, Section, VolumeRef
from inspection.volumes.opening import volume_files
from training.data.transforms import Pixels, letterbox

log = logging.getLogger(__name__)

_Stat = tuple[bytes, int, int]

FORMAT = b"BSIMG001"
_HEADER = struct.Struct("<8s8iHI")
# format; content x, y, w, h; roi x, y, w, h; channels; checksum of the rest
_SUFFIX = ".img"
_RESCAN_SHARE = 1 / 32
"""Written since the folder was last measured, as a share of the bound: others write to it too."""
_ABANDONED_S = 3600.0
"""Age at which the temporary file of a killed writer is removed."""


class CacheConfig(Config):
    """Where decoded images are kept, and how much of the disk they may take.

    Parameters
    ----------
    folder : null is the user's cache folder
    max_gigabytes : bound of the folder; 0 keeps nothing and decodes in every epoch
    """

    folder: Path | None = None
    max_gigabytes: float = Field(default=20.0, ge=0.0)


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image as the network takes it, but for the normalisation.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3) uint8, not to be written to
    roi : the inspected part of the source image, source pixels
    content : where that part lies in (H, W)
    """

    pixels: Pixels
    roi: Rect
    content: Rect


class ImageCache:
    """Prepared images, from the disk where they were prepared before. Safe to share by threads.

    Parameters
    ----------
    folder : made when needed
    max_bytes : bound of the files in it; 0 turns the cache off

    Raises
    ------
    ConfigError
        If the folder cannot be made.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.decoded = 0
        self._lock = threading.Lock()
        self._used: set[str] = set()
        self._volumes: dict[VolumeRef, tuple[_Stat, ...]] = {}
        self._reserved: dict[str, int] = {}
        self._total = 0
        self._unmeasured = 0
        self._full = max_bytes <= 0
        if max_bytes > 0:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                problem = error.strerror or str(error)
                raise ConfigError("cache_folder", folder=str(folder), problem=problem) from error
            self._total = self._measure()

    def read(
        self,
        source: ImageSource,
        modality: Modality,
        spec: Preprocess,
        window: GreyWindow | None = None,
    ) -> PreparedImage:
        """Return an image, decoded now or earlier: the same pixels either way.

        Parameters
        ----------
        source, modality, window : as `inspection.images.preprocess.load_image` takes them
        spec : the geometry; its statistics do not matter here

        Raises
        ------
        ImageError
            If the image cannot be read.
        """
        file = None
        # Where the file is gone, whoever decodes it says what is wrong.
        with contextlib.suppress(OSError):
            file = self._file_of(source, modality, spec, window) if self.max_bytes > 0 else None
        found = None if file is None else _unpack(file, spec)
        if file is None or found is None:
            found = self._decode(source, modality, spec, window)
            if file is not None:
                self._store(file, found)
            return found
        with self._lock:
            known = file.name in self._used
            self._used.add(file.name)
        if not known:
            # The time of the last use, by which other runs choose what makes room.
            os.utime(file)
        return found

    def _file_of(
        self, source: ImageSource, modality: Modality, spec: Preprocess, window: GreyWindow | None
    ) -> Path:
        """Return where an image is kept, by a digest of all that its pixels depend on."""
        parts = (
            _code_digest(), *self._stats_of(source), modality,
            spec.modality, spec.width, spec.height, spec.channels, spec.version, window,
        )  # fmt: skip
        key = hashlib.sha256(repr(parts).encode()).hexdigest()
        return self.folder / key[:2] / f"{key[2:]}{_SUFFIX}"

    def _stats_of(self, source: ImageSource) -> tuple[object, ...]:
        if not isinstance(source, Section):
            return _stat(source)
        volume = source.volume
        # Once a run: a series has a file a plane, and each plane would ask for all of them.
        if volume not in self._volumes:
            self._volumes[volume] = tuple(map(_stat, volume_files(volume)))
        return (self._volumes[volume], volume.series, source.axis, source.number)

    def _decode(
        self, source: ImageSource, modality: Modality, spec: Preprocess, window: GreyWindow | None
    ) -> PreparedImage:
        image = load_image(source, modality=modality, fit=(spec.width, spec.height), window=window)
        pixels, content = letterbox(image, spec)
        pixels = np.ascontiguousarray(pixels)
        pixels.flags.writeable = False
        with self._lock:
            self.decoded += 1
        return PreparedImage(pixels, image.roi, content)

    def _store(self, file: Path, prepared: PreparedImage) -> None:
        pixels, c, r = prepared.pixels, prepared.content, prepared.roi
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        places = (c.x, c.y, c.w, c.h, r.x, r.y, r.w, r.h)
        raw = pixels.tobytes()
        checksum = _checksum(raw, places, channels)
        data = _HEADER.pack(FORMAT, *places, channels, checksum) + raw
        if not self._reserve(file, len(data)):
            return
        temporary = file.with_name(f".{file.stem}.{secrets.token_hex(4)}.tmp")
        try:
            file.parent.mkdir(exist_ok=True)
            temporary.write_bytes(data)
            # Under the lock, so that a rescan sees an image either on the disk or as reserved.
            with self._lock:
                temporary.replace(file)
                del self._reserved[file.name]
        except OSError as error:
            temporary.unlink(missing_ok=True)
            with self._lock:
                self._total -= self._reserved.pop(file.name)
                # On Windows another process may be reading or writing the same image.
                if isinstance(error, PermissionError):
                    return
                # A full disk costs time, never the run.
                self._full = True
            log.warning("%s: %s; further images are not cached", self.folder, error.strerror)

    def _reserve(self, file: Path, size: int) -> bool:
        """Return whether an image may be written; its bytes then count as taken."""
        with self._lock:
            if file.name in self._reserved or self._full:
                return False
            # A damaged one, or one that another thread has just written, makes way for it.
            needed = size
            with contextlib.suppress(FileNotFoundError):
                needed -= file.stat().st_size
            if not self._make_room(needed):
                return False
            self._reserved[file.name] = needed
            self._total += needed
            self._unmeasured += needed
            self._used.add(file.name)
            return True

    def _make_room(self, needed: int) -> bool:
        """Return whether so many bytes fit, after what others left behind has been dropped."""
        if self._total + needed <= self.max_bytes:
            if self._unmeasured < self.max_bytes * _RESCAN_SHARE:
                return True
            self._total = self._measure()
        if self._total + needed > self.max_bytes:
            self._evict(self._total + needed - self.max_bytes)
        if self._total + needed <= self.max_bytes:
            return True
        self._full = True
        log.info("image cache full: %.1f GB; the other images are decoded anew", self._total / 1e9)
        return False

    def _measure(self) -> int:
        self._unmeasured = 0
        return sum(size for _, size, _ in self._entries()) + sum(self._reserved.values())

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Return (time of last use, bytes, file) of every image; drops a killed writer's rest."""
        entries = []
        for folder in self.folder.iterdir():
            if not (len(folder.name) == 2 and folder.is_dir()):
                continue
            for file in folder.iterdir():
                try:
                    stat = file.stat()
                except FileNotFoundError:  # another process evicts, too
                    continue
                if file.suffix == _SUFFIX:
                    entries.append((stat.st_mtime, stat.st_size, file))
                elif file.suffix == ".tmp" and time.time() - stat.st_mtime > _ABANDONED_S:
                    file.unlink(missing_ok=True)
        return entries

    def _evict(self, excess: int) -> None:
        """Remove images this run has not used, the longest unused first."""
        # A little more than asked for, so that the folder is not listed for every image.
        excess += int(self.max_bytes * _RESCAN_SHARE)
        entries = sorted(self._entries())
        self._total = sum(size for _, size, _ in entries) + sum(self._reserved.values())
        self._unmeasured = 0
        for _, size, file in entries:
            if excess <= 0:
                break
            if file.name not in self._used:
                file.unlink(missing_ok=True)
                self._total -= size
                excess -= size


def open_cache(config: CacheConfig) -> ImageCache:
    """Return the cache that a configuration asks for.

    Raises
    ------
    ConfigError
        If its folder cannot be made.
    """
    folder = config.folder or platformdirs.user_cache_path("battery-station", False) / "training"
    return ImageCache(folder.expanduser(), int(config.max_gigabytes * 1e9))


def _stat(path: Path) -> _Stat:
    found = path.stat()
    return os.fsencode(path.absolute()), found.st_size, found.st_mtime_ns


@functools.cache
def _code_digest() -> str:
    """Return a digest of the code that prepares images: what older code made is not found."""
    parts = (
        bmp, bounds, colours, decoding, formats, grey, headers, jpeg, lzw, png, preprocess,
        sections, tiff, tiff_tags, unwritten, letterbox,
    )  # fmt: skip
    sources = [inspect.getsource(part) for part in parts]
    # Without importing the readers of formats that no lot has.
    readers = sorted(Path(str(volumes.__file__)).parent.rglob("*.py"))
    sources += [file.read_text(encoding="utf-8") for file in readers]
    return hashlib.sha256("".join(sources).encode()).hexdigest()


def _checksum(raw: bytes | memoryview, places: Iterable[int], channels: int) -> int:
    return zlib.crc32(raw, zlib.crc32(struct.pack("<8iH", *places, channels)))


def _unpack(file: Path, spec: Preprocess) -> PreparedImage | None:
    """Return a stored image; None where there is none, or none that is whole."""
    try:
        data = file.read_bytes()
    except OSError:
        return None
    shape = (spec.height, spec.width) + ((spec.channels,) if spec.channels == 3 else ())
    if len(data) != _HEADER.size + spec.height * spec.width * spec.channels:
        return None
    found, *places, channels, checksum = _HEADER.unpack_from(data)
    raw = memoryview(data)[_HEADER.size :]
    if found != FORMAT or channels != spec.channels:
        return None
    if checksum != _checksum(raw, places, channels):
        return None
    # Not copied: it may not be written to anyhow.
    pixels: NDArray[np.uint8] = np.frombuffer(raw, np.uint8).reshape(shape)
    return PreparedImage(pixels, Rect(*places[4:]), Rect(*places[:4]))
