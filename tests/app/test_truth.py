"""The planes against lots whose pores are known to the voxel: places, values, lengths, sizes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pydicom
import pytest
import tifffile
from builders.pore_lots import pore_lot
from builders.truth_lane import build_truth_lane, middle_of, truth_of
from builders.windows import planes_of, press, reviewed, settled
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from inspection.records import Axis
from inspection.volumes.planes import AXES, PLANES

WAIT = 10_000
CANVAS, SEED = 160, 9
"""Of a battery with three pores apart from each other."""
EDGE = 100 / CANVAS
EDGES = {"raw-flat": (3 * EDGE, 2 * EDGE, EDGE)}
"""Of voxels that are no cubes, (z, y, x)."""

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


class Known(NamedTuple):
    """A lot with its voxels, read without the station."""

    root: Path
    session: Path
    voxels: np.ndarray
    edges: tuple[float, float, float]


def dicom_voxels(folder: Path) -> np.ndarray:
    slices = [pydicom.dcmread(path) for path in folder.glob("*.dcm")]
    slices.sort(key=lambda one: one.ImagePositionPatient[2])
    return np.stack([one.pixel_array for one in slices])


def raw_voxels(folder: Path) -> np.ndarray:
    header = dict(
        line.split(" = ") for line in (folder / "volume.mhd").read_text("utf-8").splitlines()
    )
    shape = [int(side) for side in reversed(header["DimSize"].split())]
    return np.frombuffer((folder / "volume.raw").read_bytes(), "<u2").reshape(shape)


READ = {
    "tiff-stack": lambda folder: tifffile.imread(folder / "volume.tif"),
    "dicom": dicom_voxels,
    "raw": raw_voxels,
    "raw-flat": raw_voxels,
}


@pytest.fixture(scope="module", params=list(READ))
def known(request, judge, tmp_path_factory) -> Known:
    form = request.param
    folder = tmp_path_factory.mktemp("lots")
    root = pore_lot(folder, form.removesuffix("-flat"), CANVAS, SEED)
    ct = root / "001" / "ct"
    edges = EDGES.get(form, (EDGE,) * 3)
    if form == "raw-flat":
        header = (ct / "volume.mhd").read_text("utf-8")
        spacing = " ".join(repr(edge) for edge in reversed(edges))
        written = f"ElementSpacing = {' '.join([repr(EDGE)] * 3)}"
        assert written in header
        header = header.replace(written, f"ElementSpacing = {spacing}")
        (ct / "volume.mhd").write_text(header, "utf-8")
    voxels = READ[form](ct)
    return Known(root, judge(root, build_truth_lane), voxels, edges)


@pytest.fixture
def station(qtbot, stations, known):
    """The window with the planes of a battery that was judged."""
    made = stations(build_truth_lane)
    made.window.resize(1600, 960)
    reviewed(qtbot, made, known.session)
    made.window.actions_["planes"].setChecked(True)
    qtbot.waitUntil(lambda: bool(planes_of(made)._bodies), timeout=WAIT)
    settled(qtbot, made)
    return made


def at(view, voxel: dict[Axis, int]):
    """Return the pixel of the viewport in the middle of a voxel."""
    rows, columns = PLANES[view.axis]
    return view.point_of((voxel[columns] + 0.5, voxel[rows] + 0.5)).toPoint()


def farthest(one, other) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def told_voxel(planes) -> tuple[int, int, int]:
    words = planes.notes.where.text().splitlines()[0].split()
    x, y, z = (int(word) for word in words[1::2])
    return z, y, x


def test_clicks_put_the_crosshair_on_a_pore_and_tell_its_grey_value(qtbot, station, known):
    planes = planes_of(station)
    for mask in truth_of(known.root, "001"):
        middle = middle_of(mask)
        voxel = dict(zip(AXES, middle, strict=True))
        # The planes across y and x are cut anew at what the first click has chosen.
        for axis in ("z", "y", "z"):
            view = planes.views[axis]
            QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at(view, voxel))
            settled(qtbot, station)
        assert farthest(planes.cross, middle) <= 1
        assert told_voxel(planes) == planes.cross
        assert planes.notes.value.text().startswith(f"Value {known.voxels[planes.cross]}")
        for axis, view in planes.views.items():
            shown = view.windowing.grey.stored
            expected = known.voxels.take(planes.cross.along(axis), AXES.index(axis))
            assert np.array_equal(shown, expected)
        # In millimetres from the corner of the volume to the middle of the voxel.
        mm = [float(word) for word in planes.notes.where.text().splitlines()[1].split()[:3]]
        for value, number, edge in zip(reversed(mm), middle, known.edges, strict=True):
            assert abs(value - (number + 0.5) * edge) <= edge + 0.01


def test_the_pointer_tells_the_voxel_under_it_on_every_plane(qtbot, station, known):
    planes = planes_of(station)
    middle = middle_of(truth_of(known.root, "001")[0])
    for axis, view in planes.views.items():
        voxel = dict(zip(AXES, middle, strict=True)) | {axis: planes.cross.along(axis)}
        QTest.mouseMove(view.viewport(), at(view, voxel))
        assert farthest(told_voxel(planes), [voxel[name] for name in AXES]) <= 1
        value = known.voxels[told_voxel(planes)]
        assert planes.notes.value.text().startswith(f"Value {value}")


@pytest.mark.parametrize("axis", AXES)
def test_the_ruler_is_as_long_as_the_way_between_two_voxels(qtbot, station, known, axis):
    planes = planes_of(station)
    one, other = (
        dict(zip(AXES, middle_of(mask), strict=True)) for mask in truth_of(known.root, "001")[:2]
    )
    view = planes.views[axis]
    press(station, "R")
    QTest.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=at(view, one))
    QTest.mouseMove(view.viewport(), at(view, other))
    QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=at(view, other))
    edges = dict(zip(AXES, known.edges, strict=True))
    true = math.hypot(*((one[name] - other[name]) * edges[name] for name in PLANES[axis]))
    length = float(planes.notes.measured.text().split()[1])
    assert abs(length - true) <= max(edges[name] for name in PLANES[axis])
    press(station, "R")


def test_a_measured_pore_is_gone_to_and_has_its_true_box_and_size(qtbot, station, known):
    planes = planes_of(station)
    edge_mm3 = math.prod(known.edges)
    masks = truth_of(known.root, "001")
    assert planes.notes.list.count() == len(masks)
    met = []
    for row, body in enumerate(planes._bodies):
        planes.notes.list.itemClicked.emit(planes.notes.list.item(row))
        settled(qtbot, station)
        near = [
            np.abs(np.argwhere(mask.voxels) + mask.start - planes.cross).max(axis=1).min()
            for mask in masks
        ]
        assert min(near) <= 1
        met.append(int(np.argmin(near)))
        mask = masks[met[-1]]
        true = int(mask.voxels.sum())
        assert true > 200
        for axis, start, side in zip(AXES, mask.start, mask.voxels.shape, strict=True):
            first, past = body.extents[axis]
            assert abs(first - start) <= 1
            assert abs(past - start - side) <= 1
        size = body.defect.size
        assert size.volume_mm3 == pytest.approx(true * edge_mm3, rel=0.15)
        told = planes.notes.list.item(row).text()
        assert f"{size.length_mm:.3g} mm long, volume {size.volume_mm3:.3g} mm³" in told
        # The frame is drawn on every plane through it.
        assert all(view._bodies for view in planes.views.values())
    assert sorted(met) == list(range(len(masks)))
