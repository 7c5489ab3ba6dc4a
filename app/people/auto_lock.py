"""Locks the screen where nobody touches anything for a while."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication

from app.people.people import People

TOUCHES = frozenset(
    {
        QEvent.Type.KeyPress,
        QEvent.Type.MouseButtonPress,
        QEvent.Type.MouseMove,
        QEvent.Type.Wheel,
        QEvent.Type.TouchBegin,
    }
)


class AutoLock(QObject):
    """Watches keys and mouse while somebody is signed in, and only then."""

    def __init__(self, people: People) -> None:
        super().__init__(people)
        self._people = people
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(round(people.config.auto_lock_minutes * 60_000))
        self._timer.timeout.connect(self._on_idle)
        people.changed.connect(self._on_people)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt: look at an event before its receiver does; every event is passed on."""
        if event.type() in TOUCHES:
            self._timer.start()
        return False

    def _on_people(self) -> None:
        application = QApplication.instance()
        assert application is not None
        application.removeEventFilter(self)
        self._timer.stop()
        if self._timer.interval() and self._people.config.sign_in and self._people.current:
            application.installEventFilter(self)
            self._timer.start()

    def _on_idle(self) -> None:
        self._people.lock("idle")
