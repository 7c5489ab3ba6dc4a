"""Every format gives the same voxels, and the size of a voxel where it says one."""

from __future__ import annotations

import gzip
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from builders.volume_files import (
    SHAPE,
    nifti_bytes,
    ome_scales,
    smooth_body,
    write_bytes,
    write_hdf5,
    write_metaimage,
    write_nrrd,
    write_series,
    write_tiff,
    write_vgi,
    write_zarr,
)

from inspection.records import VolumeRef
from inspection.volumes import columns, opening, stack
from inspection.volumes.opening import open_volume, read_info
from inspection.volumes.overview import overview

BODY = smooth_body()
MM = (0.05, 0.03, 0.02)


def imagej(path: Path, unit: str = "mm", each: float = 1.0) -> Path:
    scale = {"spacing": 0.05 / each, "unit": unit, "axes": "ZYX"}
    pixels = (each / 0.02, each / 0.03)
    return write_tiff(path, BODY, imagej=True, photometric=None, resolution=pixels, metadata=scale)


def ome(path: Path) -> Path:
    sizes = {"PhysicalSizeX": 20, "PhysicalSizeY": 30, "PhysicalSizeZ": 50}
    return write_tiff(path, BODY, ome=True, metadata={"axes": "ZYX", **sizes})


def pages(path: Path, **options: Any) -> Path:
    with tifffile.TiffWriter(path) as file:
        for page in BODY:
            file.write(page, contiguous=False, metadata=None, photometric="minisblack", **options)
    return path


FORMATS: dict[str, tuple[Callable[[Path], Path], str, tuple[float, ...] | None]] = {
    "plain.tif": (lambda path: write_tiff(path, BODY), "TIFF", None),
    "big.tiff": (lambda path: write_tiff(path, BODY, bigtiff=True), "BigTIFF", None),
    "turned.tif": (lambda path: write_tiff(path, BODY, byteorder=">"), "TIFF", None),
    "hyperstack.tif": (imagej, "ImageJ TIFF", MM),
    "micrometres.tif": (lambda path: imagej(path, r"\u00B5m", 1e-3), "ImageJ TIFF", MM),
    "body.ome.tif": (ome, "OME-TIFF", MM),
    "pages.tif": (pages, "TIFF", None),
    "strips.tif": (lambda path: pages(path, rowsperstrip=5), "TIFF", None),
    "tiles.tif": (lambda path: write_tiff(path, BODY, tile=(16, 16)), "TIFF", None),
    "deflate.tif": (
        lambda path: write_tiff(path, BODY, compression="zlib", predictor=True), "TIFF", None
    ),
    "packed tiles.tif": (
        lambda path: write_tiff(path, BODY, compression="zlib", tile=(16, 32), byteorder=">"),
        "TIFF", None,
    ),
    "body.mhd": (lambda path: write_metaimage(path, BODY), "MetaImage", MM),
    "body.mha": (
        lambda path: write_metaimage(path, BODY, ElementDataFile="LOCAL"), "MetaImage", MM
    ),
    "packed.mhd": (
        lambda path: write_metaimage(
            path, BODY, zlib.compress(BODY.tobytes()), CompressedData="True"
        ), "MetaImage", MM,
    ),
    "turned.mhd": (
        lambda path: write_metaimage(
            path, BODY, BODY.astype(">u2").tobytes(), BinaryDataByteOrderMSB="True"
        ), "MetaImage", MM,
    ),
    "unknown.mhd": (
        lambda path: write_metaimage(path, BODY, ElementSpacing="1 1 1"), "MetaImage", None
    ),
    "body.nrrd": (lambda path: write_nrrd(path, BODY), "NRRD", MM),
    "packed.nrrd": (
        lambda path: write_nrrd(path, BODY, "gzip", gzip.compress(BODY.tobytes())), "NRRD", MM
    ),
    "body.vgi": (lambda path: write_vgi(path, BODY), "VGI", MM),
    "body.nii": (lambda path: write_bytes(path, nifti_bytes(BODY)), "NIfTI", MM),
    "packed.nii.gz": (
        lambda path: write_bytes(path, gzip.compress(nifti_bytes(BODY))), "NIfTI", MM
    ),
    "series": (lambda path: write_series(path, BODY), "DICOM", MM),
    "big-endian": (
        lambda path: write_series(path, BODY, syntax="1.2.840.10008.1.2.2"), "DICOM", MM
    ),
    "RLE": (
        lambda path: write_series(path, BODY, packed_as="1.2.840.10008.1.2.5"), "DICOM", MM
    ),
    "JPEG-LS": (
        lambda path: write_series(path, BODY, packed_as="1.2.840.10008.1.2.4.80"), "DICOM", MM
    ),
    "JPEG 2000": (
        lambda path: write_series(path, BODY, packed_as="1.2.840.10008.1.2.4.90"), "DICOM", MM
    ),
    "body.h5": (lambda path: write_hdf5(path, BODY), "HDF5", MM),
    "chunked.hdf5": (
        lambda path: write_hdf5(path, BODY, chunks=(4, 16, 72), compression="gzip", shuffle=True),
        "HDF5", MM,
    ),
    "turned.h5": (lambda path: write_hdf5(path, BODY.astype(">u2")), "HDF5", MM),
    "body.zarr": (lambda path: write_zarr(path, BODY), "Zarr", None),
    "sharded.zarr": (
        lambda path: write_zarr(path, BODY, version=3, shards=(8, 64, 64)), "Zarr", None
    ),
    "pyramid.zarr": (
        lambda path: write_zarr(path, BODY, BODY[::2, ::2, ::2], ome=ome_scales()), "Zarr", MM
    ),
    "one channel.ome.zarr": (
        lambda path: write_zarr(
            path, BODY[None, None], BODY, version=3, ome=ome_scales("t", "c")
        ), "Zarr", MM,
    ),
    "unknown.zarr": (
        lambda path: write_zarr(path, BODY, ome=ome_scales(unit="")), "Zarr", None
    ),
    "implicit": (lambda path: write_series(path, BODY, syntax="1.2.840.10008.1.2"), "DICOM", MM),
}  # fmt: skip


