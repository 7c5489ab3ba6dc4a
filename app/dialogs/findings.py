"""What the intake could not take as it is: each file and its reason."""

from __future__ import annotations

from PySide6.QtCore import QSortFilterProxyModel, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLineEdit, QWidget

from app.dialogs.frame import DialogFrame
from app.tables.findings import FindingsTable
from app.widgets.panel import table_view
from inspection.records import Lot

ROW_HEIGHT = 28


class FindingsDialog(DialogFrame):
    """A searchable table of the lot's findings."""

    def __init__(self, parent: QWidget, lot: Lot) -> None:
        super().__init__(parent, width=860)
        self.setWindowTitle(self.tr("Findings of the intake"))
        self.resize(980, 560)
        self.add_text(
            self.tr(
                "Nothing is dropped in silence: each file or battery is listed with its reason."
            ),
            "muted",
        )
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search"))
        self.search.setClearButtonEnabled(True)
        self.model = FindingsTable(self, lot.findings, lot.root)
        self.proxy = QSortFilterProxyModel(self)
        self.proxy.setSourceModel(self.model)
        self.proxy.setFilterKeyColumn(-1)
        self.proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.search.textChanged.connect(self.proxy.setFilterFixedString)
        self.table = table_view(self.proxy, ROW_HEIGHT)
        # The file's name is at the end of its path.
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        header = self.table.horizontalHeader()
        header.resizeSection(0, 100)
        header.resizeSection(1, 380)
        header.setStretchLastSection(True)
        self.body.addWidget(self.search)
        self.body.addWidget(self.table, 1)
        self.copy = self.add_button(self.tr("Copy all"), self._copy)
        self.add_button(self.tr("Close"), self.accept, primary=True)

    def _copy(self) -> None:
        lines = [
            "\t".join(str(self.model.index(row, place).data()) for place in range(3))
            for row in range(self.model.rowCount())
        ]
        QGuiApplication.clipboard().setText("\n".join(lines))
