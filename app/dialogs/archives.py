"""Backups and packed sessions: which file, then the work in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.controller import Controller
from app.folders import opened_folder, station_parts
from app.wording import message_text
from inspection.errors import ArchiveError
from inspection.messages import Message
from inspection.names import told_name

Found = TypeVar("Found")

FILTER = "ZIP (*.zip)"


class Archives(QObject):
    """Asks for a zip and writes or opens it."""

    told = Signal(str, str)
    """Words and tone, for a toast."""

    def __init__(self, window: QWidget, controller: Controller) -> None:
        super().__init__(window)
        self._window = window
        self._controller = controller

    def pack(self) -> None:
        """Ask where the session that is open goes to as one sealed zip."""
        session, person = self._controller.writer.folder, self._controller.people.current
        if session is None:
            return
        title = self.tr("Export the session as a sealed zip")
        chosen = self._ask_where(title, f"session-{session.name}.zip")
        if chosen is not None:
            # Imported in the thread: cryptography can wait until something is packed.
            def work() -> Message:
                from inspection.keeping.backup import pack_session
                from inspection.seals.keys import fingerprint

                key = fingerprint(pack_session(session, chosen, person).key)
                return Message(code="session_packed", params={"path": str(chosen), "key": key})

            self._submit(chosen, work)

    def back_up(self) -> None:
        """Ask where everything that the station must not lose goes to."""
        chosen = self._ask_where(self.tr("Back up the station"), "station-backup.zip")
        sessions, person = self._controller.writer.sessions_dir, self._controller.people.current
        if chosen is not None:

            def work() -> Message:
                from inspection.keeping.backup import back_up

                count = len(back_up(chosen, sessions, station_parts(), person).files)
                return Message(code="backup_written", params={"path": str(chosen), "count": count})

            self._submit(chosen, work)

    def open_packed(self) -> None:
        """Ask for a packed session and show it."""
        title = self.tr("Open a packed session")
        name, _ = QFileDialog.getOpenFileName(self._window, title, str(Path.home()), FILTER)
        if not name:
            return

        def work() -> Path:
            from inspection.keeping.backup import unpack_session

            return unpack_session(Path(name), opened_folder())

        files = self._controller.files
        files.submit(
            partial(_named, Path(name), work),
            self._controller.open_session,
            self._controller.failed.emit,
        )

    def _ask_where(self, title: str, name: str) -> Path | None:
        start = self._controller.settings.report_folder or str(Path.home())
        chosen, _ = QFileDialog.getSaveFileName(
            self._window, title, str(Path(start) / name), FILTER
        )
        return Path(chosen).with_suffix(".zip") if chosen else None

    def _submit(self, path: Path, work: Callable[[], Message]) -> None:
        self._controller.files.submit(
            partial(_named, path, work), self._on_written, self._controller.failed.emit
        )

    def _on_written(self, message: Message) -> None:
        self.told.emit(message_text(message), "success")


def _named(path: Path, work: Callable[[], Found]) -> Found:
    """Do some work on a file; what the disk refuses is told with the file's name."""
    try:
        return work()
    except OSError as error:
        problem = error.strerror or str(error)
        raise ArchiveError("archive_disk", path=told_name(str(path)), problem=problem) from error