@pytest.mark.parametrize("kept", ["in memory", "in the scratch folder", "nowhere"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_planes_and_its_voxel_size(name, kept, tmp_path, monkeypatch):
    if kept != "in memory":
        monkeypatch.setattr(stack, "IN_MEMORY_BYTES", 0)
        monkeypatch.setattr(columns, "PASSES", 0 if kept == "in the scratch folder" else 99)
    write, told, scale = FORMATS[name]
    volume = open_volume(VolumeRef(write(tmp_path / name)))
    assert (volume.info.shape, volume.info.dtype) == (SHAPE, "uint16")
    assert volume.info.format == told
    assert volume.info.warnings == ()
    assert volume.info.voxel_mm == (scale and pytest.approx(scale))
    for axis, across in (("z", 0), ("y", 1), ("x", 2)):
        for number in (0, 7, SHAPE[across] - 1):
            plane = volume.section(axis, number)
            np.testing.assert_array_equal(plane, np.take(BODY, number, across), f"{axis} {number}")
    np.testing.assert_array_equal(volume.block((2, 3, 5), (9, 20, 33)), BODY[2:9, 3:20, 5:33])


def test_lzw_and_packbits_pages_are_unpacked(tmp_path):
    from PIL import Image

    body = smooth_body(dtype="uint8")
    first, *others = (Image.fromarray(plane) for plane in body)
    for compression in ("tiff_lzw", "packbits"):
        path = tmp_path / f"{compression}.tif"
        first.save(path, save_all=True, append_images=others, compression=compression)
        volume = open_volume(VolumeRef(path))
        assert volume.info.shape == SHAPE
        np.testing.assert_array_equal(volume.section("x", 11), body[:, :, 11])


def test_values_are_rescaled_and_white_is_the_dense_end(tmp_path):
    signed = (BODY.astype(np.int32) - 15_000).astype(np.int16)
    whole = write_series(tmp_path / "whole", signed, RescaleIntercept=-1024)
    share = write_series(tmp_path / "share", BODY, RescaleSlope="0.5", RescaleIntercept="10")
    twelve = BODY // 8
    white = write_series(
        tmp_path / "white",
        twelve,
        PhotometricInterpretation="MONOCHROME1",
        BitsStored=12,
        HighBit=11,
    )
    nifti = write_bytes(tmp_path / "scaled.nii", nifti_bytes(BODY, 0.25, -3))
    for path, expected in (
        (whole, signed - 1024),
        (share, (BODY * 0.5 + 10).astype(np.float32)),
        (white, 4095 - twelve),
        (nifti, (BODY * 0.25 - 3).astype(np.float32)),
        (write_tiff(tmp_path / "white.tif", BODY, photometric="miniswhite"), 65535 - BODY),
    ):
        volume = open_volume(VolumeRef(path))
        assert volume.info.dtype == expected.dtype
        np.testing.assert_array_equal(volume.section("y", 8), expected[:, 8], str(path))


def test_planes_that_are_each_rescaled_in_their_own_way_share_one_scale(tmp_path):
    folder = write_series(tmp_path / "series", BODY[:2], planes=[0])
    write_series(folder, BODY[:2], planes=[1], names="b{number}.dcm", RescaleSlope=2)
    volume = open_volume(VolumeRef(folder))
    assert volume.info.dtype == "float32"
    np.testing.assert_array_equal(volume.section("z", 0), BODY[0])
    np.testing.assert_array_equal(volume.section("z", 1), BODY[1] * 2.0)


def test_a_length_may_stand_before_the_pixels_of_a_plane(tmp_path):
    path = write_series(tmp_path / "series", BODY[:1]) / "0000.dcm"
    head, pixels, rest = path.read_bytes().partition(b"\xe0\x7f\x10\x00OW")
    length = struct.pack("<HH2sHI", 0x7FE0, 0, b"UL", 4, len(pixels + rest))
    path.write_bytes(head + length + pixels + rest)
    np.testing.assert_array_equal(open_volume(VolumeRef(path)).section("z", 0), BODY[0])


def test_a_file_that_changed_is_opened_anew(tmp_path):
    ref = VolumeRef(write_metaimage(tmp_path / "body.mhd", BODY))
    assert read_info(ref).voxel_mm == pytest.approx(MM)
    write_metaimage(ref.path, BODY, ElementSpacing="0.5 0.5 0.5")
    assert read_info(ref).voxel_mm == pytest.approx((0.5, 0.5, 0.5))


def test_a_series_that_is_replaced_while_planes_are_read_is_noticed_soon(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "LOOK_AGAIN_SECONDS", 0.05)
    ref = VolumeRef(write_series(tmp_path / "series", BODY))
    np.testing.assert_array_equal(open_volume(ref).section("z", 3), BODY[3])
    write_series(ref.path, BODY // 2, series="1.2.3.5")
    deadline = time.monotonic() + 20
    while (open_volume(ref).section("z", 3) != BODY[3] // 2).any():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_files_of_a_series_are_not_all_looked_at_for_each_plane(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "LOOK_AGAIN_SECONDS", 3600)
    ref = VolumeRef(write_series(tmp_path / "series", BODY))
    opened = open_volume(ref)
    (ref.path / "0000.dcm").touch()
    assert open_volume(ref) is opened
    assert read_info(ref) == opened.info
    assert open_volume(ref) is not opened


def test_an_overview_is_small_and_tells_its_factor(tmp_path):
    volume = open_volume(VolumeRef(write_tiff(tmp_path / "body.tif", BODY)))
    small, factor = overview(volume, longest=20)
    assert factor == 4
    np.testing.assert_array_equal(small, BODY[::4, ::4, ::4])
