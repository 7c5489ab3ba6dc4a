"""Three linked planes: what they show, where the crosshair goes, what the ruler measures."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from builders.stages import greys_shown, picture_shown
from builders.volume_files import write_hollow
from builders.volumes import (
    PORE,
    VOXEL_MM,
    judged_pore,
    volume_lot,
    voxels_with_pore,
    write_stack,
)
from builders.windows import planes_of, press, settled
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.wording import languages
from inspection.records import image_name
from inspection.volumes import columns, scratch
from inspection.volumes.opening import close_volumes
from inspection.volumes.planes import AXES

WAIT = 10_000

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lot folder with one volume."""
    root = tmp_path_factory.mktemp("lots") / "lot"
    write_stack(root / "001" / "ct" / "volume.tif", voxels_with_pore())
    return root


@pytest.fixture
def station(qtbot, stations, stack: Path):
    """The window with the planes of a volume, nothing judged."""
    made = stations()
    made.window.resize(1600, 960)
    made.lot = volume_lot(stack, stack / "001" / "ct" / "volume.tif")
    made.controller.show_lot(made.lot)
    made.window.pages.setCurrentWidget(made.window.workbench)
    made.window.actions_["planes"].setChecked(True)
    settled(qtbot, made)
    return made


def click(view, place) -> None:
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.point_of(place).toPoint())


def judge(qtbot, station) -> None:
    root = station.controller.lot.root
    result = judged_pore(station.lot, lambda ref: image_name(ref, root))
    station.controller.show_result(result)
    qtbot.waitUntil(lambda: bool(planes_of(station)._bodies), timeout=WAIT)
    settled(qtbot, station)


def test_every_plane_is_that_of_the_volume(qtbot, station):
    planes, voxels = planes_of(station), voxels_with_pore()
    # Where the slices were: on the one in the middle of them all.
    current = station.window.panels["ct"].current
    assert planes.cross.along(current.ref.axis) == current.ref.number
    for axis, view in planes.views.items():
        expected = np.take(voxels, planes.cross.along(axis), AXES.index(axis))
        assert np.array_equal(view.windowing.grey.stored, expected)
        assert greys_shown(view).shape == expected.shape


def test_a_click_moves_all_planes_to_the_voxel(qtbot, station):
    planes = planes_of(station)
    z = planes.cross.z
    click(planes.views["z"], (45.5, 31.5))
    settled(qtbot, station)
    assert planes.cross == (z, 31, 45)
    click(planes.views["x"], (31.5, 12.5))
    settled(qtbot, station)
    assert planes.cross == (12, 31, 45)
    value = voxels_with_pore()[12, 31, 45]
    assert planes.notes.value.text().startswith(f"Value {value}")
    assert planes.notes.where.text() == "x 45   y 31   z 12\n2.275  1.575  0.625 mm"


def test_keys_step_across_the_plane_that_was_touched(qtbot, station):
    planes = planes_of(station)
    click(planes.views["y"], (10.5, 5.5))
    before = planes.cross
    press(station, Qt.Key.Key_Right)
    assert planes.cross == before._replace(y=before.y + 1)
    press(station, Qt.Key.Key_Left)
    press(station, Qt.Key.Key_Left)
    assert planes.cross == before._replace(y=before.y - 1)
    settled(qtbot, station)
    # What is told below is of the slice that the crosshair is on.
    assert station.window.panels["ct"].current.ref.number == planes.cross.y


def test_the_wheel_zooms_all_planes_alike(qtbot, station):
    planes = planes_of(station)
    view = planes.views["z"]
    at = QPointF(view.viewport().rect().center())
    for _ in range(4):
        event = QWheelEvent(
            at,
            view.viewport().mapToGlobal(at),
            QPoint(),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(view.viewport(), event)
    assert not view.fitted
    zooms = [one.zoom for one in planes.views.values()]
    assert zooms == pytest.approx([view.zoom] * 3)
    planes.fit()
    assert all(one.fitted for one in planes.views.values())


def test_greys_that_are_chosen_hold_on_every_plane(qtbot, station):
    planes, panel = planes_of(station), station.window.panels["ct"]
    before = {axis: greys_shown(view) for axis, view in planes.views.items()}
    panel._presets._auto.trigger()
    for axis, view in planes.views.items():
        qtbot.waitUntil(
            lambda axis=axis, view=view: not np.array_equal(greys_shown(view), before[axis])
        )
        assert greys_shown(view).max() == 255
    assert "◐" in planes.notes.greys.text()
    panel._presets._inspected.trigger()
    for axis, view in planes.views.items():
        qtbot.waitUntil(
            lambda axis=axis, view=view: np.array_equal(greys_shown(view), before[axis])
        )


def test_a_body_is_found_where_it_is_and_gone_to(qtbot, station):
    judge(qtbot, station)
    planes = planes_of(station)
    (body,) = planes._bodies
    assert dict(body.extents) == PORE
    click(planes.views["z"], (5.5, 5.5))
    planes.notes.list.itemClicked.emit(planes.notes.list.item(0))
    settled(qtbot, station)
    for axis in AXES:
        middle = (PORE[axis][0] + PORE[axis][1] - 1) / 2
        assert abs(planes.cross.along(axis) - middle) <= 1
    assert voxels_with_pore()[planes.cross] == 0
    assert all(view._bodies for view in planes.views.values())
    assert all(view._boxes for view in planes.views.values())


def test_the_ruler_measures_millimetres_and_draws_a_profile(qtbot, station):
    planes = planes_of(station)
    press(station, "R")
    view = planes.views["z"]
    cross = planes.cross
    # The widest plane, within a pixel of the screen.
    a, b = view.point_of((10.0, 20.0)).toPoint(), view.point_of((40.0, 20.0)).toPoint()
    QTest.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=a)
    QTest.mouseMove(view.viewport(), b)
    QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=b)
    length = planes.ruler.length(planes._space)
    assert length == pytest.approx(30 * VOXEL_MM, abs=VOXEL_MM)
    assert planes.notes.measured.text() == f"Length {length:.3f} mm"
    qtbot.waitUntil(lambda: planes.notes._plot is not None, timeout=WAIT)
    click(view, (40.0, 40.0))
    assert planes.ruler.angle(planes._space) == pytest.approx(90, abs=3)
    assert planes.cross == cross
    press(station, "R")
    assert planes.notes.measured.text() == ""


