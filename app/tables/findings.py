"""What the intake had to say of a lot's files, as a table model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt

from app.tables.rows import DISPLAY, Index, RowTable
from app.wording import DASH, message_text
from inspection.names import told_name
from inspection.records import LotFinding


class FindingsTable(RowTable):
    """File, battery and reason; a lot may have thousands."""

    columns = 3

    def __init__(self, parent: QObject, findings: Sequence[LotFinding], root: Path) -> None:
        super().__init__(parent)
        self._findings = findings
        self._root = root

    def headers(self) -> tuple[str, ...]:
        """Return the columns' titles."""
        return self.tr("Battery"), self.tr("File"), self.tr("Reason")

    def count(self) -> int:
        """Return how many findings there are."""
        return len(self._findings)

    def data(self, index: Index, role: int = DISPLAY) -> Any:
        """Qt: what a cell shows, by role."""
        if not index.isValid() or role not in (DISPLAY, Qt.ItemDataRole.ToolTipRole):
            return None
        finding = self._findings[index.row()]
        path = told_name(finding.path.as_posix().removeprefix(self._root.as_posix() + "/"))
        cells = (finding.battery_id or DASH, path, message_text(finding.reason))
        return cells[index.column()]
