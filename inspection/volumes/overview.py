"""A small copy of a volume, to look at while the voxels themselves are on their way."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from inspection.volumes.volume import Volume, Voxels


def overview(volume: Volume, longest: int = 256) -> tuple[Voxels, int]:
    """Return every ``factor``-th voxel of every ``factor``-th plane across z, and the factor.

    Parameters
    ----------
    longest : of the copy's sides, at most

    Returns
    -------
    (z, y, x) of the same type, and the factor
        Voxel (z, y, x) of the copy is (z, y, x) * factor of the volume.

    Raises
    ------
    ImageError
        If a plane cannot be read.
    """
    factor = max(1, math.ceil(max(volume.info.shape) / longest))
    planes = [
        volume.section("z", number)[::factor, ::factor].copy()
        for number in range(0, volume.info.shape[0], factor)
    ]
    return cast(Voxels, np.stack(planes)), factor
