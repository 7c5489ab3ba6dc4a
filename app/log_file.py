"""The program's log in the user's folder, and the trace of a crash inside a library."""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import sys
from pathlib import Path
from typing import IO

from PySide6.QtCore import QObject, Signal

LOG_BYTES = 2_000_000
LOG_FILES = 3


class LogFile(QObject):
    """Logs from its making until it is closed; where the disk refuses, that is told once.

    Parameters
    ----------
    folder : where the logs are; made where it is missing
    """

    refused = Signal(str)
    """What keeps a line from being written. May come from any thread."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.problem = ""
        self._crashes: IO[str] | None = None
        # Without any, the library would print what is logged.
        self._handler: logging.Handler = logging.NullHandler()
        logging.getLogger().setLevel(logging.INFO)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._crashes = (folder / "crash.log").open("a", encoding="utf-8")
        except OSError as error:
            self.refuse(error)
        else:
            faulthandler.enable(self._crashes)
            self._handler = _Handler(folder / "station.log", self)
        logging.getLogger().addHandler(self._handler)

    def refuse(self, error: BaseException | None) -> None:
        """Tell what keeps the log from being written, the first time."""
        if not self.problem:
            told = error.strerror if isinstance(error, OSError) else None
            self.problem = told or type(error).__name__
            self.refused.emit(self.problem)

    def close(self) -> None:
        """Log no more."""
        logging.getLogger().removeHandler(self._handler)
        self._handler.close()
        if self._crashes is not None:
            faulthandler.disable()
            self._crashes.close()


class _Handler(logging.handlers.RotatingFileHandler):
    def __init__(self, path: Path, owner: LogFile) -> None:
        super().__init__(
            path,
            maxBytes=LOG_BYTES,
            backupCount=LOG_FILES,
            encoding="utf-8",
            # Opened by the first line, so that a full disk is told like any later one.
            delay=True,
            # A library may name a file whose name is no text.
            errors="backslashreplace",
        )
        self._owner = owner
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def handleError(self, record: logging.LogRecord) -> None:
        # The library would print a traceback for each line that finds no room.
        self._owner.refuse(sys.exc_info()[1])

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:
            # What it still held finds no room either.
            self._owner.refuse(error)
