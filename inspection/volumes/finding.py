"""Which of a folder's files are volumes; of a file that can be none, nothing is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from inspection.errors import ImageError
from inspection.messages import Message
from inspection.records import VolumeRef
from inspection.volumes.raw.described import DATA, HEADERS, described, describer

_TIFF = (".tif", ".tiff")
HDF5 = (".h5", ".hdf5")
ZARR = ".zarr"
"""Of a folder, which is one volume: its files are no others of the lot's."""
_LOOKED_AT_FIRST = 8
_LARGER = 1.5


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
    are one a series; raw data belong to their header. A single-page TIFF is no volume. Of HDF5 and
    Zarr nothing is opened: whether they hold one is told when it is.

    Parameters
    ----------
    names : of files in the folder, of any kind, and of folders that are Zarr's
    """
    found = [*_stacks(folder, names), *_described(folder, names), *_series(folder, names)]
    for name in names:
        if name.lower().endswith((*HDF5, ZARR)):
            found.append(FoundVolume(VolumeRef(folder / name), (name,), _title(name)))
    return sorted(found, key=lambda volume: (volume.files[0], volume.ref.series))


def _stacks(folder: Path, names: Sequence[str]) -> Iterator[FoundVolume]:
    """Yield TIFF stacks. Of a folder full of single pages a few are opened, and what is larger."""
    tiffs = sorted(name for name in names if name.lower().endswith(_TIFF))
    if not tiffs:
        return
    from inspection.volumes.tiff_pages import is_stack

    first = {name: is_stack(folder / name) for name in tiffs[:_LOOKED_AT_FIRST]}
    usual = 0.0
    if len(tiffs) > len(first) and not any(first.values()):
        usual = _LARGER * max(_size(folder / name) for name in first)
    for name in tiffs:
        is_one = first.get(name)
        if is_one is None:
            # Pages of the same kind as the others take as many bytes each.
            is_one = _size(folder / name) > usual and is_stack(folder / name)
        if is_one:
            yield FoundVolume(VolumeRef(folder / name), (name,), _title(name))


def _described(folder: Path, names: Sequence[str]) -> Iterator[FoundVolume]:
    """Yield raw volumes by their headers, and data that have none."""
    here = {name.lower(): name for name in names}
    taken: set[str] = set()
    for name in sorted(names):
        describe = describer(name)
        if describe is None:
            continue
        path = folder / name
        files: tuple[str, ...] = (name,)
        problem = None
        try:
            raw = described(path, describe)
            data = here.get(raw.data.name.lower())
            files = (name,) if data in (None, name) else (name, str(data))
            if data is None:
                params: dict[str, str | int | float] = {"name": name, "data": raw.data.name}
                problem = Message(code="volume_data_missing", params=params)
        except ImageError as error:
            problem = error.message
            # What bears the header's name is its data, though it does not say so.
            files = (name, *(n for n in names if _title(n) == _title(name) and _is_data(n)))
        taken.update(files)
        yield FoundVolume(VolumeRef(path), files, _title(name), problem)
    for name in names:
        if _is_data(name) and name not in taken:
            problem = Message(code="volume_raw_alone", params={"name": name})
            yield FoundVolume(VolumeRef(folder / name), (name,), _title(name), problem)


def _series(folder: Path, names: Sequence[str]) -> Iterator[FoundVolume]:
    """Yield DICOM series: a single file by its own name, several by their folder's."""
    from inspection.volumes.dicom import may_be_dicom, series_in

    candidates = [folder / name for name in sorted(names) if may_be_dicom(name)]
    for series in series_in(candidates) if candidates else []:
        files = tuple(sorted(path.name for path in series.files))
        if len(files) == 1:
            ref, title = VolumeRef(folder / files[0]), _title(files[0])
        else:
            ref = VolumeRef(folder, series.label)
            title = f"{folder.name} {series.label}".strip()
        yield FoundVolume(ref, files, title, series.problem)


def _is_data(name: str) -> bool:
    return name.lower().endswith(DATA)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _title(name: str) -> str:
    lower = name.lower()
    for ending in (*HEADERS, *DATA):
        if lower.endswith(ending) and ending.count(".") == 2:
            return name[: -len(ending)]
    return name.rpartition(".")[0] or name
