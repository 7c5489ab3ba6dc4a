"""The lot's batteries as a table model, and the filter and order in front of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

from PySide6.QtCore import (
    QObject,
    QSortFilterProxyModel,
    Qt,
)

from app.lot.review import Row
from app.tables.rows import DISPLAY, Index, RowTable
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
from inspection.results import SYSTEMS

ROW_ROLE = Qt.ItemDataRole.UserRole + 1
SORT_ROLE = Qt.ItemDataRole.UserRole + 2

PASSES: dict[str, Callable[[Row], bool]] = {
    "all": lambda row: True,
    "suspicious": lambda row: row.suspicious,
    "conflict": lambda row: row.conflict,
    "undecided": lambda row: row.undecided,
    "decided": lambda row: not row.undecided,
    "unpaired": lambda row: not row.battery.paired,
}
"""What a filter lists; any other is a verdict, the operator's where there is one."""

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


class BatteryTable(RowTable):
    """Rows of batteries; the delegate paints what the display text says."""

    columns = len(Column)

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

    def headers(self) -> tuple[str, ...]:
        """Return the columns' titles."""
        return (
            *(self.tr("Battery"), self.tr("Run"), self.tr("Verdict")),
            *(self.tr("Score"), self.tr("Decision")),
        )

    def count(self) -> int:
        """Return how many batteries there are."""
        return len(self._rows)

    def data(self, index: Index, role: int = DISPLAY) -> Any:
        """Qt: what a cell shows, by role."""
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        column = Column(index.column())
        if role == ROW_ROLE:
            return row
        if role == DISPLAY:
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
        # The word that counts: the person's, where it stands in the place of the station's.
        kind = row.decision.kind if row.decision and row.overruled else row.kind
        return kind_text(kind) if kind else DASH
    if column is Column.SCORE:
        return score_text(row.fused_score, 2)
    return kind_text(row.decision.kind) if row.decision else ""


def _sort_key(row: Row, column: Column) -> tuple[Any, ...]:
    # Battery 10 comes after battery 9.
    natural = tuple(
        (1, int(part), "") if part.isdigit() else (0, 0, part)
        for part in _DIGITS.split(row.battery_id)
        if part
    )
    if column is Column.SYSTEMS:
        return (_STATES.index(row.state), natural)
    if column is Column.VERDICT:
        kind = row.decision.kind if row.decision and row.overruled else row.kind
        return (_KINDS.index(kind) if kind else len(_KINDS), natural)
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
        self._filter = "all"
        self._text = ""
        self.setSortRole(SORT_ROLE)

    def set_filter(self, chosen: str) -> None:
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
        passes = PASSES.get(self._filter)
        if not (passes(row) if passes else row.final_kind == self._filter):
            return False
        words = [row.battery_id, class_text(row.defect_type) if row.defect_type else ""]
        words += [kind_text(row.kind)] if row.kind else []
        return self._text in " ".join(words).casefold()

    def lessThan(self, left: Index, right: Index) -> bool:
        """Qt: the order of two cells."""
        return bool(left.data(SORT_ROLE) < right.data(SORT_ROLE))
