"""A volume's planes in all three directions, quick to look at and within bounds of memory."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from inspection.errors import ImageError
from inspection.records import Axis
from inspection.volumes.columns import Columns
from inspection.volumes.source import Damage, Source
from inspection.volumes.stopping import held
from inspection.volumes.volume import VolumeInfo, Voxels

IN_MEMORY_BYTES = 1 << 28
"""Volumes up to this size are kept whole once a plane along z is asked for."""
_KEPT_BYTES = 1 << 26
"""Planes that were unpacked and may be asked for again."""
_NEAR = 8
"""Planes across y so near to the last one are asked for in their order: several are read at once.
A single one, as a crosshair wants it, is quicker alone."""
_AXES: tuple[Axis, ...] = ("z", "y", "x")


class StackVolume:
    """A source that can be asked for any plane.

    Across z a plane is read as it is stored. Across y and x it crosses all of them: a small volume
    is then kept in memory, a larger one laid out anew in the scratch folder, once.

    Parameters
    ----------
    path : of the file or folder, for what is told of it
    """

    def __init__(self, path: Path, source: Source) -> None:
        self._path = path
        self._source = source
        self._lock = threading.Lock()
        self._building = threading.Lock()
        self._whole: Voxels | None = None
        self._columns: Columns | None = None
        self._planes: OrderedDict[int, Voxels] = OrderedDict()
        self._last_y = -_NEAR
        self._damage = Damage()

    @property
    def info(self) -> VolumeInfo:
        """What the header says."""
        return self._source.info

    def section(self, axis: Axis, number: int) -> Voxels:
        """Return the plane across an axis: rows and columns as `Section` says.

        Raises
        ------
        ImageError
            If there is no such plane, or the file is damaged there or has gone.
        """
        across = _AXES.index(axis)
        if not 0 <= number < self.info.shape[across]:
            raise ImageError("volume_no_plane", name=self._path.name, axis=axis, number=number)
        whole = self._whole
        if whole is not None:
            return cast(Voxels, np.take(whole, number, axis=across))
        if axis == "z":
            return self._plane(number)
        start, stop = [0, 0, 0], list(self.info.shape)
        start[across], stop[across] = number, number + 1
        if axis == "y" and not self._source.packed and self._bytes > IN_MEMORY_BYTES:
            far, self._last_y = abs(number - self._last_y) >= _NEAR, number
            if far:
                return self._source.read(start, stop)[:, 0]
        # It crosses every plane across z: one that is damaged is in the way of all others.
        with self._damage.told_again():
            columns = self._laid_out()
            if columns is not None:
                return columns.plane(axis, number)
        return self.section(axis, number)

    def block(self, start: Sequence[int], stop: Sequence[int]) -> Voxels:
        """Return the voxels from ``start`` up to ``stop``, (z, y, x), clipped to the volume."""
        low = [max(0, int(one)) for one in start]
        high = [min(size, int(one)) for size, one in zip(self.info.shape, stop, strict=True)]
        if any(a >= b for a, b in zip(low, high, strict=True)):
            return cast(Voxels, np.empty((0, 0, 0), self.info.dtype))
        whole = self._whole
        if whole is not None:
            box = whole[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
            return box.copy()
        if not self._source.packed:
            return self._source.read(low, high)
        rows, columns = slice(low[1], high[1]), slice(low[2], high[2])
        planes = [self._plane(z)[rows, columns] for z in range(low[0], high[0])]
        return cast(Voxels, np.stack(planes))

    def close(self) -> None:
        """Let go of its memory and of its part of the scratch folder."""
        with self._building, self._lock:
            if self._columns is not None:
                self._columns.close()
            self._columns = self._whole = None
            self._source.close()
            self._planes.clear()

    @property
    def _bytes(self) -> int:
        return math.prod(self.info.shape) * np.dtype(self.info.dtype).itemsize

    def _plane(self, number: int) -> Voxels:
        with self._lock:
            if number in self._planes:
                self._planes.move_to_end(number)
                return self._planes[number].copy()
        _, height, width = self.info.shape
        plane = cast(Voxels, self._source.read((number, 0, 0), (number + 1, height, width))[0])
        if self._source.packed:
            with self._lock:
                self._planes[number] = plane
                while len(self._planes) > max(1, _KEPT_BYTES // plane.nbytes):
                    self._planes.popitem(last=False)
            return plane.copy()
        return plane

    def _laid_out(self) -> Columns | None:
        """Return where planes along z are quick to read; None where the volume is in memory."""
        with held(self._building):
            if self._whole is None and self._columns is None:
                if self._bytes <= IN_MEMORY_BYTES:
                    self._whole = self._source.read((0, 0, 0), self.info.shape)
                else:
                    self._columns = Columns(self._path, self._source)
            return self._columns
