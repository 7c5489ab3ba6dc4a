"""Volumes as scanners and their programs write them."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid

Array = NDArray[Any]
PERSON = "Hong^Gildong"
SHAPE = (13, 64, 72)


def smooth_body(shape: tuple[int, int, int] = SHAPE, dtype: str = "uint16") -> Array:
    """Return voxels of which no two planes, rows or columns are alike, smooth along each."""
    z, y, x = (np.arange(side, dtype=np.float64) for side in shape)
    body = 40 * z[:, None, None] + 23 * y[None, :, None] + 31 * x[None, None, :]
    most = 255 if np.dtype(dtype).itemsize == 1 else 30_000
    return np.rint(body / body.max() * most).astype(dtype)


def write_bytes(path: Path, data: bytes) -> Path:
    """Write ``path`` and return it."""
    path.write_bytes(data)
    return path


def write_tiff(path: Path, body: Array, **options: Any) -> Path:
    """Write a grey TIFF stack as `tifffile` does by these options."""
    tifffile.imwrite(path, body, **({"photometric": "minisblack"} | options))
    return path


def write_hdf5(path: Path, *bodies: Array, **options: Any) -> Path:
    """Write arrays beside a table, each with its voxel size; skip where h5py is missing."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["entry/rotation"] = np.arange(7.0)
        for number, body in enumerate(bodies):
            dataset = file.create_dataset(f"entry/data{number}", data=body, **options)
            dataset.attrs["element_size_um"] = (50.0, 30.0, 20.0)
    return path


def write_zarr(
    path: Path, *bodies: Array, version: int = 2, ome: Any = None, **options: Any
) -> Path:
    """Write a group of arrays, by OME's attributes where they are given; skip without zarr."""
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(path, mode="w", zarr_format=version)
    for number, body in enumerate(bodies):
        chunks = (*(1 for _ in body.shape[:-3]), 4, 32, 32)
        group.create_array(str(number), data=body, chunks=chunks, **options)
    if ome is not None:
        group.attrs.update({"ome": ome} if version == 3 else ome)
    return path


def ome_scales(*leading: str, unit: str = "micrometer") -> dict[str, Any]:
    """Return the attributes of a pyramid whose finest scale has voxels of 50, 30 and 20."""
    axes: list[dict[str, str]] = [{"name": name} for name in leading]
    axes += [{"name": name, "type": "space", "unit": unit} for name in "zyx"]
    scale = {"type": "scale", "scale": [*(1.0 for _ in leading), 25.0, 15.0, 10.0]}
    doubled = {"type": "scale", "scale": [2.0 for _ in axes]}
    scales = [{"path": "0", "coordinateTransformations": [scale]}, {"path": "1"}]
    pyramid = {"axes": axes, "datasets": scales, "coordinateTransformations": [doubled]}
    return {"multiscales": [pyramid]}


def write_metaimage(path: Path, body: Array, data: bytes | None = None, **fields: str) -> Path:
    """Write ``path`` and, beside it, its data."""
    kinds = {"uint8": "MET_UCHAR", "uint16": "MET_USHORT", "int16": "MET_SHORT"}
    kinds |= {"float32": "MET_FLOAT"}
    z, y, x = body.shape
    said = {
        "ObjectType": "Image",
        "NDims": "3",
        "DimSize": f"{x} {y} {z}",
        "ElementSpacing": "0.02 0.03 0.05",
        "ElementByteOrderMSB": "False",
        "ElementType": kinds[body.dtype.name],
        "ElementDataFile": f"{path.stem}.raw",
    } | fields
    ending = said.pop("ElementDataFile")
    said["ElementDataFile"] = ending
    path.write_text("".join(f"{key} = {value}\n" for key, value in said.items()))
    raw = body.tobytes() if data is None else data
    if ending == "LOCAL":
        path.write_bytes(path.read_bytes() + raw)
    else:
        (path.parent / ending).write_bytes(raw)
    return path


