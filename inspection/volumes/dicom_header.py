"""What is read of a DICOM or DICONDE file besides its pixels: nothing about a person or a part.

Only the tags below leave a file. What pydicom would tell of others in warnings and logs is
silenced, since it may quote them.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from inspection.errors import ImageError
from inspection.volumes.dicom_walk import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    KEYWORDS,
    walk,
)
from inspection.volumes.greys import Greys

_PIXEL_DATA = 0x7FE00010
READ_SYNTAXES = {
    IMPLICIT_LITTLE: "implicit VR little endian",
    EXPLICIT_LITTLE: "explicit VR little endian",
    EXPLICIT_BIG: "explicit VR big endian",
    DEFLATED: "deflated",
    "1.2.840.10008.1.2.5": "RLE",
    "1.2.840.10008.1.2.4.50": "JPEG baseline",
    "1.2.840.10008.1.2.4.80": "JPEG-LS lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS near lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.4.201": "HTJ2K lossless",
    "1.2.840.10008.1.2.4.202": "HTJ2K lossless, RPCL",
    "1.2.840.10008.1.2.4.203": "HTJ2K",
}
_CODESTREAMS = {syntax for syntax in READ_SYNTAXES if syntax.startswith("1.2.840.10008.1.2.4.")}
REFUSED_SYNTAXES = {
    "1.2.840.10008.1.2.4.51": "JPEG extended, 12 bit",
    "1.2.840.10008.1.2.4.57": "JPEG lossless",
    "1.2.840.10008.1.2.4.70": "JPEG lossless, first-order prediction",
    "1.2.840.10008.1.2.4.92": "JPEG 2000, part 2",
    "1.2.840.10008.1.2.4.93": "JPEG 2000, part 2",
    "1.2.840.10008.1.2.4.94": "JPIP",
    "1.2.840.10008.1.2.4.95": "JPIP, deflated",
    "1.2.840.10008.1.2.4.100": "MPEG-2",
    "1.2.840.10008.1.2.4.102": "MPEG-4",
    "1.2.840.10008.1.2.4.110": "JPEG XL",
}
_MOST_FRAMES = 1 << 16
_HEAD_BYTES, _LONG_HEAD_BYTES = 1 << 13, 1 << 20

Vector = tuple[float, float, float]
Fields = Any
"""pydicom's ``Dataset`` or a dictionary by the same keywords: only ``get`` is used."""


class DicomHeader(NamedTuple):
    """One file of a series.

    Parameters
    ----------
    normal, positions : direction across its planes and the place of each in mm; None where not said
    spacing : edges (y, x) of a pixel in mm
    offset : of the first pixel where they are stored as they are; None where they are packed
    packed_at : where the packed pictures begin; 0 where pixels are stored as they are, or packed
        otherwise than each for itself
    """

    path: Path
    series: str
    series_number: int | None
    instance: int | None
    frames: int
    rows: int
    columns: int
    orientation: tuple[float, ...] | None
    positions: tuple[Vector, ...] | None
    spacing: tuple[float, float] | None
    between: float | None
    greys: Greys
    offset: int | None
    packed_at: int
    packing: str

    @property
    def kind(self) -> tuple[object, ...]:
        """What is the same in all files of a series."""
        turned = self.orientation and tuple(round(one, 3) for one in self.orientation)
        return self.rows, self.columns, self.greys.stored, self.greys.bits, turned


