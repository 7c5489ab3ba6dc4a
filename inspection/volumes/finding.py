"""Which of a folder's files are volumes; of a file that can be none, nothing is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from inspection.messages import Message
from inspection.records import VolumeRef


class FoundVolume(NamedTuple):
    """A volume among a folder's files.

    Parameters
    ----------
    files : names of all files that it is made of, its header first; no others of the lot's images
    title : a name for people, without its suffix
    problem : why it cannot be opened, where that is known already
    """

    ref: VolumeRef
    files: tuple[str, ...]
    title: str
    problem: Message | None = None


def volumes_in(folder: Path, names: Sequence[str]) -> list[FoundVolume]:
    """Return the volumes that some files of a folder make, in the order of their names.

    A TIFF file is one where it has several pages of one size; DICOM files with or without a suffix
    are one a series; raw data belong to their header. A single-page TIFF is no volume.

    Parameters
    ----------
    names : of files in the folder, of any kind
    """
    from inspection.volumes.tiff import is_stack

    tiffs = [name for name in names if name.lower().endswith((".tif", ".tiff"))]
    return [
        FoundVolume(VolumeRef(folder / name), (name,), name[: name.rfind(".")])
        for name in tiffs
        if is_stack(folder / name)
    ]
