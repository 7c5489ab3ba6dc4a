"""What the window has told, as a table model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QObject, Qt

from app.message_log import Told
from app.tables.rows import DISPLAY, Index, RowTable
from app.theme import icon, tokens
from app.wording import DASH

DRAWN = {"success": "accept", "accent": "info", "neutral": "info"}


class MessagesTable(RowTable):
    """Time, session and words, the newest first."""

    columns = 3

    def __init__(self, parent: QObject, told: Sequence[Told]) -> None:
        super().__init__(parent)
        self._told = told

    def show_all(self, told: Sequence[Told]) -> None:
        """Show other messages."""
        self.beginResetModel()
        self._told = told
        self.endResetModel()

    def headers(self) -> tuple[str, ...]:
        """Return the columns' titles."""
        return self.tr("Time"), self.tr("Session"), self.tr("Message")

    def count(self) -> int:
        """Return how many messages there are."""
        return len(self._told)

    def data(self, index: Index, role: int = DISPLAY) -> Any:
        """Qt: what a cell shows, by role."""
        if not index.isValid():
            return None
        told = self._told[index.row()]
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return icon(DRAWN.get(told.tone, "warning"), tokens().tone(told.tone).name())
        if role not in (DISPLAY, Qt.ItemDataRole.ToolTipRole):
            return None
        cells = (f"{told.at:%Y-%m-%d %H:%M:%S}", told.session or DASH, told.text)
        return cells[index.column()]
