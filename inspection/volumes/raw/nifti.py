"""NIfTI-1 and -2: ``.nii``, ``.nii.gz``, and the pair of ``.hdr`` and ``.img``.

References
----------
https://nifti.nimh.nih.gov/nifti-1, nifti-2
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

from inspection.errors import ImageError
from inspection.volumes.greys import Greys
from inspection.volumes.raw.header import RawVolume, checked_shape
from inspection.volumes.scale import checked_header

_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4",
}  # fmt: skip
_METRES, _MILLIMETRES, _MICROMETRES = 1, 2, 3
_MM = {_METRES: 1000.0, _MILLIMETRES: 1.0, _MICROMETRES: 1e-3}
_HEADER_BYTES = 540


def describe_nifti(path: Path) -> RawVolume:
    """Read a header.

    Raises
    ------
    ImageError
        If it is none, or says something that is not read.
    """
    is_packed = path.name.lower().endswith(".gz")
    try:
        with gzip.open(path) if is_packed else path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ImageError("volume_damaged", name=path.name) from error
    if len(head) < 348:
        raise ImageError("volume_cut", name=path.name)
    order = "<" if head[:4] in (b"\x5c\x01\0\0", b"\x1c\x02\0\0") else ">"
    (size,) = struct.unpack_from(f"{order}i", head)
    if size == 348 and head[344:348] in (b"n+1\0", b"ni1\0"):
        dims = struct.unpack_from(f"{order}8h", head, 40)
        kind, _ = struct.unpack_from(f"{order}2h", head, 70)
        edges = struct.unpack_from(f"{order}8f", head, 76)
        offset, slope, intercept = struct.unpack_from(f"{order}3f", head, 108)
        units, single = head[123], head[344:347] == b"n+1"
    elif size == _HEADER_BYTES and head[4:7] in (b"n+2", b"ni2"):
        kind, _ = struct.unpack_from(f"{order}2h", head, 12)
        dims = struct.unpack_from(f"{order}8q", head, 16)
        edges = struct.unpack_from(f"{order}8d", head, 104)
        offset, slope, intercept = struct.unpack_from(f"{order}q2d", head, 168)
        units, single = struct.unpack_from(f"{order}i", head, 500)[0], head[4:7] == b"n+2"
    else:
        raise ImageError("volume_unknown", name=path.name)
    if kind not in _TYPES:
        raise ImageError("image_pixel_type", name=path.name, value=f"NIfTI {kind}")
    count = dims[0]
    if count < 3 or count > 7 or any(side > 1 for side in dims[4 : count + 1]):
        raise ImageError("volume_several_channels", name=path.name)
    # A slope of 0 says that there is none.
    scaled = math.isfinite(slope) and math.isfinite(intercept) and slope != 0
    data = path if single else _image_beside(path)
    first = int(offset) if math.isfinite(offset) else 0
    is_packed = data.name.lower().endswith(".gz")
    return RawVolume(
        header=path,
        data=data,
        offset=0 if is_packed else first,
        shape=checked_shape(path, dims[1:4]),
        greys=Greys(order + _TYPES[kind], *((slope, intercept) if scaled else (1.0, 0.0))),
        voxel_mm=checked_header([abs(edge) for edge in edges[1:4]], _MM.get(units & 7, 0.0)),
        format="NIfTI",
        packing="gzip" if is_packed else "none",
        skipped=max(0, first) if is_packed else 0,
    )


def _image_beside(path: Path) -> Path:
    ending = ".hdr.gz" if path.name.lower().endswith(".gz") else ".hdr"
    return path.with_name(path.name[: -len(ending)] + ending.replace("hdr", "img"))
