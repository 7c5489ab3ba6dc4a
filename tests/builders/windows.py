"""A window with a session to review, and the keys that drive it."""

from __future__ import annotations

import shutil
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

WAIT = 30_000


def reviewed(qtbot, station, judged_session: Path):
    """Open a copy of a session that was inspected before."""
    sessions = station.controller.writer.sessions_dir
    folder = shutil.copytree(judged_session, sessions / judged_session.name)
    return opened_session(qtbot, station, folder)


def opened_session(qtbot, station, folder: Path):
    """Open a session, and wait until its current battery is shown whole."""
    station.controller.open_session(folder)
    qtbot.waitUntil(
        lambda: (view := station.controller.current_view()) is not None and view.result is not None,
        timeout=WAIT,
    )
    return station


def press(station, key, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    # The offscreen platform leaves no window active once a dialog has closed.
    station.window.activateWindow()
    QApplication.processEvents()
    QTest.keyClick(station.window, key, modifier)


def planes_of(station):
    return station.window.panels["ct"].planes


def settled(qtbot, station) -> None:
    """Wait until every plane is the one that the crosshair asks for, and sharp."""
    planes = planes_of(station)
    qtbot.waitUntil(
        lambda: all(
            view.found is not None
            and view.found.wanted == planes.cross.along(axis)
            and not view.found.rough
            for axis, view in planes.views.items()
        ),
        timeout=WAIT,
    )
