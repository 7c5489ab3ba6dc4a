"""A person confirms single images as normal, by key: sealed, shown, and taken back."""

from __future__ import annotations

import pytest
from builders.stages import picture_shown
from builders.windows import WAIT, press, reviewed
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from inspection.session.confirmed import read_confirmed

Key, SHIFT = Qt.Key, Qt.KeyboardModifier.ShiftModifier
# The offscreen platform says so of every window that has a smallest size.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture
def station(qtbot, stations, judged_session):
    station = reviewed(qtbot, stations(), judged_session)
    for name in ("ct", "rgb"):
        stage = station.window.panels[name].stage
        qtbot.waitUntil(lambda shown=stage: picture_shown(shown), timeout=WAIT)
    return station


def confirmed(qtbot, station, name: str, wanted: bool) -> None:
    action = station.window.actions_[name]
    qtbot.waitUntil(lambda: action.isChecked() == wanted, timeout=WAIT)


def test_keys_confirm_the_slice_and_the_view_in_sight_and_take_it_back(qtbot, station):
    panels, folder = station.window.panels, station.controller.writer.folder
    slice_name, view_name = (panels[name].current.name for name in ("ct", "rgb"))
    press(station, Key.Key_G)
    confirmed(qtbot, station, "confirm_slice", True)
    press(station, Key.Key_G, SHIFT)
    confirmed(qtbot, station, "confirm_view", True)
    assert [one.image for one in read_confirmed(folder).images] == [slice_name, view_name]
    press(station, Key.Key_Right)
    QApplication.processEvents()
    # Another slice: nobody has said anything of it.
    confirmed(qtbot, station, "confirm_slice", False)
    press(station, Key.Key_Left)
    confirmed(qtbot, station, "confirm_slice", True)
    press(station, Key.Key_G)
    confirmed(qtbot, station, "confirm_slice", False)
    found = read_confirmed(folder)
    assert [(one.image, one.by) for one in found.images] == [(view_name, "Kim")]
    # No battery is decided by it.
    assert all(row.decision is None for row in station.controller.rows.values())


def test_what_is_not_in_sight_cannot_be_confirmed(qtbot, station):
    press(station, Key.Key_P)
    qtbot.waitUntil(lambda: not station.window.actions_["confirm_slice"].isEnabled(), timeout=WAIT)
    press(station, Key.Key_P)
    qtbot.waitUntil(lambda: station.window.actions_["confirm_slice"].isEnabled(), timeout=WAIT)
    press(station, Key.Key_C)
    QApplication.processEvents()
    press(station, Key.Key_G)
    qtbot.waitUntil(lambda: not station.controller.writer._pool.busy, timeout=WAIT)
    assert not read_confirmed(station.controller.writer.folder).images
