"""Sessions compared: worded tables, read from the disk, and the dialog that shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QTreeWidget, QTreeWidgetItem, QWidget

from app.dialogs.frame import DialogFrame
from app.widgets.panel import column, fill, label, scrolling, table
from app.wording import message_text
from inspection.messages import Language, Message

if TYPE_CHECKING:
    from inspection.report.blocks import Table

LINES = 14
LINE_HEIGHT = 31
SCROLL_BAR = 12


@dataclass(frozen=True, slots=True)
class SessionTables:
    """Tables with what has to be said of them.

    Parameters
    ----------
    sessions : the names of what is compared
    """

    sessions: tuple[str, ...]
    remarks: tuple[Message, ...]
    tables: tuple[Table, ...]


def figures_of(folder: Path, language: Language) -> SessionTables:
    """Return the systems' figures over a session, and how far they agree.

    Raises
    ------
    InspectionError
        If the session cannot be read.
    """
    # Imported in the thread that reads: numpy is not needed to paint the window.
    from inspection.comparison.session import read_comparison
    from inspection.report.comparison_tables import agreement_table, conflicts_table, figures_tables
    from inspection.report.words import Words
    from inspection.session.store import open_to_read

    words = Words.of(language)
    with open_to_read(folder) as store:
        found = read_comparison(store)
    tables = [
        *figures_tables([found], words),
        agreement_table(found, words),
        conflicts_table(found, words),
    ]
    filled = tuple(table for table in tables if table.rows)
    return SessionTables((found.session.run_id,), tuple(found.remarks), filled)


def changes_between(one: Path, other: Path, language: Language) -> SessionTables:
    """Return what changed from the earlier of two sessions to the later one.

    Raises
    ------
    InspectionError
        If one of them cannot be read.
    """
    from inspection.comparison.changes import compare_sessions
    from inspection.report.comparison_tables import change_tables
    from inspection.report.words import Words
    from inspection.session.store import open_to_read

    with open_to_read(one) as first, open_to_read(other) as second:
        before, after = sorted((first, second), key=lambda store: store.record.created_at)
        changes = compare_sessions(before, after)
    remarks = (changes.problem,) if changes.problem else ()
    names = (changes.before.run_id, changes.after.run_id)
    return SessionTables(names, remarks, tuple(change_tables(changes, Words.of(language))))


class TablesDialog(DialogFrame):
    """Shows what a comparison of sessions came to."""

    def __init__(self, parent: QWidget, title: str, compared: SessionTables) -> None:
        super().__init__(parent, width=760)
        self.setWindowTitle(title)
        self.resize(900, 560)
        self._compared = compared
        self.add_text(" → ".join(compared.sessions), "section")
        remarks = "\n".join(message_text(remark) for remark in compared.remarks)
        self.remarks = self.add_text(remarks, "muted")
        self.remarks.setVisible(bool(remarks))
        inside = QWidget()
        layout = column(inside, margin=0, gap=6)
        for shown in compared.tables:
            fill(layout, label("section", text=shown.title, wrap=True), _tree(shown))
        if not compared.tables:
            layout.addWidget(label("muted", text=self.tr("There is nothing to compare.")))
        layout.addStretch(1)
        self.body.addWidget(scrolling(inside), 1)
        self.add_button(self.tr("Copy all"), self._copy)
        self.add_button(self.tr("Close"), self.accept, primary=True)

    def _copy(self) -> None:
        lines = [*self._compared.sessions]
        for shown in self._compared.tables:
            lines += ["", shown.title, "\t".join(column.title for column in shown.columns)]
            lines += ["\t".join(row) for row in shown.texts]
        QGuiApplication.clipboard().setText("\n".join(lines))


def _tree(shown: Table) -> QTreeWidget:
    right = [place for place, column in enumerate(shown.columns) if column.right]
    tree = table(*(column.title for column in shown.columns), wide=(0,) if right else ())
    items = [QTreeWidgetItem(row) for row in shown.texts]
    tree.addTopLevelItems(items)
    for item in (tree.headerItem(), *items):
        for place in right:
            item.setTextAlignment(place, Qt.AlignmentFlag.AlignRight)
    lines = min(len(items), LINES) + 1
    tree.setFixedHeight(lines * LINE_HEIGHT + SCROLL_BAR)
    return tree
