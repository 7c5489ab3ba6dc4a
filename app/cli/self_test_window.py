"""The window's part of ``station --self-test``: opened, painted and worded in both languages."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from app.application import Station, make_application
from app.settings import SettingsFile
from app.widgets.plots import Plots
from inspection.errors import InspectionError
from inspection.messages import Language
from inspection.modelstore.folders import ModelFolders

SAMPLES = 40
"""Points looked at along either side of the window."""
COLOURS = 4
"""Fewer than these are no window: an empty one has its background's colour only."""

LONGEST_WAIT_MS = 120_000


def paint_window(models: ModelFolders, session: Path, settings: Path) -> None:
    """Open the window with a session, paint it in English and Korean, and close it.

    Raises
    ------
    InspectionError
        If the session does not appear, a translation is missing, or nothing is painted.
    """
    app = make_application()
    station = Station(models, session.parent, SettingsFile(settings))
    try:
        station.window.show()
        # The plots are the last to be there, and load a library when they are first asked for.
        plots = station.window.findChild(Plots)
        assert plots is not None
        failures: list[Exception] = []
        station.controller.failed.connect(failures.append)
        waiting = QEventLoop()
        for told in (plots.ready, station.controller.failed):
            told.connect(waiting.quit)
        QTimer.singleShot(LONGEST_WAIT_MS, waiting, waiting.quit)
        station.controller.open_session(session)
        waiting.exec()
        if failures:
            raise failures[0]
        if plots.module is None:
            raise InspectionError("self_test_window_silent")
        english, korean = (_painted(station, language) for language in ("en", "ko"))
    finally:
        station.window.conversations.close_confirmed.emit()
        station.window.deleteLater()
        station.deleteLater()
        # Gone before Python ends and takes things apart in an order of its own.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        app.processEvents()
    if english == korean:
        raise InspectionError("self_test_translation_missing")


def _painted(station: Station, language: Language) -> list[str]:
    """Return the words of the menu bar after the window was painted in a language."""
    station.window.language_chosen.emit(language)
    QApplication.processEvents()
    image = station.window.grab().toImage()
    across = range(0, image.width(), max(1, image.width() // SAMPLES))
    down = range(0, image.height(), max(1, image.height() // SAMPLES))
    if len({image.pixel(x, y) for x in across for y in down}) < COLOURS:
        raise InspectionError("self_test_window_empty")
    return [action.text() for action in station.window.menuBar().actions()]
