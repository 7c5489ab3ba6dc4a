"""What is broken is one sentence, and what is not read is refused by its name."""

from __future__ import annotations

import bz2
import gzip
import json
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import tifffile
from builders.volume_files import (
    PERSON,
    SHAPE,
    dicom_plane,
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
from pydicom.encaps import encapsulate
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from inspection.errors import ImageError
from inspection.records import VolumeRef
from inspection.volumes import columns, scratch, stack
from inspection.volumes.dicom_header import READ_SYNTAXES
from inspection.volumes.opening import open_volume, read_info

BODY = smooth_body()
J2K = "1.2.840.10008.1.2.4.90"
EXTRAS = [("h5py", "hdf5", "a.h5"), ("h5py", "hdf5", "A.HDF5"), ("zarr", "zarr", "a.zarr")]
PYDICOMS = Path(pydicom.__file__).parent / "data" / "test_files"


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def cut_raw(path: Path) -> Path:
    cut(write_metaimage(path, BODY).with_suffix(".raw"), 0.9)
    return path


def mixed(path: Path) -> Path:
    write_series(path, BODY)
    write_series(path, BODY[:, :9], planes=[3], names="other{number}.dcm")
    return path


def two_in_one(path: Path) -> Path:
    write_series(path, BODY)
    return write_series(path, BODY, names="again{number}.dcm")


def without_order(path: Path) -> Path:
    return write_series(path, BODY, ImagePositionPatient=None, InstanceNumber=None)


def packed_and_cut(path: Path) -> Path:
    return write_nrrd(path, BODY, "gzip", gzip.compress(BODY.tobytes())[:-500])


def one_cut(path: Path) -> Path:
    return cut(write_series(path, BODY) / "0003.dcm", 0.8)


def coloured(path: Path) -> Path:
    colours = np.zeros((4, 20, 30, 3), np.uint8)
    tifffile.imwrite(path, colours, photometric="rgb")
    return path


def pages_of_two_sizes(path: Path) -> Path:
    with tifffile.TiffWriter(path) as file:
        for page in (*BODY[:5], BODY[5, :40], *BODY[6:]):
            file.write(page, photometric="minisblack", metadata=None)
    return path


def unfinished(path: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", BODY.shape, BODY.dtype, chunks=(1, 64, 72))
        data[:9] = BODY[:9]
    return path


def linked(path: Path) -> Path:
    """Write an array whose voxels are in another file; where that is missing, they read as 0."""
    h5py = pytest.importorskip("h5py")
    layout = h5py.VirtualLayout(BODY.shape, BODY.dtype)
    layout[:] = h5py.VirtualSource("elsewhere.h5", "data", BODY.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("data", layout)
    return path


def turned_axes(path: Path) -> Path:
    ome = ome_scales()
    ome["multiscales"][0]["axes"].reverse()
    return write_zarr(path, BODY, ome=ome)


def packed_by(path: Path, codec: str, **options: Any) -> Path:
    write_zarr(path, BODY)
    header = path / "0" / ".zarray"
    said = json.loads(header.read_text())
    header.write_text(json.dumps(said | {"filters": [{"id": codec, **options}]}))
    return path


def empty(path: Path) -> Path:
    pytest.importorskip("zarr")
    path.mkdir()
    return path


def damaged_chunk(path: Path) -> Path:
    write_bytes(write_zarr(path, BODY) / "0" / "2.1.1", b"no chunk")
    return path


BROKEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "cut.tif": (lambda path: cut(write_tiff(path, BODY), 0.9), "volume_cut"),
    "cut packed.tif": (
        lambda path: cut(write_tiff(path, BODY, compression="zlib"), 0.6), "volume_"
    ),
    "pages.tif": (pages_of_two_sizes, "volume_mixed_sizes"),
    "colours.tif": (coloured, "image_colours"),
    "complex.tif": (lambda path: write_tiff(path, BODY * 1j), "image_pixel_type"),
    "cut.mhd": (cut_raw, "volume_size_differs"),
    "lies.mhd": (
        lambda path: write_metaimage(path, BODY, DimSize="72 64 12"), "volume_size_differs"
    ),
    "huge.mhd": (lambda path: write_metaimage(path, BODY, DimSize="9e9 1 1"), "volume_field"),
    "alone.mhd": (
        lambda path: write_metaimage(path, BODY).with_suffix(".raw").rename(path.parent / "x")
        and path, "volume_data_missing",
    ),
    "pixels.mhd": (
        lambda path: write_metaimage(path, BODY, ElementType="MET_LONG_LONG"), "image_pixel_type"
    ),
    "colours.mhd": (
        lambda path: write_metaimage(path, BODY, ElementNumberOfChannels="3"), "image_pixel_type"
    ),
    "text.nrrd": (lambda path: write_nrrd(path, BODY, "ascii"), "image_compression"),
    "cut.nrrd": (lambda path: cut(write_nrrd(path, BODY), 0.5), "volume_size_differs"),
    "damaged.nrrd": (
        lambda path: write_nrrd(path, BODY, "bzip2", bz2.compress(BODY.tobytes())[:99] + bytes(99)),
        "volume_damaged",
    ),
    "cut packed.nrrd": (packed_and_cut, "volume_cut"),
    "cut.vgi": (
        lambda path: cut(write_vgi(path, BODY).with_suffix(".vol"), 0.5).with_suffix(".vgi"),
        "volume_size_differs",
    ),
    "cut.nii": (
        lambda path: write_bytes(path, nifti_bytes(BODY)[:-9]), "volume_size_differs"
    ),
    "cut.h5": (lambda path: cut(write_hdf5(path, BODY), 0.9), "volume_cut"),
    "several.h5": (lambda path: write_hdf5(path, BODY, BODY), "volume_several_arrays"),
    "table.h5": (write_hdf5, "volume_no_array"),
    "unfinished.h5": (unfinished, "volume_cut"),
    "linked.h5": (linked, "volume_field"),
    "complex.h5": (lambda path: write_hdf5(path, BODY * 1j), "image_pixel_type"),
    "no hdf.h5": (lambda path: write_bytes(path, bytes(4000)), "volume_damaged"),
    "several.zarr": (lambda path: write_zarr(path, BODY, BODY), "volume_several_arrays"),
    "channels.zarr": (
        lambda path: write_zarr(path, np.stack([BODY, BODY]), ome=ome_scales("c")),
        "volume_several_channels",
    ),
    "turned.zarr": (turned_axes, "volume_field"),
    "code.zarr": (lambda path: packed_by(path, "pickle"), "volume_damaged"),
    "scaled.zarr": (
        lambda path: packed_by(path, "fixedscaleoffset", offset=1, scale=2, dtype="<u2"),
        "image_compression",
    ),
    "empty.zarr": (empty, "volume_damaged"),
    "bytes.zarr": (damaged_chunk, "volume_damaged"),
    "analyze.hdr": (lambda path: write_bytes(path, bytes(400)), "volume_unknown"),
    "mixed": (mixed, "volume_mixed_sizes"),
    "two": (two_in_one, "volume_planes_twice"),
    "unordered": (without_order, "volume_no_order"),
    "cut.dcm": (lambda path: one_cut(path), "volume_cut"),
    "nothing": (lambda path: path, "image_missing"),
}  # fmt: skip


def read_whole(path: Path) -> None:
    volume = open_volume(VolumeRef(path))
    for axis, side in zip("zyx", SHAPE, strict=True):
        volume.section(axis, side - 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_volume_is_one_sentence_and_no_voxel_is_made_up(name, tmp_path):
    write, code = BROKEN[name]
    path = write(tmp_path / name)
    with pytest.raises(ImageError) as failed:
        read_whole(path)
    assert failed.value.message.code.startswith(code)
    for language in ("en", "ko"):
        assert "\n" not in failed.value.text(language)


def test_a_plane_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ImageError, match="no plane z 13"):
        open_volume(VolumeRef(write_tiff(tmp_path / "a.tif", BODY))).section("z", 13)


def test_a_file_that_is_cut_while_it_is_open_is_an_error_and_no_crash(tmp_path):
    path = write_tiff(tmp_path / "a.tif", BODY)
    volume = open_volume(VolumeRef(path))
    cut(path, 0.5)
    with pytest.raises(ImageError, match="cut short"):
        volume.section("z", 12)


def test_planes_through_one_that_is_damaged_are_told_without_reading_up_to_it(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(stack, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(columns, "PASSES", 0)
    monkeypatch.setattr(scratch, "_room", scratch._Room())
    laid_out = []
    scratch.configure(tmp_path, announce=laid_out.append)
    path = write_tiff(tmp_path / "a.tif", BODY, compression="zlib")
    with tifffile.TiffFile(path) as file:
        at = file.pages[6].dataoffsets[0]
    with path.open("r+b") as opened:
        opened.seek(at + 40)
        opened.write(b"no zlib stream")
    volume = open_volume(VolumeRef(path))
    for number in range(5):
        with pytest.raises(ImageError, match="damaged"):
            volume.section("x", number)
    assert len(laid_out) == 1
    # Those beside it are as they were.
    np.testing.assert_array_equal(volume.section("z", 5), BODY[5])
    write_tiff(path, BODY, compression="zlib")
    assert read_info(VolumeRef(path)).shape == SHAPE
    np.testing.assert_array_equal(open_volume(VolumeRef(path)).section("x", 3), BODY[:, :, 3])
    scratch.remove_all()


def test_a_missing_plane_is_a_warning_with_its_count(tmp_path):
    folder = write_series(tmp_path / "gap", BODY, planes=[0, 1, 2, 3, 5, 6, 7, 8])
    by_number = write_series(tmp_path / "n", BODY, ImagePositionPatient=None)
    (by_number / "0004.dcm").unlink()
    for path, spacing in ((folder, pytest.approx((0.05, 0.03, 0.02))), (by_number, None)):
        info = read_info(VolumeRef(path))
        (warning,) = info.warnings
        assert warning.code == "volume_planes_missing"
        assert warning.params["count"] == 1
        assert info.voxel_mm == spacing


def test_chunks_that_are_not_there_are_a_warning_with_their_count(tmp_path):
    path = write_zarr(tmp_path / "copied.zarr", BODY)
    (path / "0" / "3.0.1").unlink()
    (warning,) = read_info(VolumeRef(path)).warnings
    assert (warning.code, warning.params["count"]) == ("volume_chunks_absent", 1)


def test_a_folder_that_goes_while_it_is_open_is_an_error_and_not_zeros(tmp_path):
    path = write_zarr(tmp_path / "gone.zarr", BODY)
    volume = open_volume(VolumeRef(path))
    shutil.rmtree(path)
    with pytest.raises(ImageError, match="no longer there"):
        volume.section("z", 12)


@pytest.mark.parametrize(("library", "extra", "name"), EXTRAS)
def test_without_its_library_a_format_is_refused_by_the_extra_that_brings_it(
    library, extra, name, tmp_path, monkeypatch
):
    path = write_bytes(tmp_path / name, b"")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImageError) as failed:
        read_info(VolumeRef(path))
    for language in ("en", "ko"):
        assert f'pip install "battery-station[{extra}]"' in failed.value.text(language)


def test_planes_at_odd_distances_have_no_size(tmp_path):
    folder = write_series(tmp_path / "odd", BODY, planes=[0, 1, 2, 3, 4])
    moved = dicom_plane(BODY[5], 0.2 + 0.06, 9, "1.2.3.4")
    moved.save_as(folder / "last.dcm", enforce_file_format=True)
    info = read_info(VolumeRef(folder))
    assert [warning.code for warning in info.warnings] == ["volume_planes_uneven"]
    assert info.voxel_mm is None


def test_voxels_in_the_wrong_byte_order_are_noticed(tmp_path):
    body = smooth_body((20, 80, 90))
    right = write_metaimage(tmp_path / "right.mhd", body)
    wrong = write_metaimage(tmp_path / "wrong.mhd", body, body.astype(">u2").tobytes())
    assert read_info(VolumeRef(right)).warnings == ()
    assert [w.code for w in read_info(VolumeRef(wrong)).warnings] == ["volume_byte_order"]


def test_nothing_about_a_person_leaves_a_dicom_file(tmp_path, caplog):
    caplog.set_level(0)
    write_series(tmp_path / "good", BODY)
    write_series(tmp_path / "bad", BODY, Rows=0)
    write_series(
        tmp_path / "packed",
        BODY,
        syntax=J2K,
        PixelData=encapsulate([b"no picture"]),
    )
    told = []
    for name in ("good", "bad", "packed"):
        try:
            volume = open_volume(VolumeRef(tmp_path / name))
            told.append(f"{volume.info}")
            volume.section("x", 1)
        except ImageError as error:
            told.append(f"{error.text('en')} {error.__cause__} {error.message}")
    assert not [text for text in (*told, caplog.text) if PERSON[:4] in text or "secret" in text]


@pytest.mark.parametrize(
    ("syntax", "before", "side"),
    [("1.2.840.10008.1.2.4.80", b"\xff\xf7\x00\x0b\x10", 2), (J2K, b"\xff\x4f\xff\x51", 4)],
    ids=["JPEG-LS", "JPEG 2000"],
)
def test_a_packed_plane_that_lies_about_its_size_takes_no_memory(tmp_path, syntax, before, side):
    resource = pytest.importorskip("resource")
    noisy = np.random.default_rng(0).integers(0, 300, (512, 512)) + np.arange(512) * 20
    packed = dicom_plane(noisy.astype(np.uint16), 0, 1, "1.2.3")
    packed.compress(UID(syntax))
    pixels = bytearray(packed.PixelData)
    place = pixels.index(before) + (len(before) if side == 2 else 8)
    pixels[place : place + 2 * side] = (20_000).to_bytes(side, "big") * 2
    packed.PixelData = bytes(pixels)
    packed.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError, match="damaged"):
        open_volume(VolumeRef(tmp_path / "a.dcm")).section("z", 0)
    # Kilobytes: a decoder would take gigabytes for what the picture says, and half a minute.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < most + 500_000


def expected_of(path: Path) -> Any:
    """Return pydicom's own pixels as values, or None where they are no grey planes."""
    dataset = pydicom.dcmread(path)
    if dataset.get("SamplesPerPixel", 0) != 1 or dataset.get("BitsAllocated") == 1:
        return None
    if not dataset.PhotometricInterpretation.startswith("MONOCHROME"):
        return None
    packing = dataset.file_meta.get("TransferSyntaxUID")
    try:
        found = dataset.pixel_array if "DFL" in path.name.upper() else pixel_array(path, raw=True)
    except (RuntimeError, ValueError, AttributeError):
        return None
    if packing not in READ_SYNTAXES:
        return None
    values = found * float(dataset.get("RescaleSlope") or 1)
    return values + float(dataset.get("RescaleIntercept") or 0)


@pytest.mark.filterwarnings("ignore")
def test_pydicoms_own_files_are_read_as_it_reads_them_or_refused_by_name():
    read, refused, wrong = [], {}, []
    for path in sorted(PYDICOMS.glob("*.dcm")):
        try:
            volume = open_volume(VolumeRef(path))
            planes = [volume.section("z", z) for z in range(volume.info.shape[0])]
        except ImageError as error:
            refused[path.name] = error.message.code
            continue
        read.append(path.name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = expected_of(path)
        if expected is None or not np.allclose(
            np.stack(planes), expected.reshape(-1, *planes[0].shape)
        ):
            wrong.append(path.name)
    assert not wrong
    assert len(read) >= 22
    assert refused["MR_truncated.dcm"] == "volume_cut"
    assert refused["JPEG-lossy.dcm"] == "image_compression"
    assert refused["examples_palette.dcm"] == "image_colours"
    assert refused["rtplan.dcm"] == "volume_no_pixels"
    damaged = {name for name, code in refused.items() if code == "volume_damaged"}
    # pydicom cannot read these two either.
    assert damaged <= {"badVR.dcm", "JPEG2000-embedded-sequence-delimiter.dcm"}
