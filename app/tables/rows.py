"""Rows of one sort as a table model; what a cell shows is left to the tables."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

Index = QModelIndex | QPersistentModelIndex
DISPLAY = Qt.ItemDataRole.DisplayRole


class RowTable(QAbstractTableModel):
    """Virtual: a table of any length shows only the rows in sight."""

    columns: ClassVar[int]

    def headers(self) -> tuple[str, ...]:
        """Return the columns' titles in the window's language."""
        raise NotImplementedError

    def count(self) -> int:
        """Return how many rows there are."""
        raise NotImplementedError

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Qt: how many rows there are."""
        return 0 if parent.isValid() else self.count()

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Qt: how many columns there are."""
        return 0 if parent.isValid() else self.columns

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = DISPLAY) -> Any:
        """Qt: what a header shows."""
        if orientation != Qt.Orientation.Horizontal or role != DISPLAY:
            return None
        return self.headers()[section]
