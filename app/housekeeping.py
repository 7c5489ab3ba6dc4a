"""What the window does by itself at its start: evidence pictures go by the site's rule."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from app.tasks import TaskPool
from inspection.config import load_keeping
from inspection.messages import Message

FIRST_MS = 3_000
"""After the first paint, and after the lot that a command line may have named."""


class Housekeeping(QObject):
    """Keeps the site's rule, in a thread, and tells what it did and what comes next."""

    told = Signal(object)
    """A Message."""
    failed = Signal(object)

    def __init__(self, sessions_dir: Path, files: TaskPool, parent: QObject) -> None:
        super().__init__(parent)
        self._sessions_dir = sessions_dir
        self._files = files
        # A timer of its own, which ends with the window.
        self._first = QTimer(self)
        self._first.setSingleShot(True)
        self._first.timeout.connect(self.keep)

    def begin(self) -> None:
        """Keep the rule once, soon."""
        self._first.start(FIRST_MS)

    def keep(self) -> None:
        """Keep the rule now."""
        rule = load_keeping().evidence
        if rule.max_days is not None or rule.max_gib is not None:
            work = partial(_keep, self._sessions_dir)
            self._files.submit(work, self._on_kept, self.failed.emit)

    def _on_kept(self, messages: list[Message]) -> None:
        for message in messages:
            self.told.emit(message)


def _keep(sessions_dir: Path) -> list[Message]:
    from inspection.keeping.retention import keep_rule

    done = keep_rule(sessions_dir)
    found: list[Message] = []
    for code, removals in (("retention_coming", done.coming), ("retention_done", done.removed)):
        if removals:
            params = {
                "count": len(removals),
                "size": f"{sum(removal.size for removal in removals) / (1 << 30):.2f}",
                "time": f"{min(removal.due for removal in removals).astimezone():%Y-%m-%d %H:%M}",
            }
            found.append(Message(code=code, params={**params}))
    return [*found, *done.problems]
