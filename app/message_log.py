"""Everything the window has told since it was opened, each with its time."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import QObject, Signal

from app.tones import Tone

log = logging.getLogger(__name__)

KEPT = 1000


@dataclass(frozen=True, slots=True)
class Told:
    """Words that were told; ``session`` is the one that was open, empty where none was."""

    at: datetime
    text: str
    tone: Tone
    session: str


class MessageLog(QObject):
    """Keeps the latest messages, and passes each on to the program's log."""

    added = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._told: deque[Told] = deque(maxlen=KEPT)

    @property
    def told(self) -> tuple[Told, ...]:
        """All messages, the newest first."""
        return tuple(reversed(self._told))

    def add(self, text: str, tone: Tone, session: str = "") -> None:
        """Keep a message."""
        self._told.append(Told(datetime.now().astimezone(), text, tone, session))
        level = logging.WARNING if tone in ("critical", "warning") else logging.INFO
        # On one line: what is told may have come from a file.
        log.log(level, "told: %r%s", text, f" ({session})" if session else "")
        self.added.emit()