def is_dicom(path: Path) -> bool:
    """Return whether a file bears DICOM's mark."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_header(path: Path) -> DicomHeader:
    """Return what a file says of its pixels.

    Raises
    ------
    ImageError
        If it is damaged, holds no pixels, or pixels of a kind that is not read.
    """
    try:
        found = path.stat()
        return _read(path, found.st_size, found.st_mtime_ns)
    except FileNotFoundError:
        raise ImageError("image_missing", name=path.name) from None
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise ImageError("image_unreadable", name=path.name, problem=problem) from None


@cache
def quiet() -> None:
    """Keep pydicom from telling what it reads: it quotes values."""
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module="pydicom")


@lru_cache(maxsize=20_000)
def _read(path: Path, size: int, _changed: int) -> DicomHeader:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            if head[128:132] != b"DICM":
                raise ImageError("volume_unknown", name=path.name)
            walked = walk(head) or walk(head + file.read(_LONG_HEAD_BYTES))
            if walked is not None:
                fields: Fields = walked.fields
                syntax, place = walked.syntax, walked.pixels
            else:
                from pydicom import dcmread

                quiet()
                file.seek(0)
                fields = dcmread(file, stop_before_pixels=True, specific_tags=KEYWORDS)
                syntax = str(fields.file_meta.get("TransferSyntaxUID", "")) or IMPLICIT_LITTLE
                place = file.tell()
            file.seek(place)
            tail = file.read(12)
        return _header(path, size, fields, syntax, place, tail)
    except (ImageError, OSError):
        raise
    # What a damaged header makes pydicom raise is no short list.
    except Exception:  # noqa: BLE001
        raise ImageError("volume_damaged", name=path.name) from None


def _header(
    path: Path, size: int, dataset: Fields, syntax: str, place: int, tail: bytes
) -> DicomHeader:
    if syntax not in READ_SYNTAXES:
        value = REFUSED_SYNTAXES.get(syntax, syntax)
        raise ImageError("image_compression", name=path.name, value=value)
    # A deflated file was unpacked whole, and nothing is left of it to look at.
    ends = not tail and syntax != DEFLATED
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    if not rows or not columns or ends:
        raise ImageError("volume_no_pixels", name=path.name)
    frames = int(dataset.get("NumberOfFrames") or 1)
    if not 1 <= frames <= _MOST_FRAMES:
        raise ImageError("volume_damaged", name=path.name)
    greys = _greys(path, dataset, syntax)
    offset = None
    if syntax in (IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG):
        offset = _pixels_at(path, syntax, place, tail)
        needed = frames * rows * columns * np.dtype(greys.stored).itemsize
        if size - offset < needed:
            raise ImageError("volume_cut", name=path.name)
        # Bytes of 8-bit pixels change places where words are big-endian.
        if syntax == EXPLICIT_BIG and np.dtype(greys.stored).itemsize == 1:
            offset = None
    shared = _first(dataset, "SharedFunctionalGroupsSequence")
    orientation, positions = _geometry(dataset, shared, frames)
    measures = _first(shared, "PixelMeasuresSequence")
    spacing = dataset.get("PixelSpacing") or (measures and measures.get("PixelSpacing"))
    between = dataset.get("SpacingBetweenSlices") or (
        measures and measures.get("SpacingBetweenSlices")
    )
    number = dataset.get("SeriesNumber")
    instance = dataset.get("InstanceNumber")
    return DicomHeader(
        path=path,
        series=str(dataset.get("SeriesInstanceUID", "")),
        series_number=None if number is None else int(number),
        instance=None if instance is None else int(instance),
        frames=frames,
        rows=rows,
        columns=columns,
        orientation=orientation,
        positions=positions,
        spacing=(float(spacing[0]), float(spacing[1])) if spacing else None,
        between=abs(float(between)) if between else None,
        greys=greys,
        offset=offset,
        packed_at=place + 12 if syntax in _CODESTREAMS else 0,
        packing=READ_SYNTAXES[syntax],
    )


def _greys(path: Path, dataset: Fields, syntax: str) -> Greys:
    """Return how the numbers are meant; refuse by its name what is not read."""
    name = path.name
    colours = str(dataset.get("PhotometricInterpretation", ""))
    if dataset.get("SamplesPerPixel", 1) != 1 or not colours.startswith("MONOCHROME"):
        raise ImageError("image_colours", name=name, value=colours or "?")
    bits, stored = int(dataset.get("BitsAllocated")), int(dataset.get("BitsStored", 0))
    stored = stored or bits
    if bits not in (8, 16, 32) or not 1 <= stored <= bits:
        raise ImageError("image_pixel_type", name=name, value=f"{stored}/{bits}")
    highest = int(dataset.get("HighBit", stored - 1))
    if highest != stored - 1:
        raise ImageError("image_pixel_type", name=name, value=f"{stored}/{bits}, {highest}")
    if dataset.get("ModalityLUTSequence"):
        raise ImageError("volume_field", name=name, field="Modality LUT", value="")
    signed = int(dataset.get("PixelRepresentation", 0)) == 1
    order = ">" if syntax == EXPLICIT_BIG else "<"
    shared = _first(dataset, "SharedFunctionalGroupsSequence")
    frame = _first(dataset, "PerFrameFunctionalGroupsSequence")
    told = (
        _first(shared, "PixelValueTransformationSequence")
        or _first(frame, "PixelValueTransformationSequence")
        or dataset
    )
    slope = float(told.get("RescaleSlope") or 1.0)
    intercept = float(told.get("RescaleIntercept") or 0.0)
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise ImageError("volume_damaged", name=name)
    turned = (-1 if signed else (1 << stored) - 1) if colours == "MONOCHROME1" else None
    letter = f"{'i' if signed else 'u'}{bits // 8}"
    return Greys(
        np.dtype(order + letter).str, slope, intercept, stored if stored < bits else 0, turned
    )


def _pixels_at(path: Path, syntax: str, place: int, tail: bytes) -> int:
    """Return where the first pixel lies, from the element that the header ends before."""
    order = "big" if syntax == EXPLICIT_BIG else "little"
    group, element = (int.from_bytes(tail[at : at + 2], order) for at in (0, 2))  # type: ignore[arg-type]
    if (group << 16 | element) != _PIXEL_DATA:
        raise ImageError("volume_no_pixels", name=path.name)
    return place + (8 if syntax == IMPLICIT_LITTLE else 12)


def _geometry(
    dataset: Fields, shared: Fields | None, frames: int
) -> tuple[tuple[float, ...] | None, tuple[Vector, ...] | None]:
    """Return orientation and the position of each plane, where the file says them."""
    plane = _first(shared, "PlaneOrientationSequence")
    each = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if plane is None and len(each):
        plane = _first(each[0], "PlaneOrientationSequence")
    orientation = _numbers(plane or dataset, "ImageOrientationPatient", 6)
    if frames == 1 and not len(each):
        position = _numbers(dataset, "ImagePositionPatient", 3)
        found = [position] if position else []
    else:
        places = [_first(one, "PlanePositionSequence") for one in each]
        found = [at for one in places if one and (at := _numbers(one, "ImagePositionPatient", 3))]
    if len(found) != frames:
        return orientation, None
    return orientation, tuple((one[0], one[1], one[2]) for one in found)


def _first(dataset: Fields | None, keyword: str) -> Any:
    sequence: Sequence[Any] = (dataset.get(keyword) if dataset is not None else None) or []
    return sequence[0] if len(sequence) else None


def _numbers(dataset: Fields, keyword: str, count: int) -> tuple[float, ...] | None:
    value = dataset.get(keyword)
    if not value or len(value) != count:
        return None
    found = tuple(float(one) for one in value)
    return found if all(math.isfinite(one) for one in found) else None
