"""The window's part of ``station --self-test``: opened, painted and worded in both languages."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from app.application import Station, make_application
from app.settings import SettingsFile
from inspection.errors import InspectionError
from inspection.messages import Language
from inspection.model_folders import ModelFolders

SAMPLES = 40
"""Points looked at along either side of the window."""
COLOURS = 4
"""Fewer than these are no window: an empty one has its background's colour only."""


def paint_window(models: ModelFolders, sessions: Path, settings: Path) -> None:
    """Open the window, paint it in English and Korean, and close it.

    Raises
    ------
    InspectionError
        If a translation is missing, or nothing is painted.
    """
    app = make_application()
    station = Station(models, sessions, SettingsFile(settings))
    try:
        station.window.show()
        english, korean = (_painted(station, language) for language in ("en", "ko"))
    finally:
        station.window.conversations.close_confirmed.emit()
        station.window.deleteLater()
        station.deleteLater()
        app.processEvents()
    if english == korean:
        raise InspectionError("self_test_translation_missing")


def _painted(station: Station, language: Language) -> list[str]:
    """Return the words of the menu bar after the window was painted in a language."""
    station.window.language_chosen.emit(language)
    QApplication.processEvents()
    if _colours(station.window.grab().toImage()) < COLOURS:
        raise InspectionError("self_test_window_empty")
    return [action.text() for action in station.window.menuBar().actions()]


def _colours(image: QImage) -> int:
    across = range(0, image.width(), max(1, image.width() // SAMPLES))
    down = range(0, image.height(), max(1, image.height() // SAMPLES))
    return len({image.pixel(x, y) for x in across for y in down})
