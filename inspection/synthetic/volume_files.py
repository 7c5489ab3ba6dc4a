"""Write a volume as scanners do: a TIFF stack, a DICOM series, raw data with a header."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspection.synthetic.spec import Bits

Stored = NDArray[np.uint8] | NDArray[np.uint16]

STEP_AND_OFFSET: dict[Bits, tuple[int, int]] = {"8": (1, 0), "12": (14, 120), "16": (110, 12_000)}
"""Stored values of a grey level, and of level 0: a reconstruction does not begin at 0."""


class WholeVolume(NamedTuple):
    """What is to be written.

    Parameters
    ----------
    shape : voxels (z, y, x)
    planes : (y, x) stored values, across z in order; read once
    bits : of a stored value
    voxel_mm : edge of a voxel
    """

    shape: tuple[int, int, int]
    planes: Iterator[Stored]
    bits: Bits
    voxel_mm: float

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """The type that the values are stored in."""
        return np.uint8 if self.bits == "8" else np.uint16


def stored_values(grey: NDArray[np.float32], bits: Bits) -> Stored:
    """Return grey levels, 0 to 255, as a scanner of so many bits stores them."""
    step, offset = STEP_AND_OFFSET[bits]
    values = np.rint(np.clip(grey * step + offset, 0, 2 ** int(bits) - 1))
    return values.astype(np.uint8) if bits == "8" else values.astype(np.uint16)


def write_tiff_stack(folder: Path, volume: WholeVolume) -> Path:
    """Write ``volume.tif``, a multi-page TIFF with ImageJ's voxel size; return it."""
    import tifffile

    per_mm = 1 / volume.voxel_mm
    path = folder / "volume.tif"
    tifffile.imwrite(
        path,
        volume.planes,
        shape=volume.shape,
        dtype=volume.dtype,
        imagej=True,
        resolution=(per_mm, per_mm),
        metadata={"axes": "ZYX", "spacing": volume.voxel_mm, "unit": "mm"},
    )
    return path


def write_raw(folder: Path, volume: WholeVolume) -> Path:
    """Write ``volume.raw`` and its header, ``volume.mhd``; return the header."""
    with (folder / "volume.raw").open("wb") as data:
        for plane in volume.planes:
            data.write(plane.astype(plane.dtype.newbyteorder("<")).tobytes())
    size = " ".join(str(side) for side in reversed(volume.shape))
    spacing = " ".join([repr(volume.voxel_mm)] * 3)
    element = "MET_UCHAR" if volume.bits == "8" else "MET_USHORT"
    header = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "ElementSpacing": spacing,
        "DimSize": size,
        "ElementType": element,
        "ElementDataFile": "volume.raw",
    }
    lines = "".join(f"{key} = {value}\n" for key, value in header.items())
    path = folder / "volume.mhd"
    path.write_text(lines, encoding="utf-8")
    return path


def write_dicom(folder: Path, volume: WholeVolume) -> Path:
    """Write a series of single slices, whose names do not tell their order; return the folder."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    seed = [folder.parent.name, str(volume.shape)]
    series, study, frame = (
        generate_uid(entropy_srcs=[*seed, part]) for part in ("series", "study", "frame")
    )
    names = np.random.default_rng(volume.shape).permutation(volume.shape[0])
    for number, plane in enumerate(volume.planes):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[*seed, str(number)])
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / f"IM{names[number]:05d}.dcm"
        slice_ = FileDataset(path, {}, file_meta=meta, preamble=bytes(128))
        slice_.SOPClassUID = CTImageStorage
        slice_.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        slice_.Modality = "CT"
        slice_.SeriesInstanceUID, slice_.StudyInstanceUID = series, study
        slice_.FrameOfReferenceUID = frame
        slice_.SeriesNumber, slice_.InstanceNumber = 1, number + 1
        slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        slice_.ImagePositionPatient = [0, 0, round(number * volume.voxel_mm, 6)]
        slice_.PixelSpacing = [volume.voxel_mm, volume.voxel_mm]
        slice_.SliceThickness = volume.voxel_mm
        slice_.Rows, slice_.Columns = plane.shape
        slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
        bits = int(volume.bits)
        slice_.BitsAllocated, slice_.BitsStored = 8 * plane.itemsize, bits
        slice_.HighBit, slice_.PixelRepresentation = bits - 1, 0
        slice_.RescaleSlope, slice_.RescaleIntercept = 1, 0
        slice_.PixelData = plane.tobytes()
        slice_["PixelData"].VR = "OB" if plane.itemsize == 1 else "OW"
        slice_.save_as(path, enforce_file_format=True)
    return folder


WRITERS: dict[str, Callable[[Path, WholeVolume], Path]] = {
    "tiff-stack": write_tiff_stack,
    "dicom": write_dicom,
    "raw": write_raw,
}
