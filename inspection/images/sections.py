"""A plane of a volume as an image."""

from __future__ import annotations

from typing import cast

import numpy as np

from inspection.images.bounds import MAX_PIXELS
from inspection.images.grey import Stored
from inspection.images.headers import ImageProblem
from inspection.records import SMALLEST_SIDE, Axis, Section
from inspection.volumes.opening import open_volume
from inspection.volumes.planes import Space
from inspection.volumes.volume import VolumeInfo


class PlanePixels:
    """A plane of a volume that is open; it is read when its pixels are first asked for.

    Raises
    ------
    ImageError
        If the volume cannot be opened.
    ImageProblem
        If the plane is over the limits of an image, or too small to show anything.
    """

    def __init__(self, section: Section) -> None:
        self._section = section
        self._volume = open_volume(section.volume)
        self.size = plane_size(self._volume.info, section.axis)
        width, height = self.size
        if width * height > MAX_PIXELS:
            limit = MAX_PIXELS // 1_000_000
            raise ImageProblem("image_too_large", width=width, height=height, limit=limit)
        if min(width, height) < SMALLEST_SIDE:
            raise ImageProblem("image_too_small", width=width, height=height, limit=SMALLEST_SIDE)

    def bytes_at(self, scale: float) -> int:
        """Return what reading takes: the plane, and a copy of it."""
        return 2 * self.size[0] * self.size[1] * np.dtype(self._volume.info.dtype).itemsize

    def upright(self, scale: float) -> Stored:
        """Return the plane, whole at any scale."""
        plane = self._volume.section(self._section.axis, self._section.number)
        return cast(Stored, np.ascontiguousarray(plane))


def plane_size(info: VolumeInfo, axis: Axis) -> tuple[int, int]:
    """Return (width, height) of the planes across an axis."""
    rows, columns = Space(info.shape).size(axis)
    return columns, rows
