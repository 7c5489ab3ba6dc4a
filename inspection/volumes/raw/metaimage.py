"""MetaImage: a text header with its data behind it (``.mha``) or beside it (``.mhd``).

References
----------
https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from __future__ import annotations

from pathlib import Path

from inspection.errors import ImageError
from inspection.volumes.greys import Greys
from inspection.volumes.raw.header import (
    RawVolume,
    beside,
    check_field,
    checked_shape,
    field_of,
    head_of,
    numbers,
    text_fields,
)
from inspection.volumes.scale import checked_header

_TYPES = {
    "met_uchar": "u1", "met_char": "i1", "met_ushort": "u2", "met_short": "i2", "met_uint": "u4",
    "met_int": "i4", "met_float": "f4", "met_double": "f8",
}  # fmt: skip
_LAST_KEY = b"ElementDataFile"


def describe_metaimage(path: Path) -> RawVolume:
    """Read a header.

    Raises
    ------
    ImageError
        If it is none, or says something that is not read.
    """
    head = head_of(path)
    last = head.find(_LAST_KEY)
    end = head.find(b"\n", last) + 1 if last >= 0 else 0
    fields = text_fields(head[: end or len(head)].decode("latin-1"), "=")
    check_field(path, fields, "ndims", "3")
    shape = checked_shape(path, field_of(path, fields, "dimsize").split())
    kind = field_of(path, fields, "elementtype").lower()
    channels = fields.get("elementnumberofchannels", "1")
    if kind not in _TYPES or channels != "1":
        raise ImageError("image_pixel_type", name=path.name, value=f"{kind} x {channels}")
    big = fields.get("binarydatabyteordermsb", fields.get("elementbyteordermsb", "False"))
    order = ">" if big.lower() in ("true", "1") else "<"
    is_packed = fields.get("compresseddata", "False").lower() in ("true", "1")
    name = field_of(path, fields, "elementdatafile")
    if name.upper() == "LIST" or "%" in name:
        raise ImageError("volume_field", name=path.name, field="ElementDataFile", value=name)
    is_local = name.upper() == "LOCAL"
    skip = int(numbers(path, "HeaderSize", fields.get("headersize", "0"))[0])
    spacing = fields.get("elementspacing", fields.get("elementsize", ""))
    return RawVolume(
        header=path,
        data=path if is_local else beside(path, name),
        offset=end if is_local else skip,
        shape=shape,
        greys=Greys(order + _TYPES[kind]),
        voxel_mm=checked_header(numbers(path, "ElementSpacing", spacing)),
        format="MetaImage",
        packing="zlib" if is_packed else "none",
    )
