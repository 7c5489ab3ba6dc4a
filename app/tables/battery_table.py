"""The lot's batteries as a table model, and the filter and order in front of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Literal

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)

from app.review import Row
from app.wording import (
    DASH,
    class_text,
    kind_text,
    message_text,
    score_text,
    state_text,
    system_text,
    tr,
)
from inspection.results import SYSTEMS, Kind

Index = QModelIndex | QPersistentModelIndex
Filter = Literal["all", "suspicious", "conflict", "undecided", "decided", "unpaired"] | Kind

ROW_ROLE = Qt.ItemDataRole.UserRole + 1
SORT_ROLE = Qt.ItemDataRole.UserRole + 2

_STATES = ("running", "failed", "cancelled", "queued", "skipped", "done")
_KINDS = (
    "composite_defect",
    "internal_defect",
    "external_defect",
    "review",
    "not_inspected",
    "normal",
)
_DIGITS = re.compile(r"(\d+)")


class Column(IntEnum):
    """The columns, from left to right."""

    BATTERY = 0
    SYSTEMS = 1
    VERDICT = 2
    SCORE = 3
    DECISION = 4


class BatteryTable(QAbstractTableModel):
    """Rows of batteries; the delegate paints what the display text says."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []
        self._place: dict[str, int] = {}

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Replace all rows."""
        self.beginResetModel()
        self._rows = list(rows)
        self._place = {row.battery_id: number for number, row in enumerate(self._rows)}
        self.endResetModel()

    def update_row(self, row: Row) -> None:
        """Replace one row."""
        number = self._place.get(row.battery_id)
        if number is None:
            return
        self._rows[number] = row
        self.dataChanged.emit(self.index(number, 0), self.index(number, len(Column) - 1))

    def retranslate(self) -> None:
        """Word everything again."""
        if self._rows:
            last = self.index(len(self._rows) - 1, len(Column) - 1)
            self.dataChanged.emit(self.index(0, 0), last)
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(Column) - 1)

    def place_of(self, battery_id: str) -> int | None:
        """Return the number of a battery's row."""
        return self._place.get(battery_id)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Qt: how many rows there are."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Qt: how many columns there are."""
        return 0 if parent.isValid() else len(Column)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Qt: what a header shows."""
        if orientation != Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        return {
            Column.BATTERY: tr("Battery"),
            Column.SYSTEMS: tr("Run"),
            Column.VERDICT: tr("Verdict"),
            Column.SCORE: tr("Score"),
            Column.DECISION: tr("Decision"),
        }[Column(section)]

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Qt: what a cell shows, by role."""
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        column = Column(index.column())
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(row, column)
        if role == SORT_ROLE:
            return _sort_key(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _told(row)
        if role == Qt.ItemDataRole.TextAlignmentRole and column is Column.SCORE:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None


def _text(row: Row, column: Column) -> str:
    if column is Column.BATTERY:
        return row.battery_id
    if column is Column.SYSTEMS:
        return state_text(row.state)
    if column is Column.VERDICT:
        return kind_text(row.kind) if row.kind else DASH
    if column is Column.SCORE:
        return score_text(row.fused_score, 2)
    return kind_text(row.decision.kind) if row.decision else ""


def _sort_key(row: Row, column: Column) -> tuple[Any, ...]:
    natural = tuple(
        (1, int(part), "") if part.isdigit() else (0, 0, part)
        for part in _DIGITS.split(row.battery_id)
        if part
    )
    if column is Column.SYSTEMS:
        return (_STATES.index(row.state), natural)
    if column is Column.VERDICT:
        return (_KINDS.index(row.kind) if row.kind else len(_KINDS), natural)
    if column is Column.SCORE:
        return (-1.0 if row.fused_score is None else row.fused_score, natural)
    if column is Column.DECISION:
        return (row.decision is not None, row.decision.kind if row.decision else "", natural)
    return natural


def _told(row: Row) -> str:
    lines = [
        f"{system_text(name)}: {state_text(row.systems.get(name, 'queued'))}"
        for name in SYSTEMS
        if row.systems
    ]
    if row.defect_type:
        lines.append(class_text(row.defect_type))
    if row.conflict:
        lines.append(tr("The systems disagree."))
    if row.decision:
        lines.append(f"{kind_text(row.decision.kind)} ({row.decision.operator})")
    lines += [message_text(warning) for warning in row.battery.warnings]
    return "\n".join([row.battery_id, *lines])


class BatteryFilter(QSortFilterProxyModel):
    """Which batteries are listed, and in which order."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._filter: Filter = "all"
        self._text = ""
        self.setSortRole(SORT_ROLE)

    def set_filter(self, chosen: Filter) -> None:
        """List only batteries of one sort."""
        self._filter = chosen
        self.invalidate()

    def set_text(self, text: str) -> None:
        """List only batteries whose id, verdict or defect holds a text."""
        self._text = text.strip().casefold()
        self.invalidate()

    def filterAcceptsRow(self, source_row: int, source_parent: Index) -> bool:
        """Qt: is a row listed."""
        model = self.sourceModel()
        row: Row = model.index(source_row, 0, source_parent).data(ROW_ROLE)
        return _passes(row, self._filter) and self._text in _searched(row)

    def lessThan(self, left: Index, right: Index) -> bool:
        """Qt: the order of two cells."""
        return bool(left.data(SORT_ROLE) < right.data(SORT_ROLE))


def _passes(row: Row, chosen: Filter) -> bool:
    if chosen == "all":
        return True
    if chosen == "suspicious":
        return row.suspicious
    if chosen == "conflict":
        return row.conflict
    if chosen == "undecided":
        return row.undecided
    if chosen == "decided":
        return not row.undecided
    if chosen == "unpaired":
        return not row.battery.paired
    return row.final_kind == chosen


def _searched(row: Row) -> str:
    words = [row.battery_id, class_text(row.defect_type) if row.defect_type else ""]
    if row.kind:
        words.append(kind_text(row.kind))
    return " ".join(words).casefold()
