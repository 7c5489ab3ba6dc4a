"""Which headers describe raw voxels, by the endings of their names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from inspection.errors import ImageError
from inspection.volumes.raw.header import RawVolume
from inspection.volumes.raw.metaimage import describe_metaimage
from inspection.volumes.raw.nifti import describe_nifti
from inspection.volumes.raw.nrrd import describe_nrrd
from inspection.volumes.raw.vgi import describe_vgi

Describer = Callable[[Path], RawVolume]

_DESCRIBERS: dict[tuple[str, ...], Describer] = {
    (".mhd", ".mha"): describe_metaimage,
    (".nhdr", ".nrrd"): describe_nrrd,
    (".nii", ".nii.gz", ".hdr", ".hdr.gz"): describe_nifti,
    (".vgi",): describe_vgi,
}
HEADERS = tuple(ending for endings in _DESCRIBERS for ending in endings)
DATA = (".raw", ".vol", ".bin", ".img", ".img.gz", ".zraw", ".raw.gz")
"""Endings of data that need a header."""


def describer(name: str) -> Describer | None:
    """Return who reads a header of this name."""
    lower = name.lower()
    return next((read for ends, read in _DESCRIBERS.items() if lower.endswith(ends)), None)


def described(path: Path, describe: Describer) -> RawVolume:
    """Return what a header says.

    Raises
    ------
    ImageError
        If it has gone, cannot be read, or says something that is not read.
    """
    try:
        return describe(path)
    except FileNotFoundError as error:
        raise ImageError("image_missing", name=path.name) from error
    except OSError as error:
        problem = error.strerror or str(error)
        raise ImageError("image_unreadable", name=path.name, problem=problem) from error
