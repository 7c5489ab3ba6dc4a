"""Planes through a battery's CT: of a volume any, of separate pictures the nearest there is."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from inspection.errors import ImageError
from inspection.images.decoding import Decoder
from inspection.images.display import (
    ShownSlice,
    StackDisplay,
    dtype_window,
    own_window,
    shown_window,
)
from inspection.images.grey import GreyWindow, Stored
from inspection.images.stack_grey import window_of
from inspection.records import Axis, ImageRef, Rect
from inspection.results import ImageResult, StackGrey
from inspection.volume_results import VolumeSeen
from inspection.volumes.planes import AXES, PLANES, Space
from inspection.volumes.volume import Volume, VolumeInfo

DECODE_SIDE = 2000
"""Longest side of what is decoded of a JPEG."""


class Plane(NamedTuple):
    """Stored values of a plane, and the number that it really has."""

    number: int
    stored: Stored
    roi: Rect


class PlaneSource(Protocol):
    """What planes come from; may be asked from any thread."""

    @property
    def space(self) -> Space:
        """What the planes are cut out of."""
        ...

    @property
    def info(self) -> VolumeInfo | None:
        """What the volume's header says; None of separate pictures."""
        ...

    def plane(self, axis: Axis, number: int) -> Plane | None:
        """Return the plane nearest to a number; None where there is none across the axis.

        Raises
        ------
        ImageError
            If it cannot be read.
        """
        ...


class VolumePlanes:
    """Every plane of a volume.

    Parameters
    ----------
    volume : that is open; others may read it as well
    """

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self.info: VolumeInfo | None = volume.info
        self.space = Space(volume.info.shape, volume.info.voxel_mm)

    def plane(self, axis: Axis, number: int) -> Plane:
        """Return a plane of the volume."""
        h, w = self.space.size(axis)
        return Plane(number, self.volume.section(axis, number), Rect(0, 0, w, h))


class SlicePlanes:
    """The pictures of a lot that holds separate ones of each axis.

    They are linked by their numbers, as far as that goes: a number is a pixel of the pictures
    across the other axes, or a share of them where there are more numbers than pixels.

    Parameters
    ----------
    slices : of one battery; where no name tells an axis, they lie across z

    Raises
    ------
    ImageError
        If the first picture of an axis cannot be read.
    """

    info: VolumeInfo | None = None

    def __init__(self, slices: Sequence[ImageRef]) -> None:
        told = any(ref.axis is not None for ref in slices)
        axes = {axis: [r for r in slices if r.axis == axis] for axis in AXES}
        if not told:
            axes["z"] = list(slices)
        self._slices = {a: sorted(refs, key=lambda r: r.number) for a, refs in axes.items() if refs}
        sizes: dict[Axis, int] = {}
        for axis, refs in self._slices.items():
            w, h = Decoder(refs[0].source, "ct").size
            for name, size in zip(PLANES[axis], (h, w), strict=True):
                sizes[name] = max(size, sizes.get(name, 0))
        for axis, refs in self._slices.items():
            sizes[axis] = max(refs[-1].number + 1, sizes.get(axis, 1))
        self.space = Space((sizes.get("z", 1), sizes.get("y", 1), sizes.get("x", 1)))

    def plane(self, axis: Axis, number: int) -> Plane | None:
        """Decode the picture nearest to a number."""
        refs = self._slices.get(axis)
        if not refs:
            return None
        place = bisect_left(refs, number, key=lambda ref: ref.number)
        nearest = min(refs[max(0, place - 1) : place + 1], key=lambda r: abs(r.number - number))
        decoder = Decoder(nearest.source, "ct")
        w, h = decoder.size
        stored = decoder.stored(min(1.0, DECODE_SIDE / max(w, h)))
        return Plane(nearest.number, stored, Rect(0, 0, w, h))


class KeptPlanes:
    """Planes whose files cannot be read any more: a session knows of what they were cut out.

    Parameters
    ----------
    images : of the battery's slices, as they were judged
    seen : the volume that they were planes of; None of separate pictures
    why : it cannot be read

    Raises
    ------
    ImageError
        That is ``why``, if nothing was kept of any of them.
    """

    def __init__(
        self, images: Sequence[ImageResult], seen: VolumeSeen | None, why: ImageError
    ) -> None:
        kept = [one for one in images if one.modality == "ct" and one.evidence]
        if not kept:
            raise why
        self._why = why
        self.info: VolumeInfo | None = None
        if seen is not None:
            self.space = Space(seen.shape, seen.voxel_mm)
            self.info = VolumeInfo(seen.shape, "", seen.voxel_mm, seen.format)
            return
        sizes: dict[Axis, int] = {}
        for image in kept:
            axis: Axis = image.axis or "z"
            rows, columns = PLANES[axis]
            found = {axis: image.number + 1, rows: image.height or 1, columns: image.width or 1}
            sizes |= {name: max(size, sizes.get(name, 1)) for name, size in found.items()}
        self.space = Space((sizes["z"], sizes["y"], sizes["x"]))

    def plane(self, axis: Axis, number: int) -> Plane | None:
        """Raise why no plane can be read."""
        raise self._why


class PlaneDisplay:
    """Planes that are all shown under one window.

    The window of a stack is found from slices across every axis, which may take long where a
    large file has to be read whole for them. So the first planes are shown under one that is
    found from themselves, until `settle` has found the stack's.

    Parameters
    ----------
    source : of the planes
    judged : the window that the battery was judged under; None before
    stack : what the planes belong to, for a window where none is known
    """

    def __init__(
        self, source: PlaneSource, judged: StackGrey | None, stack: StackDisplay | None
    ) -> None:
        self.source = source
        self._judged, self._stack = judged, stack
        self._lock = threading.Lock()
        self._first: Stored | None = None
        self._windows: tuple[GreyWindow, GreyWindow | None] | None = None

    def plane(self, axis: Axis, number: int) -> tuple[int, ShownSlice] | None:
        """Return a plane's number and its values, ready to be shown; None where there is none.

        Raises
        ------
        ImageError
            If it cannot be read.
        """
        found = self.source.plane(axis, number)
        return (found.number, self.shown(found.stored, found.roi)) if found else None

    def shown(self, stored: Stored, roi: Rect) -> ShownSlice:
        """Return values under the window of all planes. It never waits for a file."""
        with self._lock:
            if self._windows is None:
                self._first = stored
                known = window_of(self._judged)
                if known is None and stored.dtype == np.uint8:
                    known = dtype_window(stored)
                self._windows = known or own_window([stored]), known if self._judged else None
            return ShownSlice(stored, roi, *self._windows)

    def settle(self) -> bool:
        """Find the window of the stack; return True where planes look otherwise under it."""
        first, before = self._first, self._windows
        if first is None:
            return False
        found = shown_window(first, judged=self._judged, stack=self._stack)
        with self._lock:
            self._windows = found
        return found != before
