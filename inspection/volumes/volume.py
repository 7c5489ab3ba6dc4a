"""What every volume can do, whatever file it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from inspection.messages import Message
from inspection.records import Axis

Voxels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.int16] | NDArray[np.float32]


class VolumeInfo(NamedTuple):
    """What a volume's header says; read without its voxels.

    Parameters
    ----------
    shape : voxels (z, y, x)
    dtype : ``uint8``, ``uint16``, ``int16`` or ``float32``, after any rescale
    voxel_mm : edges of a voxel (z, y, x) in millimetres; None where the file does not say
    format : as told to people, e.g. ``TIFF``, ``DICOM``
    warnings : what is odd about it, though it can be read; such a battery is at best ``review``
    """

    shape: tuple[int, int, int]
    dtype: str
    voxel_mm: tuple[float, float, float] | None
    format: str
    warnings: tuple[Message, ...] = ()


class Volume(Protocol):
    """A volume that is open; its methods may be called from any thread."""

    @property
    def info(self) -> VolumeInfo:
        """What its header says."""
        ...

    def section(self, axis: Axis, number: int) -> Voxels:
        """Return the plane across an axis: rows and columns as `Section` says.

        Raises
        ------
        ImageError
            If the file ends before it, is damaged there, or has gone.
        """
        ...

    def block(self, start: Sequence[int], stop: Sequence[int]) -> Voxels:
        """Return the voxels from ``start`` up to ``stop``, both (z, y, x)."""
        ...

    def close(self) -> None:
        """Let go of its files."""
        ...
