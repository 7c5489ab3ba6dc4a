"""Tables of a comparison, below each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QTreeWidget, QTreeWidgetItem, QWidget

from app.dialogs.frame import DialogFrame
from app.session_tables import SessionTables
from app.widgets.panel import column, fill, label, scrolling, table
from app.wording import message_text

if TYPE_CHECKING:
    from inspection.report.blocks import Table

LINES = 14
LINE_HEIGHT = 31
SCROLL_BAR = 12


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
