"""Volume Graphics' ``.vgi``: a text of sections beside the voxels, a ``.vol``."""

from __future__ import annotations

from pathlib import Path

from inspection.errors import ImageError
from inspection.volumes.greys import Greys
from inspection.volumes.raw.header import (
    RawVolume,
    beside,
    checked_shape,
    field_of,
    head_of,
    numbers,
)
from inspection.volumes.scale import checked_header, unit_mm

_KINDS = {"unsigned integer": "u", "signed integer": "i", "integer": "i", "float": "f"}


def describe_vgi(path: Path) -> RawVolume:
    """Read a header.

    Raises
    ------
    ImageError
        If it is none, names several files, or says something that is not read.
    """
    text = head_of(path).decode("latin-1")
    sections: dict[str, dict[str, str]] = {}
    section = sections.setdefault("", {})
    for line in text.splitlines():
        key, found, value = line.partition("=")
        if line.strip().startswith("["):
            section = sections.setdefault(line.strip().strip("[]").lower(), {})
        elif found:
            section.setdefault(key.strip().lower(), value.strip())
    if "file2" in sections:
        raise ImageError("volume_field", name=path.name, field="file2", value="")
    data = sections.get("file1", {})
    written = data.get("fileformat", "raw")
    if written.lower() != "raw":
        raise ImageError("image_compression", name=path.name, value=written)
    said = sections.get("representation", {}) | data
    kind = field_of(path, said, "datatype").lower()
    bits = field_of(path, said, "bitsperelement")
    letter = _KINDS.get(kind, "u" if kind.startswith("unsigned") else "")
    if not letter or bits not in ("8", "16", "32"):
        raise ImageError("image_pixel_type", name=path.name, value=f"{kind} {bits}")
    geometry = sections.get("geometry", {})
    edges = numbers(path, "resolution", geometry.get("resolution", ""))
    return RawVolume(
        header=path,
        data=beside(path, field_of(path, data, "name")),
        offset=int(numbers(path, "SkipHeader", data.get("skipheader", "0"))[0]),
        shape=checked_shape(path, field_of(path, said, "size").split()),
        greys=Greys(f"<{letter}{int(bits) // 8}"),
        voxel_mm=checked_header(edges, unit_mm(geometry.get("unit", ""))),
        format="VGI",
    )
