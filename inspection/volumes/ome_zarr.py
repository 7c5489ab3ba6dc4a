"""Zarr: a folder with an array in chunks; of OME-Zarr the finest scale, with its voxel size.

References
----------
https://ngff.openmicroscopy.org, https://zarr-specs.readthedocs.io
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection.errors import ImageError
from inspection.messages import Message
from inspection.names import told_name
from inspection.volumes.chunked import ChunkedPlanes, library, only_one
from inspection.volumes.scale import Scale, checked, unit_mm

# What unpacks may run code that a file brings: pickles are among the codecs of this format.
_CODECS = {
    "blosc", "bytes", "bz2", "crc32c", "delta", "endian", "gzip", "lz4", "lzma",
    "sharding_indexed", "shuffle", "transpose", "zlib", "zstd",
}  # fmt: skip


def open_zarr(path: Path) -> ChunkedPlanes:
    """Return a folder's voxels.

    Raises
    ------
    ImageError
        If the library is not installed, the folder is damaged, or it has none or several arrays
        with three axes.
    """
    zarr = library("zarr", "zarr", path)
    if not path.is_dir():
        raise ImageError("image_missing", name=path.name)
    with _told(path):
        root = zarr.open(path, mode="r")
        edges: Scale | None = None
        if isinstance(root, zarr.Array):
            array = root
        elif (scales := _multiscales(root.attrs.asdict())) is not None:
            finest = scales["datasets"][0]
            array = root[str(finest["path"])]
            edges = _voxel_mm(path, scales, finest, array.shape)
        else:
            members = root.members(max_depth=None)
            arrays = {n: one for n, one in members if isinstance(one, zarr.Array) and one.ndim == 3}
            if len(arrays) != 1:
                only_one(path, [told_name(name) for name in arrays])
            (array,) = arrays.values()
        if array.ndim < 3 or any(side != 1 for side in array.shape[:-3]):
            raise ImageError("volume_several_channels", name=path.name)
        for codec in _codecs(array.metadata.to_dict()):
            if codec.removeprefix("numcodecs.") not in _CODECS:
                raise ImageError("image_compression", name=path.name, value=told_name(codec))
        absent = array.nchunks - array.nchunks_initialized
        chunk = (array.shards or array.chunks)[-3:]
        header = ".zarray" if array.metadata.zarr_format == 2 else "zarr.json"
        said_in = path / array.path / header
    others = (0,) * (array.ndim - 3)

    def read_box(start: Sequence[int], stop: Sequence[int]) -> NDArray[Any]:
        box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        with _told(path):
            found = np.asarray(array[(*others, *box)])
            # Of chunks that are not there zeros are made: of a folder that has gone, all of them.
            if not said_in.is_file():
                raise ImageError("image_missing", name=path.name)
            return found

    planes = ChunkedPlanes(path, "Zarr", array.shape[-3:], array.dtype, edges, chunk, read_box)
    if absent > 0:
        # Writers leave out chunks of zeros; so does a copy that was broken off.
        params: dict[str, str | int | float] = {"name": path.name, "count": absent}
        warning = Message(code="volume_chunks_absent", params=params)
        planes.info = planes.info._replace(warnings=(warning,))
    return planes


def _multiscales(attributes: Mapping[str, Any]) -> Any:
    """Return the first pyramid that OME's attributes describe; None where there is none."""
    found = attributes.get("ome", attributes).get("multiscales")
    return found[0] if found else None


def _voxel_mm(path: Path, scales: Any, finest: Any, shape: Sequence[int]) -> Scale | None:
    """Return the edges where every axis has a unit and a scale."""
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in scales.get("axes", ())]
    names = [axis.get("name") for axis in axes]
    if not axes:
        return None
    if len(axes) != len(shape) or names[-3:] != ["z", "y", "x"]:
        raise ImageError("volume_field", name=path.name, field="axes", value=told_name(str(names)))
    edges = [unit_mm(str(axis.get("unit", ""))) for axis in axes[-3:]]
    steps = [
        step["scale"][-3:]
        for said in (finest, scales)
        for step in said.get("coordinateTransformations", ())
        if step.get("type") == "scale"
    ]
    if not steps:
        return None
    for step in steps:
        edges = [edge * float(factor) for edge, factor in zip(edges, step, strict=True)]
    return checked(edges)


def _codecs(said: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of all that unpacks an array, of both versions of the format."""
    for codec in (said.get("compressor"), *(said.get("filters") or ())):
        if codec is not None:
            yield str(codec["id"] if isinstance(codec, Mapping) else codec.codec_id)
    inner = said.get("configuration") or {}
    chains = (said.get("codecs"), inner.get("codecs"), inner.get("index_codecs"))
    for codec in (codec for chain in chains for codec in chain or ()):
        yield str(codec["name"])
        yield from _codecs({"configuration": codec.get("configuration")})


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        # Metadata are anybody's JSON, and a damaged chunk fails in the way of its codec.
        raise ImageError("volume_damaged", name=path.name) from error
