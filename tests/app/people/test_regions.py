"""Regions that a person marks on the pictures, as the evidence of a decision."""

from __future__ import annotations

import pytest
from builders.stages import picture_shown
from builders.windows import WAIT, opened_session, press, reviewed
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.dialogs.decision import DecisionDialog
from inspection.session.record import Region

Key, LEFT = Qt.Key, Qt.MouseButton.LeftButton
# The offscreen platform says so of every window that has a smallest size.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture
def station(qtbot, stations, judged_session):
    station = reviewed(qtbot, stations(), judged_session)
    for name in ("ct", "rgb"):
        stage = station.window.panels[name].stage
        qtbot.waitUntil(lambda shown=stage: picture_shown(shown), timeout=WAIT)
    return station


def place(stage, x: float, y: float) -> QPoint:
    """Return where a source pixel is on the screen."""
    return stage.mapFromScene(x, y)


def drag(stage, start: tuple[int, int], end: tuple[int, int]) -> None:
    QTest.mousePress(stage.viewport(), LEFT, pos=place(stage, *start))
    QTest.mouseMove(stage.viewport(), place(stage, *end))
    QTest.mouseRelease(stage.viewport(), LEFT, pos=place(stage, *end))


def click(stage, corner: tuple[int, int]) -> None:
    QTest.mouseClick(stage.viewport(), LEFT, pos=place(stage, *corner))


def near(found: int, wanted: int) -> bool:
    # A screen's pixel is a few of the picture's.
    return abs(found - wanted) <= 3


def drawn(stage) -> tuple[bool, bool]:
    """Return whether a decision's region is in sight, and one that is marked."""
    marker = stage.marker
    shown = marker.decided.isVisible() and not marker.decided.path().isEmpty()
    return shown, not marker.marked.path().isEmpty()


def test_a_dragged_box_is_in_source_pixels_and_on_its_own_picture_alone(station):
    ct, rgb = (station.window.panels[name].stage for name in ("ct", "rgb"))
    marks = station.controller.marks
    press(station, Key.Key_M)
    drag(ct, (20, 80), (50, 110))
    region = marks.marked
    assert region.image == station.window.panels["ct"].current.name
    box = region.box
    assert all(map(near, (box.x, box.y, box.w, box.h), (20, 80, 30, 30)))
    assert not marks.active
    assert (drawn(ct), drawn(rgb)) == ((False, True), (False, False))
    before = ct.horizontalScrollBar().value()
    drag(ct, (20, 80), (40, 90))
    # Marking is over: a drag moves the picture again, and marks nothing.
    assert marks.marked == region
    assert ct.horizontalScrollBar().value() >= before


def test_a_box_ends_at_the_picture_s_edge(station):
    ct = station.window.panels["ct"].stage
    press(station, Key.Key_M)
    drag(ct, (40, 120), (80, 180))
    box = station.controller.marks.marked.box
    edge = ct._shown_part
    assert near(box.x + box.w, edge.x + edge.w)
    assert near(box.y + box.h, edge.y + edge.h)
    assert (box.x + box.w, box.y + box.h) <= (edge.x + edge.w, edge.y + edge.h)


def test_clicks_are_a_polygon_that_enter_closes_and_backspace_shortens(station):
    ct, marks = station.window.panels["ct"].stage, station.controller.marks
    battery_id = station.controller.current_id
    press(station, Key.Key_M)
    station.window.panels["lot"].table.setFocus()
    for corner in ((20, 60), (60, 60), (60, 120)):
        click(ct, corner)
    press(station, Key.Key_Backspace)
    press(station, Key.Key_Return)
    # Two corners are no region, and Enter accepts nothing in the meantime.
    assert marks.active
    assert marks.marked is None
    click(ct, (20, 130))
    press(station, Key.Key_Return)
    polygon = marks.marked.polygon
    assert len(polygon) == 3
    assert near(polygon[2][1], 130)
    assert station.controller.rows[battery_id].decision is None
    assert station.controller.current_id == battery_id


def test_escape_leaves_marking_and_another_battery_forgets_it(station):
    ct, marks = station.window.panels["ct"].stage, station.controller.marks
    press(station, Key.Key_M)
    drag(ct, (60, 60), (90, 90))
    kept = marks.marked
    press(station, Key.Key_M)
    click(ct, (60, 60))
    press(station, Key.Key_Escape)
    assert not marks.active
    assert marks.marked == kept
    press(station, Key.Key_Down)
    assert marks.marked is None


def test_a_region_is_marked_from_the_dialog_and_comes_back_with_the_session(
    qtbot, stations, station
):
    controller, ct = station.controller, station.window.panels["ct"].stage
    battery_id = controller.current_id
    kind = "normal" if controller.rows[battery_id].suspicious else "external_defect"
    press(station, Key.Key_O)
    dialog = station.window.findChild(DecisionDialog)
    dialog.kinds[kind].setChecked(True)
    dialog.reason.setEditText("scratch")
    dialog.mark.click()
    assert not dialog.isVisible()
    drag(ct, (40, 50), (100, 90))
    qtbot.waitUntil(dialog.isVisible)
    assert dialog.chosen == kind
    assert "Box on" in dialog.region.text()
    dialog.confirm.click()
    qtbot.waitUntil(lambda: controller.rows[battery_id].decision is not None, timeout=WAIT)
    region = controller.rows[battery_id].decision.region
    assert isinstance(region, Region)
    assert controller.marks.marked is None
    assert drawn(ct) == (True, False)
    folder = controller.writer.folder
    stations.close(station)
    again = opened_session(qtbot, stations(), folder)
    again.controller.choose(battery_id)
    assert again.controller.rows[battery_id].decision.region == region
    QApplication.processEvents()


def test_a_region_goes_with_an_accepted_verdict_too(qtbot, station):
    controller, ct = station.controller, station.window.panels["ct"].stage
    battery_id = controller.current_id
    press(station, Key.Key_M)
    drag(ct, (60, 60), (90, 90))
    marked = controller.marks.marked
    press(station, Key.Key_A)
    qtbot.waitUntil(lambda: controller.rows[battery_id].decision is not None, timeout=WAIT)
    assert controller.rows[battery_id].decision.region == marked
