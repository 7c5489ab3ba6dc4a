"""Lots whose CT is one body: all forms hold the same voxels, and the truth of its defects."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
import tifffile

from inspection.lot.scan import scan_lot
from inspection.synthetic import SyntheticLot, write_lot
from inspection.synthetic.volume_battery import true_mask

SPEC = SyntheticLot(batteries=2, views=2, canvas=128, seed=3, defects=1.0, bits="16")


def lot_as(folder: Path, form: str, bits: str = "16") -> Path:
    spec = SPEC.model_copy(update={"form": form, "bits": bits})
    return write_lot(folder / f"{form}-{bits}", spec, workers=1)


def truth_of(lot: Path) -> dict:
    return json.loads((lot / "truth.json").read_text(encoding="utf-8"))


def tiff_voxels(lot: Path, battery: str = "001") -> np.ndarray:
    return tifffile.imread(lot / battery / "ct" / "volume.tif")


def raw_voxels(lot: Path, battery: str = "001") -> np.ndarray:
    data = np.frombuffer((lot / battery / "ct" / "volume.raw").read_bytes(), "<u2")
    return data.reshape(truth_of(lot)[battery]["shape"])


def dicom_voxels(lot: Path, battery: str = "001") -> np.ndarray:
    slices = [pydicom.dcmread(path) for path in (lot / battery / "ct").glob("*.dcm")]
    slices.sort(key=lambda one: one.ImagePositionPatient[2])
    return np.stack([one.pixel_array for one in slices])


def jpeg_plane(lot: Path, name: str, battery: str = "001") -> np.ndarray:
    data = (lot / battery / "ct" / f"{name}.jpg").read_bytes()
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return lot_as(tmp_path_factory.mktemp("stack"), "tiff-stack")


@pytest.fixture(scope="module")
def planes(tmp_path_factory):
    return lot_as(tmp_path_factory.mktemp("planes"), "jpeg")


def test_all_forms_hold_the_same_voxels(tmp_path, stack):
    voxels = tiff_voxels(stack)
    assert list(voxels.shape) == truth_of(stack)["001"]["shape"]
    assert np.array_equal(raw_voxels(lot_as(tmp_path, "raw")), voxels)
    assert np.array_equal(dicom_voxels(lot_as(tmp_path, "dicom")), voxels)


@pytest.mark.parametrize("bits", ["8", "12"])
def test_fewer_bits_are_the_same_greys(tmp_path, stack, bits):
    lot = lot_as(tmp_path, "tiff-stack", bits)
    few, many = tiff_voxels(lot).astype(float), tiff_voxels(stack).astype(float)
    assert few.max() < 2 ** int(bits)
    inside = few > np.median(few[:4])
    assert np.corrcoef(few[inside], many[inside])[0, 1] > 0.999


def test_jpeg_planes_cut_one_body_along_all_axes(planes, stack):
    grey = (tiff_voxels(stack).astype(float) - 12_000) / 110
    z, y, x = (side // 2 for side in grey.shape)
    for name, plane in (
        (f"z_{z:04d}", grey[z]),
        (f"y_{y:04d}", grey[:, y]),
        (f"x_{x:04d}", grey[:, :, x]),
    ):
        found = jpeg_plane(planes, name)
        assert found.shape == plane.shape
        assert np.abs(found - np.clip(plane, 0, 255)).mean() < 2.5


def test_the_voxel_size_stands_in_the_files(tmp_path, stack):
    mm = truth_of(stack)["001"]["voxel_mm"]
    with tifffile.TiffFile(stack / "001" / "ct" / "volume.tif") as file:
        assert file.imagej_metadata["spacing"] == mm
        numerator, denominator = file.pages[0].tags["XResolution"].value
    assert denominator / numerator == pytest.approx(mm, rel=1e-4)
    lot = lot_as(tmp_path, "dicom")
    assert dicom_voxels(lot).shape == tuple(truth_of(lot)["001"]["shape"])
    one = pydicom.dcmread(next((lot / "001" / "ct").glob("*.dcm")))
    assert list(one.PixelSpacing) == [mm, mm]
    header = (lot_as(tmp_path, "raw") / "001" / "ct" / "volume.mhd").read_text(encoding="utf-8")
    assert f"ElementSpacing = {mm} {mm} {mm}" in header


def test_masks_tell_which_voxels_a_defect_has(stack):
    defects = [
        (battery, entry) for battery, told in truth_of(stack).items() for entry in told["internal"]
    ]
    assert defects
    for battery, entry in defects:
        voxels = tiff_voxels(stack, battery).astype(float)
        name, start, mask = true_mask(entry)
        assert mask.sum() == entry["voxels"] > 200
        where = tuple(slice(s, s + n) for s, n in zip(start, mask.shape, strict=True))
        wide = tuple(slice(max(0, s.start - 4), s.stop + 4) for s in where)
        around = np.median(voxels[wide])
        inside = np.median(voxels[where][mask])
        if name == "porosity":
            assert inside < around
        assert mask.any(axis=(1, 2)).all()


def test_labels_of_planes_outline_the_defects(planes):
    told = truth_of(planes)["001"]["internal"]
    entry = max(told, key=lambda one: one["voxels"])
    start, size = entry["start"], entry["shape"]
    number = start[0] + size[0] // 2
    label = json.loads((planes / "001" / "ct" / f"z_{number:04d}.json").read_text(encoding="utf-8"))
    points = np.concatenate([np.reshape(d["points"], (-1, 2)) for d in label["defects"]])
    assert points[:, 0].max() >= start[2]
    assert points[:, 0].min() < start[2] + size[2]
    assert points[:, 1].max() >= start[1]
    first = min((planes / "001" / "ct").glob("z_*.json"))
    outside = json.loads(first.read_text(encoding="utf-8"))
    assert outside["image_info"]["is_normal"]


def test_planes_that_show_the_body_are_taken_in_as_numbered_slices_of_three_axes(planes):
    lot = scan_lot(planes)
    assert [battery.battery_id for battery in lot.batteries] == ["001", "002"]
    shape = truth_of(planes)["001"]["shape"]
    for axis, side in zip(("z", "y", "x"), shape, strict=True):
        numbers = [ref.number for ref in lot.batteries[0].ct if ref.axis == axis]
        # Every plane from one end of the body to the other, and none of the air beside it.
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert 0 < numbers[0] < numbers[-1] < side - 1
    assert not lot.findings
