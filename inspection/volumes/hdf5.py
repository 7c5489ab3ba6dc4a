"""HDF5: the one array with three axes of a file, wherever in it it stands.

References
----------
https://docs.hdfgroup.org/hdf5/latest/
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection.errors import ImageError
from inspection.names import told_name
from inspection.volumes.chunked import ChunkedPlanes, library, only_one
from inspection.volumes.scale import Scale, checked

SIZE_ATTRIBUTE = "element_size_um"
"""Edges of a voxel (z, y, x) in micrometres, as programs for microscopes write them."""


def open_hdf5(path: Path) -> ChunkedPlanes:
    """Return a file's voxels.

    Raises
    ------
    ImageError
        If the library is not installed, the file is damaged or incomplete, or it has none or
        several arrays with three axes.
    """
    h5py = library("h5py", "hdf5", path)
    with _opened(h5py, path) as file:
        found: list[str] = []

        def look(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and item.shape is not None and len(item.shape) == 3:
                found.append(name)

        # Links into other files are not followed: a volume is what its own file holds.
        file.visititems(look)
        if len(found) != 1:
            only_one(path, [told_name(name) for name in found])
        name = found[0]
        dataset = file[name]
        _refuse_absent(h5py, path, dataset)
        shape, kind, chunk = dataset.shape, dataset.dtype, dataset.chunks
        edges = _voxel_mm(dataset)

    def read_box(start: Sequence[int], stop: Sequence[int]) -> NDArray[Any]:
        box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        with _opened(h5py, path) as file:
            return np.asarray(file[name][box])

    return ChunkedPlanes(path, "HDF5", shape, kind, edges, chunk, read_box)


def _refuse_absent(h5py: Any, path: Path, dataset: Any) -> None:
    """Refuse voxels that are not there, or cannot be unpacked: the library fills in zeros."""
    said = dataset.id.get_create_plist()
    if dataset.is_virtual or said.get_external_count():
        raise ImageError("volume_field", name=path.name, field="layout", value="virtual, external")
    for number in range(said.get_nfilters()):
        code, _, _, name = said.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            value = told_name(name.decode("utf-8", "replace")) or str(code)
            raise ImageError("image_compression", name=path.name, value=value)
    if dataset.chunks is None:
        whole = dataset.id.get_storage_size() >= dataset.size * dataset.dtype.itemsize
    else:
        sides = zip(dataset.shape, dataset.chunks, strict=True)
        needed = math.prod(math.ceil(side / chunk) for side, chunk in sides)
        whole = dataset.id.get_num_chunks() == needed
    if not whole:
        raise ImageError("volume_cut", name=path.name)


def _voxel_mm(dataset: Any) -> Scale | None:
    try:
        edges = [float(edge) for edge in dataset.attrs[SIZE_ATTRIBUTE]]
    except (KeyError, TypeError, ValueError):
        return None
    return checked(edge * 1e-3 for edge in edges) if len(edges) == 3 else None


@contextmanager
def _opened(h5py: Any, path: Path) -> Iterator[Any]:
    """Open the file for as long as it is read, so that one that has changed is an error."""
    try:
        # A share may know no locks, and nothing is written.
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except FileNotFoundError as error:
        raise ImageError("image_missing", name=path.name) from error
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        code = "volume_cut" if "truncated" in str(error) else "volume_damaged"
        raise ImageError(code, name=path.name) from error
