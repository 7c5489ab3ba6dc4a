"""Tables of a comparison, below each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHeaderView, QScrollArea, QTreeWidget, QTreeWidgetItem, QWidget

from app.dialogs.frame import DialogFrame
from app.session_tables import SessionTables
from app.widgets.panel import column, label
from app.wording import message_text

if TYPE_CHECKING:
    from inspection.report.blocks import Table

LINES = 14
LINE_HEIGHT = 31
SCROLL_BAR = 12


class TablesDialog(DialogFrame):
    """Shows what a comparison of sessions came to."""

    def __init__(self, parent: QWidget, title: str, compared: SessionTables) -> None:
        super().__init__(parent, "", width=760)
        self.setWindowTitle(title)
        self.resize(900, 560)
        self._compared = compared
        names = label("section")
        names.setText(" → ".join(compared.sessions))
        self.body.addWidget(names)
        self.remarks = label("muted", wrap=True)
        self.remarks.setText("\n".join(message_text(remark) for remark in compared.remarks))
        self.remarks.setVisible(bool(compared.remarks))
        self.body.addWidget(self.remarks)
        self.body.addWidget(self._tables(), 1)
        copy = self.add_button(self.tr("Copy all"))
        copy.clicked.connect(self._on_copy)
        close = self.add_button(self.tr("Close"), primary=True)
        close.clicked.connect(self.accept)

    def _tables(self) -> QScrollArea:
        inside = QWidget()
        layout = column(inside, margin=0, gap=6)
        for table in self._compared.tables:
            title = label("section", wrap=True)
            title.setText(table.title)
            layout.addWidget(title)
            layout.addWidget(_tree(table))
        if not self._compared.tables:
            nothing = label("muted")
            nothing.setText(self.tr("There is nothing to compare."))
            layout.addWidget(nothing)
        layout.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(inside)
        # The dialog's own ground shows through.
        area.viewport().setAutoFillBackground(False)
        inside.setAutoFillBackground(False)
        return area

    def _on_copy(self) -> None:
        lines = [*self._compared.sessions]
        for table in self._compared.tables:
            lines += ["", table.title, "\t".join(column.title for column in table.columns)]
            lines += ["\t".join(row) for row in table.texts]
        QGuiApplication.clipboard().setText("\n".join(lines))


def _tree(table: Table) -> QTreeWidget:
    tree = QTreeWidget()
    tree.setRootIsDecorated(False)
    tree.setUniformRowHeights(True)
    tree.setHeaderLabels([column.title for column in table.columns])
    header = tree.header()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    right = [place for place, column in enumerate(table.columns) if column.right]
    if right:
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    for place in right:
        tree.headerItem().setTextAlignment(place, Qt.AlignmentFlag.AlignRight)
    for row in table.texts:
        item = QTreeWidgetItem(row)
        for place in right:
            item.setTextAlignment(place, Qt.AlignmentFlag.AlignRight)
        tree.addTopLevelItem(item)
    lines = min(len(table.rows), LINES) + 1
    tree.setFixedHeight(lines * LINE_HEIGHT + SCROLL_BAR)
    return tree