def write_hollow(path: Path, side: int = 1000) -> Path:
    """Write a cube of 16-bit zeros, 2 GB by default, that takes no room on most disks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_metaimage(path, np.zeros((1, 1, 1), np.uint16), DimSize=f"{side} {side} {side}")
    os.truncate(path.with_suffix(".raw"), 2 * side**3)
    return path


def write_nrrd(path: Path, body: Array, encoding: str = "raw", data: bytes | None = None) -> Path:
    """Write a header with its data behind it."""
    z, y, x = body.shape
    head = (
        f"NRRD0004\n# made for a test\ntype: {body.dtype.name}\ndimension: 3\nsizes: {x} {y} {z}\n"
        'spacings: 20 30 50\nspace units: "um" "um" "um"\n'
        f"endian: little\nencoding: {encoding}\n\n"
    )
    path.write_bytes(head.encode() + (body.tobytes() if data is None else data))
    return path


def write_vgi(path: Path, body: Array) -> Path:
    """Write ``path`` and, beside it, a ``.vol``."""
    z, y, x = body.shape
    kind = {"u": "unsigned integer", "f": "float"}[body.dtype.kind]
    path.write_text(
        f"{{volume1}}\n[representation]\nsize = {x} {y} {z}\n[file1]\nFileFormat = raw\n"
        f"Size = {x} {y} {z}\nName = D:\\scans\\{path.stem}.vol\nDatatype = {kind}\n"
        f"BitsPerElement = {body.dtype.itemsize * 8}\n{{volumeprimitive1}}\n[geometry]\n"
        "resolution = 0.02 0.03 0.05\nunit = mm\n"
    )
    path.with_suffix(".vol").write_bytes(body.tobytes())
    return path


def nifti_bytes(body: Array, slope: float = 0.0, intercept: float = 0.0) -> bytes:
    """Return a file of NIfTI-1, its voxels in micrometres."""
    z, y, x = body.shape
    kind = {"uint8": 2, "int16": 4, "uint16": 512, "float32": 16}[body.dtype.name]
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, x, y, z, 1, 1, 1, 1)
    struct.pack_into("<2h", head, 70, kind, body.dtype.itemsize * 8)
    struct.pack_into("<8f", head, 76, 1, 20, 30, 50, 1, 1, 1, 1)
    struct.pack_into("<3f", head, 108, 352, slope, intercept)
    head[123] = 3
    head[344:348] = b"n+1\0"
    return bytes(head) + body.tobytes()


def dicom_plane(plane: Array, at: float, number: int, series: str, **fields: Any) -> FileDataset:
    """Return one plane of a series across z, with a person's name that nobody has to see."""
    syntax = UID(fields.pop("syntax", ExplicitVRLittleEndian))
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.2")
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, generate_uid()
    dataset.PatientName, dataset.PatientID = PERSON, "secret-7"
    dataset.SeriesInstanceUID, dataset.SeriesNumber, dataset.InstanceNumber = series, 4, number
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.ImagePositionPatient = [0, 0, at]
    dataset.PixelSpacing = [0.03, 0.02]
    dataset.Rows, dataset.Columns = plane.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = plane.dtype.itemsize * 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, int(plane.dtype.kind == "i")
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    dataset.PixelData = plane.astype(plane.dtype.newbyteorder(order)).tobytes()
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    for keyword, value in fields.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def write_series(
    folder: Path,
    body: Array,
    planes: Iterable[int] | None = None,
    series: str = "1.2.3.4",
    names: str = "{number:04d}.dcm",
    packed_as: str = "",
    **fields: Any,
) -> Path:
    """Write a file a plane, the last plane first; planes are 0.05 mm apart."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, z in enumerate(reversed(list(planes or range(len(body))))):
        plane = dicom_plane(body[z], 0.05 * z, number + 1, series, **fields)
        if packed_as:
            plane.compress(UID(packed_as))
        dcmwrite(folder / names.format(number=number), plane, enforce_file_format=True)
    return folder
