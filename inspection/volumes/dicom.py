"""A DICOM series becomes a volume: its planes in order of their place, their values rescaled."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple, cast

import numpy as np

from inspection.errors import ImageError
from inspection.messages import Message
from inspection.volumes.codestreams import stated_size
from inspection.volumes.dicom_header import DicomHeader, Vector, is_dicom, quiet, read_header
from inspection.volumes.source import PlaneAt, Source, StoredPlanes
from inspection.volumes.stopping import go_on
from inspection.volumes.volume import VolumeInfo, Voxels

_SUFFIXES = (".dcm", ".dicom", ".dic", ".ima", ".dicm")
_SAME_PLACE_MM = 1e-4
_UNEVEN = 0.02
"""Of the usual distance of two planes, by which one may differ."""
_GAP = 1.5


class _Plane(NamedTuple):
    header: DicomHeader
    frame: int
    at: float | None


def may_be_dicom(name: str) -> bool:
    """Return whether a file is worth looking into: by its suffix, or since it has none.

    Scanners name files by their UID, too, whose end looks like a suffix of digits.
    """
    lower = name.lower()
    suffix = lower.rpartition(".")[2] if "." in lower else ""
    if lower == "dicomdir":
        return False
    return lower.endswith(_SUFFIXES) or not suffix or suffix.isdigit()


class Series(NamedTuple):
    """Files of one series in a folder.

    Parameters
    ----------
    label : its number, or its place among the folder's series; empty where there is one
    problem : of a file whose header cannot be read, which is then a series of its own
    """

    label: str
    files: tuple[Path, ...]
    problem: Message | None = None


def series_in(files: Iterable[Path]) -> list[Series]:
    """Return the series of a folder, in the order of their numbers."""
    by_uid: dict[str, list[DicomHeader]] = defaultdict(list)
    broken: list[Series] = []
    for path in files:
        go_on()
        if not may_be_dicom(path.name) or not is_dicom(path):
            continue
        try:
            header = read_header(path)
        except ImageError as error:
            broken.append(Series("", (path,), error.message))
        else:
            by_uid[header.series].append(header)
    found = sorted(
        by_uid.values(),
        key=lambda headers: (headers[0].series_number or 0, min(h.path.name for h in headers)),
    )
    numbers = [headers[0].series_number for headers in found]
    if len(set(numbers)) < len(numbers) or None in numbers:
        numbers = list(range(1, len(found) + 1))
    several = len(found) > 1
    return [
        Series(str(number) if several else "", tuple(h.path for h in headers))
        for number, headers in zip(numbers, found, strict=True)
    ] + broken


def open_dicom(path: Path, series: str = "") -> Source:
    """Read the headers of a series.

    Parameters
    ----------
    path : a file, or the folder of a series
    series : which one of a folder of several

    Raises
    ------
    ImageError
        If a file is damaged or of a kind that is not read, or the files are no one volume.
    """
    files = files_of_series(path, series) if path.is_dir() else (path,)
    return _source(path, [read_header(file) for file in files])


def files_of_series(folder: Path, series: str) -> tuple[Path, ...]:
    """Return the files of a folder's series.

    Raises
    ------
    ImageError
        If the folder cannot be listed, or the series is not in it.
    """
    try:
        found = series_in(sorted(folder.iterdir()))
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise ImageError("image_unreadable", name=folder.name, problem=problem) from None
    for one in found:
        if one.problem is None and one.label == series:
            return one.files
    raise ImageError("image_missing", name=folder.name)


def _source(path: Path, headers: Sequence[DicomHeader]) -> Source:
    first = headers[0]
    for header in headers:
        if header.kind != first.kind:
            raise ImageError("volume_mixed_sizes", name=header.path.name)
    planes = _in_order(path, headers)
    distance, warnings = _distance(path, planes)
    spacing = first.spacing
    scale = (distance, *spacing) if distance and spacing and min(spacing) > 0 else None
    types = {header.greys.dtype for header in headers}
    dtype = types.pop() if len(types) == 1 else "float32"
    info = VolumeInfo((len(planes), first.rows, first.columns), dtype, scale, "DICOM", warnings)
    if len({header.greys for header in headers}) == 1 and all(
        header.offset is not None for header in headers
    ):
        size = first.rows * first.columns * np.dtype(first.greys.stored).itemsize
        places = [
            PlaneAt(plane.header.path, (plane.header.offset or 0) + plane.frame * size)
            for plane in planes
        ]
        return StoredPlanes(info, places, first.greys)
    return DicomPlanes(info, planes)


def _in_order(path: Path, headers: Sequence[DicomHeader]) -> list[_Plane]:
    """Return all planes by their place along the normal, else by the number that they were given.

    Raises
    ------
    ImageError
        If two lie at one place, or nothing says their order.
    """
    planes = [
        _Plane(header, frame, _along(header, header.positions[frame] if header.positions else None))
        for header in headers
        for frame in range(header.frames)
    ]
    if len(planes) == 1 or (len(headers) == 1 and any(plane.at is None for plane in planes)):
        return planes
    if all(plane.at is not None for plane in planes):
        planes.sort(key=lambda plane: cast(float, plane.at))
        keys = [cast(float, plane.at) for plane in planes]
        if any(b - a < _SAME_PLACE_MM for a, b in itertools.pairwise(keys)):
            raise ImageError("volume_planes_twice", name=path.name)
        return planes
    if any(plane.header.instance is None or plane.header.frames > 1 for plane in planes):
        raise ImageError("volume_no_order", name=path.name)
    planes.sort(key=lambda plane: plane.header.instance or 0)
    numbers = [plane.header.instance for plane in planes]
    if len(set(numbers)) < len(numbers):
        raise ImageError("volume_planes_twice", name=path.name)
    return [plane._replace(at=None) for plane in planes]


def _along(header: DicomHeader, position: Vector | None) -> float | None:
    """Return how far along the normal of its plane a position lies, in mm."""
    if position is None or header.orientation is None:
        return None
    rows, columns = np.array(header.orientation[:3]), np.array(header.orientation[3:])
    normal = np.cross(rows, columns)
    length = float(np.linalg.norm(normal))
    return float(normal @ np.array(position)) / length if length > 0.5 else None


def _distance(path: Path, planes: Sequence[_Plane]) -> tuple[float | None, tuple[Message, ...]]:
    """Return the distance of two planes in mm, and what is odd about it."""
    name = path.name
    if len(planes) > 1 and all(plane.at is not None for plane in planes):
        places = [cast(float, plane.at) for plane in planes]
        gaps = [b - a for a, b in itertools.pairwise(places)]
        # To a nanometre: positions are written as decimals.
        usual = round(median(gaps), 6)
        missing = sum(round(gap / usual) - 1 for gap in gaps if gap > _GAP * usual)
        if missing:
            params: dict[str, str | int | float] = {"name": name, "count": missing}
            return usual, (Message(code="volume_planes_missing", params=params),)
        if any(abs(gap - usual) > _UNEVEN * usual for gap in gaps):
            return None, (Message(code="volume_planes_uneven", params={"name": name}),)
        return usual, ()
    numbers = [plane.header.instance for plane in planes]
    if len({plane.header.path for plane in planes}) > 1 and None not in numbers:
        whole = cast(list[int], numbers)
        missing = whole[-1] - whole[0] + 1 - len(whole)
        if missing > 0:
            params = {"name": name, "count": missing}
            return planes[0].header.between, (Message(code="volume_planes_missing", params=params),)
    return planes[0].header.between, ()


class DicomPlanes:
    """Planes that have to be unpacked, or that are each rescaled in their own way."""

    packed = True

    def __init__(self, info: VolumeInfo, planes: Sequence[_Plane]) -> None:
        self.info = info
        self._planes = planes

    def read(self, start: Sequence[int], stop: Sequence[int]) -> Voxels:
        """Return the voxels from ``start`` up to ``stop``, both (z, y, x)."""
        (z0, y0, x0), (z1, y1, x1) = start, stop
        box = np.empty((z1 - z0, y1 - y0, x1 - x0), self.info.dtype)
        for index in range(z1 - z0):
            go_on()
            box[index] = self._plane(self._planes[z0 + index])[y0:y1, x0:x1]
        return cast(Voxels, box)

    def close(self) -> None:
        """Forget nothing: every read opens its files."""

    def _plane(self, plane: _Plane) -> Voxels:
        from pydicom import dcmread
        from pydicom.encaps import get_frame
        from pydicom.pixels.utils import pixel_array

        quiet()
        header = plane.header
        path = header.path
        try:
            if header.packed_at:
                with path.open("rb") as file:
                    file.seek(header.packed_at)
                    stream = get_frame(file, plane.frame, number_of_frames=header.frames)
                if stated_size(stream) != (header.rows, header.columns, 1):
                    raise ImageError("volume_damaged", name=path.name)
            # Of a path pydicom reads what it needs, and of a deflated file too little.
            whole = dcmread(path) if header.packing == "deflated" else path
            found = pixel_array(whole, raw=True, index=plane.frame)
        except FileNotFoundError:
            raise ImageError("image_missing", name=path.name) from None
        except MemoryError:
            raise
        # What a decoder raises for damaged data is no short list, and may quote the file.
        except Exception:  # noqa: BLE001
            raise ImageError("volume_damaged", name=path.name) from None
        if found.shape != (header.rows, header.columns):
            raise ImageError("volume_damaged", name=path.name)
        return header.greys.values(found)
