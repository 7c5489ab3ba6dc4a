"""What the intake had to say of a lot's files, as a table model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
)

from app.wording import DASH, message_text, tr
from inspection.records import LotFinding

Index = QModelIndex | QPersistentModelIndex


class FindingsTable(QAbstractTableModel):
    """File, battery and reason. Virtual: a lot may have thousands."""

    def __init__(self, parent: QObject, findings: Sequence[LotFinding], root: Path) -> None:
        super().__init__(parent)
        self._findings = findings
        self._root = root

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Qt: how many rows there are."""
        return 0 if parent.isValid() else len(self._findings)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Qt: how many columns there are."""
        return 0 if parent.isValid() else 3

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Qt: what a header shows."""
        if orientation != Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        return (
            tr("Battery"),
            tr("File"),
            tr("Reason"),
        )[section]

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Qt: what a cell shows, by role."""
        if not index.isValid() or role not in (
            Qt.ItemDataRole.DisplayRole,
            Qt.ItemDataRole.ToolTipRole,
        ):
            return None
        finding = self._findings[index.row()]
        if index.column() == 0:
            return finding.battery_id or DASH
        if index.column() == 1:
            path, root = finding.path.as_posix(), self._root.as_posix() + "/"
            return path.removeprefix(root)
        return message_text(finding.reason)
