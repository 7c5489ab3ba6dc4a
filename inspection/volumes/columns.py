"""A volume laid out anew, so that planes along z are read in few pieces.

The voxels stand in columns of 16 x 16, in the order (block of x, chunk of z, block of y, z, y, x):
16 neighbouring planes across x are one piece of the file, 16 across y one piece a chunk and block.
"""

from __future__ import annotations

import math
import threading
from io import FileIO
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from inspection.errors import ImageError
from inspection.records import Axis
from inspection.volumes import scratch
from inspection.volumes.source import Source
from inspection.volumes.stopping import ReadingStopped, go_on, held
from inspection.volumes.volume import Voxels

SIDE = 16
PASSES = 1
"""Through a volume that is not packed, before it is laid out."""
_CHUNK_BYTES = 1 << 27
"""Of planes that are in memory while they are laid out."""


class Columns:
    """Planes across y and x of one volume, 16 neighbours at a time.

    The volume is read through for the first pieces, which is quicker than to lay it out; for all of
    them where the scratch folder has no room for it; and always for planes across y that are not
    packed: of each plane across z they take a few rows.

    Parameters
    ----------
    path : what is told of it
    """

    def __init__(self, path: Path, source: Source) -> None:
        self._path = path
        self._source = source
        self._lock = threading.Lock()
        self._slabs: dict[Axis, tuple[int, Voxels]] = {}
        self._scratch: scratch.Scratch | None = None
        self._passes_left = 0 if source.packed else PASSES
        depth, height, width = source.info.shape
        self._kind = np.dtype(source.info.dtype)
        self._down, self._across = math.ceil(height / SIDE), math.ceil(width / SIDE)
        self._thick = max(1, min(32, depth, _CHUNK_BYTES // (height * width * self._kind.itemsize)))
        self._chunks = math.ceil(depth / self._thick)
        self._piece = self._thick * SIDE * SIDE * self._kind.itemsize

    def plane(self, axis: Axis, number: int) -> Voxels:
        """Return a plane across ``y`` or ``x``.

        Raises
        ------
        ImageError
            If the source cannot be read to its end.
        ReadingStopped
            If the plane is not wanted any more; what was laid out by then is gone.
        """
        block, place = divmod(number, SIDE)
        with held(self._lock):
            if axis not in self._slabs or self._slabs[axis][0] != block:
                # The old one goes first: two of an axis need not fit.
                self._slabs.pop(axis, None)
                if axis == "x" or self._source.packed:
                    if self._passes_left == 0:
                        self._try_to_lay_out()
                    self._passes_left -= 1
                read = self._read if self._scratch is None else self._gather
                self._slabs[axis] = block, read(axis, block)
            return cast(Voxels, self._slabs[axis][1][place].copy())

    def _try_to_lay_out(self) -> None:
        size = self._down * self._chunks * self._across * self._piece
        place = scratch.reserve(self._path, size, self)
        if place is None:
            return
        try:
            self._lay_out(place)
        except OSError:
            # The disk is fuller than it was: slower, and nothing is lost.
            place.remove()
        except (ImageError, ReadingStopped):
            place.remove()
            raise
        else:
            self._scratch = place

    def close(self) -> None:
        """Remove what lies in the scratch folder."""
        with self._lock:
            self._slabs.clear()
            if self._scratch is not None:
                self._scratch.remove()
                self._scratch = None

    def _lay_out(self, into: scratch.Scratch) -> None:
        depth, height, width = self._source.info.shape
        padded = np.zeros((self._thick, self._down * SIDE, self._across * SIDE), self._kind)
        with into.path.open("wb", buffering=0) as file:
            file.truncate(self._down * self._chunks * self._across * self._piece)
            for chunk in range(self._chunks):
                first = chunk * self._thick
                last = min(first + self._thick, depth)
                padded[: last - first, :height, :width] = self._source.read(
                    (first, 0, 0), (last, height, width)
                )
                for block in range(self._across):
                    go_on()
                    rows = padded[:, :, block * SIDE : (block + 1) * SIDE]
                    if not rows.any():
                        # Air that was cut to zero takes neither time nor room.
                        continue
                    columns = rows.reshape(self._thick, self._down, SIDE, SIDE)
                    file.seek((block * self._chunks + chunk) * self._down * self._piece)
                    left = memoryview(columns.transpose(1, 0, 2, 3).tobytes())
                    while len(left):
                        left = left[file.write(left) :]

    def _gather(self, axis: Axis, block: int) -> Voxels:
        """Read 16 planes out of the scratch file: (plane, z, x) or (plane, z, y)."""
        assert self._scratch is not None
        depth, height, width = self._source.info.shape
        other = self._across if axis == "y" else self._down
        slab = np.empty((SIDE, self._chunks * self._thick, other * SIDE), self._kind)
        chunk = np.empty((self._thick, SIDE, SIDE), self._kind)
        row = np.empty((self._down, self._thick, SIDE, SIDE), self._kind)
        with self._scratch.path.open("rb", buffering=0) as file:
            for number in range(self._chunks):
                deep = slice(number * self._thick, (number + 1) * self._thick)
                go_on()
                if axis == "x":
                    file.seek((block * self._chunks + number) * self._down * self._piece)
                    _fill(file, row)
                    # (y block, z, y, x) -> (x, z, y block, y)
                    planes = row.transpose(3, 1, 0, 2)
                    slab[:, deep] = planes.reshape(SIDE, self._thick, self._down * SIDE)
                    continue
                for across in range(self._across):
                    at = ((across * self._chunks + number) * self._down + block) * self._piece
                    file.seek(at)
                    _fill(file, chunk)
                    slab[:, deep, across * SIDE : (across + 1) * SIDE] = chunk.transpose(1, 0, 2)
        return cast(Voxels, slab[:, :depth, : width if axis == "y" else height])

    def _read(self, axis: Axis, block: int) -> Voxels:
        """Read 16 planes through the whole volume."""
        depth, height, width = self._source.info.shape
        first, last = block * SIDE, min((block + 1) * SIDE, height if axis == "y" else width)
        slab = np.empty((last - first, depth, width if axis == "y" else height), self._kind)
        for start in range(0, depth, self._thick):
            stop = min(start + self._thick, depth)
            if axis == "y":
                box = self._source.read((start, first, 0), (stop, last, width))
                slab[:, start:stop] = box.transpose(1, 0, 2)
            else:
                box = self._source.read((start, 0, first), (stop, height, last))
                slab[:, start:stop] = box.transpose(2, 0, 1)
        return cast(Voxels, slab)


def _fill(file: FileIO, array: NDArray[Any]) -> None:
    into = memoryview(array.data).cast("B")
    while len(into):
        count = file.readinto(into)
        if not count:
            raise ImageError("volume_scratch_gone")
        into = into[count:]
