"""Volumes among a lot's files: whose they are, and which slices they give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from builders.volume_files import write_zarr

from inspection.images.decoding import Decoder
from inspection.lot.config import LotConfig, SitePattern
from inspection.lot.scan import scan_lot
from inspection.records import image_name, named_section
from inspection.results import BatteryResult, Verdict
from inspection.session.prints import changed_images, print_images
from inspection.synthetic.volume_files import WRITERS, WholeVolume
from inspection.volumes.config import VolumesConfig

SHAPE = (9, 10, 12)


def write(root: Path, *names: str, shape: tuple[int, int, int] = SHAPE) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        voxels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
        if name.endswith((".tif", ".tiff")):
            tifffile.imwrite(path, voxels, photometric="minisblack", metadata=None)
        elif name.endswith(".zarr"):
            write_zarr(path, voxels)
        elif name.endswith(".dcm"):
            for form in path.parent.glob("*.dcm"):
                form.unlink()
            WRITERS["dicom"](path.parent, WholeVolume(shape, iter(voxels), "16", 0.5))
        else:
            path.write_bytes(b"-")


def planes(battery) -> dict[str, int]:
    axes = [ref.axis for ref in battery.ct]
    return {axis: axes.count(axis) for axis in "zyx" if axis in axes}


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["001/ct/volume.tif", "001/rgb/1.png"], {"001": True}),
        (["001/ct/a.dcm", "001/rgb/1.png"], {"001": True}),
        (["001/volume.tif", "001/rgb/1.png"], {"001": True}),
        (["001/scan/volume.tif", "001/rgb/1.png", "002/rgb/1.png"], {"001": True, "002": None}),
        (["001/ct/volume.zarr", "001/rgb/1.png", "002/a.zarr"], {"001": True, "002": False}),
        (["001/volume.tif", "002/a.dcm"], {"001": False, "002": False}),
        (["A7.tif", "B7.tif", "A7/rgb/1.png"], {"A7": True, "B7": False}),
        (
            ["CT_cell_pouch_101.tif", "RGB_cell_cylindrical_0101_001.png", "x/CT_cell_pouch_7.tif"],
            {"101": True, "007": False},
        ),
        (["001/ct/v.tif", "001/rgb/RGB_cell_cylindrical_0001_001.png"], {"001": True}),
    ],
)
def test_whose_a_volume_is(tmp_path, names, ids):
    write(tmp_path, *names)
    lot = scan_lot(tmp_path)
    # True: with views; False: its CT alone; None: its views alone.
    found = {b.battery_id: bool(b.rgb) if b.ct else None for b in lot.batteries}
    assert found == ids
    for battery in lot.batteries:
        assert planes(battery) in ({}, {"z": 9, "y": 10, "x": 12})
        assert not battery.lost


def test_the_recipe_says_which_planes_are_slices(tmp_path):
    write(tmp_path, "001/ct/volume.tif")
    recipe = VolumesConfig(axes=("z", "x"), step={"x": 5})
    battery = scan_lot(tmp_path, recipe=recipe).batteries[0]
    assert planes(battery) == {"z": 9, "x": 3}
    assert [ref.number for ref in battery.ct if ref.axis == "x"] == [0, 5, 10]
    last = battery.ct[-1]
    assert image_name(last, tmp_path) == "001/ct/volume.tif#x0010"
    voxels = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)
    assert np.array_equal(Decoder(last.source, "ct").stored(), voxels[:, :, 10])


def test_planes_too_narrow_to_show_anything_are_no_slices(tmp_path):
    write(tmp_path, "001/ct/volume.tif", shape=(4, 20, 30))
    assert planes(scan_lot(tmp_path).batteries[0]) == {"z": 4}


def test_of_two_volumes_the_larger_is_inspected_and_the_other_told(tmp_path):
    write(tmp_path, "001/ct/a.tif")
    write(tmp_path, "001/ct/scout.tif", shape=(2, 10, 12))
    lot = scan_lot(tmp_path)
    (battery,) = lot.batteries
    assert {ref.path.name for ref in battery.ct} == {"a.tif"}
    assert [message.code for message in battery.lost] == ["lot_volume_second"]
    assert "lot_volume_second" in [finding.reason.code for finding in lot.findings]


@pytest.mark.parametrize(("pictures", "kept"), [(1, "volume.tif"), (20, "1.png")])
def test_of_a_volume_and_pictures_the_one_with_more_slices(tmp_path, pictures, kept):
    write(tmp_path, "001/ct/volume.tif", *(f"001/ct/{n}.png" for n in range(1, pictures + 1)))
    (battery,) = scan_lot(tmp_path).batteries
    assert kept in {ref.path.name for ref in battery.ct}
    assert len({ref.path for ref in battery.ct}) in (1, pictures)
    assert len(battery.lost) == 1


def test_a_volume_that_cannot_be_read_stays_and_says_why(tmp_path):
    write(tmp_path, "001/ct/volume.tif", "001/rgb/1.png")
    path = tmp_path / "001/ct/volume.tif"
    path.write_bytes(path.read_bytes()[:-900])
    lot = scan_lot(tmp_path)
    (battery,) = lot.batteries
    assert len(battery.ct) == 1
    told = [finding for finding in lot.findings if finding.battery_id == "001"]
    assert [finding.path for finding in told] == [path]
    assert "volume.tif" in told[0].reason.text("ko")


def test_data_of_no_battery_make_none(tmp_path):
    write(tmp_path, "001/ct/volume.tif", "old/flat-field.raw")
    lot = scan_lot(tmp_path)
    assert [battery.battery_id for battery in lot.batteries] == ["001"]
    assert "flat-field.raw" in [finding.path.name for finding in lot.findings]


def test_a_table_and_a_sites_pattern_name_volumes(tmp_path):
    write(tmp_path, "scan_7731.tif", "scan_7732.tif", "cam/rgb/1.png")
    (tmp_path / "pairs.csv").write_text("battery_id,ct_id,rgb_id\nB1,scan_7731,cam\n")
    paired = scan_lot(tmp_path).pairs
    assert [(battery.battery_id, planes(battery)["z"]) for battery in paired] == [("B1", 9)]
    (tmp_path / "pairs.csv").unlink()
    pattern = SitePattern(name="xray", regex=r"scan_(?P<battery>\d+)\.tif", modality="ct")
    named = scan_lot(tmp_path, LotConfig(patterns=(pattern,))).batteries
    assert {b.battery_id: planes(b) for b in named if b.ct}.keys() == {"7731", "7732"}


@pytest.mark.parametrize(
    ("name", "count"), [("001/ct/volume.tif", 1), ("001/ct/a.dcm", 9), ("001/ct/a.zarr", 7)]
)
def test_of_a_volume_every_file_is_printed_once(tmp_path, name, count):
    write(tmp_path, name)
    (battery,) = scan_lot(tmp_path).batteries
    prints = print_images(battery, tmp_path, digests=True)
    assert len(prints) == count
    result = BatteryResult(
        battery_id="001", state="done", verdict=Verdict(kind="review"), prints=prints
    )
    assert changed_images(result, tmp_path, battery, digests=True) == []
    file = tmp_path / prints[0].image
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    (changed,) = changed_images(result, tmp_path, battery)
    assert (changed.code, changed.params["names"]) == ("images_changed", prints[0].image)


@pytest.mark.parametrize("name", ["001/ct/volume.tif", "001/ct/a.dcm", "001/a.zarr"])
def test_the_name_of_a_plane_leads_back_to_it(tmp_path, name):
    write(tmp_path, name)
    for ref in scan_lot(tmp_path).batteries[0].ct:
        called = image_name(ref, tmp_path)
        assert named_section(tmp_path, called, ref.axis, ref.number) == ref.section
    assert named_section(tmp_path, "001/ct/slice #4.png", "z", 4) is None


def labelled(*names: str) -> None:
    for path in map(Path, names):
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"image_info": {"is_normal": True}, "defects": None}
        path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("volume", "label"),
    [
        ("001/ct/volume.tif", "001/ct/volume.tif#"),
        ("001/ct/a.dcm", "001/ct#"),
        ("images/CT_cell_pouch_007.tif", "labels/CT_cell_pouch_007.tif#"),
    ],
)
def test_a_label_is_called_as_its_plane_is(tmp_path, volume, label):
    write(tmp_path, volume)
    above = str(tmp_path / label)
    labelled(above + "z0003.json", above + "z0004.json", above + "z0009.json")
    lot = scan_lot(tmp_path, recipe=VolumesConfig(axes=("z",), step=3))
    found = {ref.number: ref.label_path for ref in lot.batteries[0].ct}
    assert found == {0: None, 3: Path(above + "z0003.json"), 6: None}
    told = [(f.reason.code, f.path.name) for f in lot.findings if "label" in f.reason.code]
    # Plane 4 is there, only not inspected; there is no plane 9.
    assert ("lot_label_without_image", Path(above).name + "z0009.json") in told
    assert [code for code, _ in told].count("lot_label_without_image") == 1
    assert [code for code, _ in told].count("lot_image_unlabelled") == 2


def test_a_volume_without_labels_in_a_labelled_lot_is_told_once(tmp_path):
    write(tmp_path, "001/ct/volume.tif", "002/ct/volume.tif")
    labelled(
        *(str(tmp_path / f"001/ct/volume.tif#{a}{n:04d}.json") for a in "zyx" for n in range(12))
    )
    lot = scan_lot(tmp_path)
    told = [f.path for f in lot.findings if f.reason.code == "lot_image_unlabelled"]
    assert told == [tmp_path / "002/ct/volume.tif"]
