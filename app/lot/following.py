"""A session that another process writes, as it grows: read again whenever its files change."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from app.lot.session_writer import SessionWriter
from app.tasks import TaskPool
from inspection.session.files import AUDIT_NAME, SESSION_NAME
from inspection.session.lock import Holder, SessionForeignError, SessionHeldError, holder_of
from inspection.session.record import SessionRecord
from inspection.session.store import SessionStore

log = logging.getLogger(__name__)

POLL_MS = 1000
REST = 4
"""For how many times as long as a reading took nothing is read: a large session reads slowly."""

Marks = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """A look at the session; ``store`` is None where nothing has changed since the last."""

    folder: Path
    holder: Holder | None
    marks: Marks
    store: SessionStore | None
    seconds: float


class Following(QObject):
    """Looks at the session that is open for reading, until it is closed."""

    grown = Signal(object, object)
    """The record before and now."""
    holder_changed = Signal(object)
    """The Holder that writes the session now; None where it has become free."""
    stopped = Signal(object)
    """The error that keeps it from being read any more."""

    def __init__(self, writer: SessionWriter, files: TaskPool, parent: QObject) -> None:
        super().__init__(parent)
        self._writer = writer
        self._files = files
        self._folder: Path | None = None
        self._marks: Marks = ()
        self.holder: Holder | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._look)
        writer.opened.connect(self._on_opened)

    @property
    def live(self) -> bool:
        """True while another process writes the session that is shown."""
        return self._writer.read_only and self.holder is not None

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()
        self._folder = None

    def _on_opened(self, _record: SessionRecord) -> None:
        self.stop()
        why = self._writer.kept_out
        self.holder = why.holder if isinstance(why, SessionHeldError) else None
        if why is not None:
            self._folder, self._marks = self._writer.folder, ()
            self._timer.start(POLL_MS)

    def _look(self) -> None:
        folder = self._folder
        if folder is None or folder != self._writer.folder or not self._writer.read_only:
            return
        self._files.submit(partial(_look, folder, self._marks), self._on_look, self._on_failed)

    def _on_look(self, reading: _Reading) -> None:
        if reading.folder != self._folder or reading.folder != self._writer.folder:
            return
        self._marks = reading.marks
        before = self._writer.record
        if reading.store is not None and before is not None:
            self._writer.take_reading(reading.store)
            if reading.store.record != before:
                self.grown.emit(before, reading.store.record)
        if reading.holder != self.holder:
            self.holder = reading.holder
            # An account that may not write gains nothing by its being free.
            if not isinstance(self._writer.kept_out, SessionForeignError):
                self.holder_changed.emit(self.holder)
        self._timer.start(max(POLL_MS, round(1000 * REST * reading.seconds)))

    def _on_failed(self, error: Exception) -> None:
        log.warning("the session can no longer be followed: %s", error)
        self.stop()
        self.stopped.emit(error)


def _look(folder: Path, seen: Marks) -> _Reading:
    holder, marks = holder_of(folder), _marks(folder)
    if marks == seen:
        return _Reading(folder, holder, seen, None, 0.0)
    began = time.monotonic()
    store = SessionStore.open(folder, read_only=True)
    seconds = time.monotonic() - began
    # Written to in the meantime, its files do not belong together: the next look tells.
    settled = holder is None or marks == _marks(folder)
    return _Reading(folder, holder, marks if settled else seen, store if settled else None, seconds)


def _marks(folder: Path) -> Marks:
    marks: list[tuple[int, int, int] | None] = []
    for name in (SESSION_NAME, AUDIT_NAME):
        try:
            stat = (folder / name).stat()
        except FileNotFoundError:
            marks.append(None)
        else:
            marks.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(marks)
