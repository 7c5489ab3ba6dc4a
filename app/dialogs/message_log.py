"""The list of everything that was told: problems, toasts and banners, to be read again."""

from __future__ import annotations

from PySide6.QtCore import QSortFilterProxyModel, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLineEdit, QWidget

from app.dialogs.frame import DialogFrame
from app.message_log import MessageLog
from app.tables.messages import MessagesTable
from app.widgets.panel import label, table_view

ROW_HEIGHT = 28


class MessageLogDialog(DialogFrame):
    """A searchable table of messages; the whole of the chosen one below it."""

    def __init__(self, parent: QWidget, log: MessageLog) -> None:
        super().__init__(parent, width=760)
        self.setWindowTitle(self.tr("Messages"))
        self.resize(980, 520)
        self._log = log
        self.add_text(
            self.tr("Everything that was told since the window was opened, the newest first."),
            "muted",
        )
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search"))
        self.search.setClearButtonEnabled(True)
        self.model = MessagesTable(self, log.told)
        self.proxy = QSortFilterProxyModel(self)
        self.proxy.setSourceModel(self.model)
        self.proxy.setFilterKeyColumn(-1)
        self.proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.search.textChanged.connect(self.proxy.setFilterFixedString)
        self.table = table_view(self.proxy, ROW_HEIGHT)
        # In the order in which it was told: several things may be told within a second.
        self.table.setSortingEnabled(False)
        self.proxy.sort(-1)
        header = self.table.horizontalHeader()
        header.resizeSection(0, 200)
        header.resizeSection(1, 140)
        header.setStretchLastSection(True)
        self.whole = label(wrap=True)
        self.whole.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.whole.setTextFormat(Qt.TextFormat.PlainText)
        self.table.selectionModel().currentRowChanged.connect(self._on_row)
        self.body.addWidget(self.search)
        self.body.addWidget(self.table, 1)
        self.body.addWidget(self.whole)
        self.copy = self.add_button(self.tr("Copy all"), self._copy)
        self.add_button(self.tr("Close"), self.accept, primary=True)
        log.added.connect(self._on_added)
        self.table.selectRow(0)

    def _on_row(self, *_rows: object) -> None:
        row = self.table.currentIndex().row()
        self.whole.setText(self.proxy.index(row, 2).data() or "" if row >= 0 else "")

    def _on_added(self) -> None:
        self.model.show_all(self._log.told)

    def _copy(self) -> None:
        lines = [
            "\t".join(str(self.model.index(row, place).data()) for place in range(3))
            for row in range(self.model.rowCount())
        ]
        QGuiApplication.clipboard().setText("\n".join(lines))
