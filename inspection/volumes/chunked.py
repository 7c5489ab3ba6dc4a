"""Voxels that stand in chunks, in files that a library of their own reads."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection.errors import ImageError
from inspection.volumes.greys import Greys
from inspection.volumes.scale import Scale
from inspection.volumes.volume import VolumeInfo, Voxels

ReadBox = Callable[[Sequence[int], Sequence[int]], NDArray[Any]]
"""Returns the stored numbers from one voxel up to another, both (z, y, x)."""

NAMED = 5
"""Of several arrays in a file, so many are named."""
_KINDS = ("u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8")
_LAYER_BYTES = 1 << 28
"""Of a layer of chunks that is kept, so that it is not unpacked anew for each of its planes."""
_MOST_BYTES = 1 << 30
"""Of one plane, and of one chunk: a file may say anything."""


def library(name: str, extra: str, path: Path) -> Any:
    """Return a library that does not come with every installation.

    Parameters
    ----------
    extra : of this program, which brings it

    Raises
    ------
    ImageError
        If it is not installed; the extra is named.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ImageError("volume_extra", name=path.name, extra=extra) from error


def only_one(path: Path, names: Sequence[str]) -> str:
    """Return the name of a file's one array with three axes.

    Raises
    ------
    ImageError
        If there is none, or there are several: these are named.
    """
    if not names:
        raise ImageError("volume_no_array", name=path.name)
    if len(names) > 1:
        told = ", ".join(sorted(names)[:NAMED]) + (", …" if len(names) > NAMED else "")
        raise ImageError("volume_several_arrays", name=path.name, arrays=told)
    return names[0]


class ChunkedPlanes:
    """An array with three axes, read in boxes.

    Parameters
    ----------
    kind : of its numbers
    chunk : voxels (z, y, x) that are unpacked together; None where nothing is packed
    read_box : reads it; may be called from one thread at a time

    Raises
    ------
    ImageError
        If its numbers are of a type that is not read, or one plane takes too much memory.
    """

    def __init__(
        self,
        path: Path,
        told_format: str,
        shape: Sequence[int],
        kind: np.dtype[Any],
        voxel_mm: Scale | None,
        chunk: Sequence[int] | None,
        read_box: ReadBox,
    ) -> None:
        if kind.str[1:] not in _KINDS:
            raise ImageError("image_pixel_type", name=path.name, value=str(kind))
        depth, height, width = (int(side) for side in shape)
        largest = max(height * width, math.prod(chunk or (1,))) * kind.itemsize
        if min(depth, height, width) < 1 or largest > _MOST_BYTES:
            told = " x ".join(str(side) for side in shape)
            raise ImageError("volume_field", name=path.name, field="shape", value=told)
        self._greys = Greys(kind.str)
        self.info = VolumeInfo((depth, height, width), self._greys.dtype, voxel_mm, told_format)
        self.packed = chunk is not None
        self._thick = chunk[0] if chunk is not None else 1
        self._read_box = read_box
        self._lock = threading.Lock()
        self._layer: tuple[int, Voxels] | None = None

    def read(self, start: Sequence[int], stop: Sequence[int]) -> Voxels:
        """Return the voxels from ``start`` up to ``stop``, both (z, y, x)."""
        (z0, y0, x0), (z1, y1, x1) = start, stop
        _, height, width = self.info.shape
        layer_bytes = self._thick * height * width * np.dtype(self._greys.stored).itemsize
        first = z0 // self._thick
        with self._lock:
            if self._thick == 1 or z1 > (first + 1) * self._thick or layer_bytes > _LAYER_BYTES:
                return self._greys.values(self._read_box(start, stop))
            low = first * self._thick
            if self._layer is None or self._layer[0] != first:
                # The old one goes first: two need not fit.
                self._layer = None
                high = min(low + self._thick, self.info.shape[0])
                whole = self._read_box((low, 0, 0), (high, height, width))
                self._layer = first, self._greys.values(whole)
            return self._layer[1][z0 - low : z1 - low, y0:y1, x0:x1].copy()

    def close(self) -> None:
        """Forget what was unpacked; it is unpacked anew if it is asked for again."""
        with self._lock:
            self._layer = None