def test_voxels_that_are_higher_than_wide_are_shown_so(qtbot, stations, tmp_path):
    path = tmp_path / "001" / "ct" / "volume.tif"
    write_stack(path, voxels_with_pore(), VOXEL_MM, between_mm=3 * VOXEL_MM)
    made = stations()
    made.controller.show_lot(volume_lot(tmp_path, path))
    made.window.pages.setCurrentWidget(made.window.workbench)
    made.window.actions_["planes"].setChecked(True)
    settled(qtbot, made)
    for axis, ratio in (("z", 1), ("y", 3), ("x", 3)):
        view = planes_of(made).views[axis]
        corner, across, down = (view.point_of(place) for place in ((0, 0), (10, 0), (0, 10)))
        shown = (down.y() - corner.y()) / (across.x() - corner.x())
        assert shown == pytest.approx(ratio, rel=0.01)
        # A pixel of the screen is the voxel that is seen there.
        place = view.place_at(view.point_of((7.5, 11.5)))
        assert place == pytest.approx((7.5, 11.5))


def test_one_plane_is_made_large_and_all_come_back(qtbot, station):
    planes = planes_of(station)
    shown = lambda: [axis for axis, view in planes.views.items() if view.isVisible()]  # noqa: E731
    QTest.mouseDClick(planes.views["y"].viewport(), Qt.MouseButton.LeftButton)
    assert shown() == ["y"]
    press(station, "L")
    assert shown() == ["z", "y", "x"]


def test_the_words_follow_the_language(qtbot, station):
    planes = planes_of(station)
    assert planes.notes.volume.text() == "ImageJ TIFF · 60 × 50 × 40 voxels · 0.05 mm"
    languages.use("ko")
    QApplication.processEvents()
    assert planes.notes.volume.text() == "ImageJ TIFF · 60 × 50 × 40 복셀 · 0.05 mm"


def test_a_volume_that_has_gone_is_told_in_its_place(qtbot, stations, tmp_path):
    made = stations()
    lot = volume_lot(tmp_path, tmp_path / "001" / "ct" / "volume.tif")
    made.controller.show_lot(lot)
    made.window.pages.setCurrentWidget(made.window.workbench)
    made.window.actions_["planes"].setChecked(True)
    view = planes_of(made).views["z"]
    qtbot.waitUntil(lambda: "volume.tif" in view.notice.text(), timeout=WAIT)


def test_the_window_closes_while_a_volume_is_laid_out(qtbot, stations, tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "PASSES", 0)
    monkeypatch.setattr(scratch, "_room", scratch._Room())
    begun = threading.Event()
    scratch.configure(tmp_path / "room", announce=lambda message: begun.set())
    header = write_hollow(tmp_path / "001" / "ct" / "large.mhd")
    made = stations()
    made.controller.show_lot(volume_lot(tmp_path, header, (1000, 1000, 1000), 100))
    made.window.pages.setCurrentWidget(made.window.workbench)
    made.window.actions_["planes"].setChecked(True)
    qtbot.waitUntil(begun.is_set, timeout=WAIT)
    stations.close(made)
    # Else the window would have waited for it to be whole.
    assert not list((tmp_path / "room").rglob("*.columns"))
    close_volumes()
    scratch.remove_all()


def test_separate_slices_are_linked_by_their_numbers(qtbot, stations, lot):
    made = stations()
    made.window.resize(1600, 960)
    made.controller.open_lot(lot)
    stage = made.window.panels["ct"].stage
    qtbot.waitUntil(lambda: picture_shown(stage), timeout=WAIT)
    press(made, "P")
    settled(qtbot, made)
    planes = planes_of(made)
    assert not stage.isVisible()
    axis = planes.active.axis
    numbers = [i.ref.number for i in made.controller.current_view().ct if i.ref.axis == axis]
    assert planes.views[axis].found.number in numbers
    before = planes.cross.along(axis)
    press(made, Qt.Key.Key_Left)
    settled(qtbot, made)
    # On to the next picture, not to the next number.
    assert planes.cross.along(axis) == max(n for n in numbers if n < before)
    press(made, "P")
    assert stage.isVisible()


def test_the_planes_are_there_again_at_the_next_start(qtbot, stations, station):
    stations.close(station)
    assert stations().window.actions_["planes"].isChecked()
