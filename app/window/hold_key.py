"""A key that counts while it is held, wherever the focus is outside of text."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)

OTHER_USE = (QLineEdit, QPlainTextEdit, QComboBox, QAbstractButton)


class HoldKey(QObject):
    """Tells when the space bar goes down and up in a window."""

    held = Signal(bool)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._down = False
        # Only the widget with the focus is watched: a filter on the whole application would run
        # Python for every event there is.
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._on_focus)
        window.installEventFilter(self)

    def _on_focus(self, before: QWidget | None, now: QWidget | None) -> None:
        if before is not None and before is not self._window:
            before.removeEventFilter(self)
        if now is not None:
            now.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt: look at an event before its receiver does."""
        kind = event.type()
        if kind == QEvent.Type.WindowDeactivate and self._down:
            self._set(False)
        if kind not in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            return False
        assert isinstance(event, QKeyEvent)
        ours = isinstance(watched, QWidget) and watched.window() is self._window
        if event.key() != Qt.Key.Key_Space or not ours or isinstance(watched, OTHER_USE):
            return False
        # A key that is held down repeats itself; that is no new press.
        if not event.isAutoRepeat():
            self._set(kind == QEvent.Type.KeyPress)
        return True

    def _set(self, down: bool) -> None:
        if down != self._down:
            self._down = down
            self.held.emit(down)
