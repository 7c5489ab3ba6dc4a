"""A QThread that does one system's work, from the window's opening to its closing."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QThread, Signal, Slot


class LaneThread(QObject):
    """Does what it is given, one after another, in a thread of its own."""

    _ordered = Signal(object)

    def __init__(self, name: str, parent: QObject) -> None:
        super().__init__(parent)
        self._ends = False
        self._thread = QThread(self)
        self._thread.setObjectName(name)
        self._hand = _Hand()
        self._hand.moveToThread(self._thread)
        self._ordered.connect(self._hand.do, Qt.ConnectionType.QueuedConnection)

    @property
    def running(self) -> bool:
        """True once the thread has been given something."""
        return self._thread.isRunning()

    def do(self, work: Callable[[], None]) -> None:
        """Do some work after what is there already."""
        # A window that is closed at once still has its first orders to give.
        if not self._ends and not self._thread.isRunning():
            self._thread.start()
        self._ordered.emit(work)

    def finish(self, last: Callable[[], None]) -> None:
        """Do ``last`` and end for good."""
        self._ends = True
        if self._thread.isRunning():
            self._ordered.emit(last)
            # An order of its own: the thread ends even where the last one fails.
            self._ordered.emit(self._thread.quit)

    def wait(self) -> None:
        """Wait until the thread has ended."""
        self._thread.wait()


class _Hand(QObject):
    """Lives in the thread."""

    @Slot(object)
    def do(self, work: Callable[[], None]) -> None:
        work()
