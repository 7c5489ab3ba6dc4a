"""A reference becomes an open volume; a few stay open for everybody."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from inspection.errors import ImageError
from inspection.records import VolumeRef
from inspection.volumes.dicom_header import is_dicom
from inspection.volumes.finding import HDF5, ZARR
from inspection.volumes.raw.described import described, describer
from inspection.volumes.raw.voxels import open_raw
from inspection.volumes.source import Source
from inspection.volumes.stack import StackVolume
from inspection.volumes.stopping import held
from inspection.volumes.volume import Volume, VolumeInfo

KEPT_OPEN = 3
LOOK_AGAIN_SECONDS = 1.0
"""After which it is looked whether the files of an open volume are still the same."""
_SHARE_OF_TIME = 0.05
"""That looking may take: a share needs a second for the thousand files of a series."""

_Stamp = tuple[tuple[str, int, int], ...]


@dataclass(slots=True)
class _Entry:
    """A volume that is open.

    Parameters
    ----------
    look_at : when its files are looked at again, on the clock of ``time.monotonic``
    """

    stamp: _Stamp
    volume: StackVolume
    look_at: float


class _OpenVolumes:
    """Volumes that were asked for last; the one that was not for longest is closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opening: dict[VolumeRef, threading.Lock] = {}
        self._by_ref: OrderedDict[VolumeRef, _Entry] = OrderedDict()

    def get(self, ref: VolumeRef, *, look: bool) -> StackVolume:
        """Return a volume; with ``look`` only after a look at its files, else now and then."""
        begun = time.monotonic()
        with self._lock:
            found = self._by_ref.get(ref)
            if found is not None and not look and begun < found.look_at:
                self._by_ref.move_to_end(ref)
                return found.volume
            if found is not None:
                # One looks, the others go on meanwhile.
                found.look_at = begun + LOOK_AGAIN_SECONDS
            # Reading a long series' headers takes a second, for which nobody else has to wait.
            opening = self._opening.setdefault(ref, threading.Lock())
        stamp = _stamp(ref)
        took = time.monotonic() - begun
        look_at = begun + took + max(LOOK_AGAIN_SECONDS, took / _SHARE_OF_TIME)
        closed = []
        with held(opening):
            with self._lock:
                found = self._by_ref.get(ref)
                if found is not None and found.stamp == stamp:
                    found.look_at = look_at
                    self._by_ref.move_to_end(ref)
                    return found.volume
            volume = StackVolume(ref.path, _source(ref))
            with self._lock:
                if ref in self._by_ref:
                    closed.append(self._by_ref.pop(ref).volume)
                self._by_ref[ref] = _Entry(stamp, volume, look_at)
                while len(self._by_ref) > KEPT_OPEN:
                    old, gone = self._by_ref.popitem(last=False)
                    closed.append(gone.volume)
                    self._opening.pop(old, None)
        for one in closed:
            one.close()
        return volume

    def clear(self) -> None:
        with self._lock:
            volumes = [entry.volume for entry in self._by_ref.values()]
            self._by_ref.clear()
        for volume in volumes:
            volume.close()


_opened = _OpenVolumes()


def read_info(ref: VolumeRef) -> VolumeInfo:
    """Return what a volume's header says, as it is on the disk now; no voxel is read.

    Raises
    ------
    ImageError
        If it cannot be read, is cut short, or is of a kind that is not read.
    """
    return _opened.get(ref, look=True).info


def open_volume(ref: VolumeRef) -> Volume:
    """Return a volume, the same for all who ask; opened anew where its files have changed.

    That is looked at about once a second, and not for each of a thousand planes.
    It stays good after others have pushed it out of the few that are kept: it only forgets what it
    had laid out. Nobody needs to close it.

    Raises
    ------
    ImageError
        As `read_info`.
    """
    return _opened.get(ref, look=False)


def close_volumes() -> None:
    """Close all, and give back their memory and their room on the disk."""
    _opened.clear()


def volume_files(ref: VolumeRef) -> tuple[Path, ...]:
    """Return all files that a volume is made of: header and data, planes, or chunks.

    Raises
    ------
    ImageError
        If a header, or the folder of a series, cannot be read.
    """
    if ref.path.name.lower().endswith(ZARR):
        return tuple(sorted(path for path in ref.path.rglob("*") if path.is_file()))
    if ref.path.is_dir():
        from inspection.volumes.dicom import files_of_series

        return files_of_series(ref.path, ref.series)
    if describe := describer(ref.path.name):
        data = described(ref.path, describe).data
        return (ref.path,) if data == ref.path else (ref.path, data)
    return (ref.path,)


def _stamp(ref: VolumeRef) -> _Stamp:
    """Return name, size and time of every file; what has gone is told when it is opened."""
    try:
        if ref.path.is_dir():
            # All of its folder: which files belong to the series stands in each of them.
            with os.scandir(ref.path) as entries:
                stats = sorted((entry.name, entry.stat()) for entry in entries)
        else:
            stats = [(file.name, file.stat()) for file in volume_files(ref)]
    except (OSError, ImageError):
        return ()
    return tuple((name, found.st_size, found.st_mtime_ns) for name, found in stats)


def _source(ref: VolumeRef) -> Source:
    """Read the header; the readers are imported when the first volume of their kind is opened."""
    path = ref.path
    if path.name.lower().endswith((".tif", ".tiff")):
        from inspection.volumes.tiff import open_tiff

        return open_tiff(path)
    if path.name.lower().endswith(HDF5):
        from inspection.volumes.hdf5 import open_hdf5

        return open_hdf5(path)
    if path.name.lower().endswith(ZARR):
        from inspection.volumes.ome_zarr import open_zarr

        return open_zarr(path)
    if describe := describer(path.name):
        return open_raw(described(path, describe))
    if path.is_dir() or is_dicom(path):
        from inspection.volumes.dicom import open_dicom

        return open_dicom(path, ref.series)
    if not path.exists():
        raise ImageError("image_missing", name=path.name)
    raise ImageError("volume_unknown", name=path.name)
