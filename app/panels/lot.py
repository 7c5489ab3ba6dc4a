"""The lot: its batteries, filtered and sorted, and what the intake found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QHeaderView, QLineEdit, QPushButton, QTableView

from app.review import Row
from app.tables.battery_delegate import HEIGHT, BatteryDelegate
from app.tables.battery_table import ROW_ROLE, BatteryFilter, BatteryTable, Column
from app.theme import icon, tokens
from app.widgets.panel import Panel, button, column, label, line
from app.wording import kind_text
from inspection.records import Lot

FILTERS = (
    "all",
    "suspicious",
    "conflict",
    "undecided",
    "decided",
    "unpaired",
    "internal_defect",
    "external_defect",
    "composite_defect",
    "review",
    "not_inspected",
    "normal",
)
WIDTHS = {Column.BATTERY: 70, Column.SYSTEMS: 62, Column.SCORE: 46, Column.DECISION: 64}
COUNT_MS = 30
NARROWEST = 330
LEAVING = (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter)


class SearchField(QLineEdit):
    """A text field that hands the keys back to the list: Return keeps the text, Escape clears."""

    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt: a key was pressed."""
        if event.key() == Qt.Key.Key_Escape:
            self.clear()
        if event.key() in LEAVING:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Qt: Return is this field's own while it has the focus, not the window's."""
        asked = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if asked and event.key() in LEAVING:
            event.accept()
            return True
        return super().event(event)


class LotPanel(Panel):
    """Lists the batteries; the operator's choice leaves by `chosen`."""

    chosen = Signal(str)
    findings_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._lot: Lot | None = None
        self.setMinimumWidth(NARROWEST)
        self.model = BatteryTable(self)
        self.proxy = BatteryFilter(self)
        self.proxy.setSourceModel(self.model)
        self.filter = QComboBox()
        self.filter.setMinimumContentsLength(8)
        self.filter.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.search = SearchField()
        self.search.setClearButtonEnabled(True)
        self.findings: QPushButton = button("flat")
        self._counts = label("muted")
        self.table = self._table()
        layout = column(self, margin=0, gap=0)
        head = line(self.search, self.filter)
        head.setContentsMargins(10, 10, 10, 8)
        layout.addLayout(head)
        layout.addWidget(self.table, 1)
        foot = line(self._counts)
        foot.addStretch(1)
        foot.addWidget(self.findings)
        foot.setContentsMargins(12, 4, 8, 4)
        layout.addLayout(foot)
        self.filter.currentIndexChanged.connect(self._on_filter)
        self.search.textChanged.connect(self._on_search)
        self.search.left.connect(self.table.setFocus)
        self.findings.clicked.connect(self.findings_wanted)
        self.table.selectionModel().currentRowChanged.connect(self._on_current)
        for name in FILTERS:
            self.filter.addItem("", name)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(COUNT_MS)
        self._soon.timeout.connect(self._refresh_words)
        self.retranslate()
        self.restyle()

    def _table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.proxy)
        table.setItemDelegate(BatteryDelegate(table))
        table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setSortingEnabled(True)
        table.sortByColumn(Column.BATTERY, Qt.SortOrder.AscendingOrder)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.verticalHeader().hide()
        # Fixed heights keep a table of any length virtual: no row is measured.
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.verticalHeader().setDefaultSectionSize(HEIGHT)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setMinimumSectionSize(44)
        header.setSectionResizeMode(Column.VERDICT, QHeaderView.ResizeMode.Stretch)
        for at, width in WIDTHS.items():
            header.resizeSection(at, width)
        return table

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("Lot")

    # -- what is shown ---------------------------------------------------------------------

    def show_lot(self, lot: Lot | None, rows: Sequence[Row]) -> None:
        """Show a lot's batteries."""
        self._lot = lot
        self.model.set_rows(rows)
        self._refresh_words()

    def update_row(self, row: Row) -> None:
        """Show a battery's new state."""
        self.model.update_row(row)
        # Many rows may change at once; the counts are worded once for all of them.
        self._soon.start()

    def set_current(self, battery_id: str) -> None:
        """Mark the current battery, where the filter lists it."""
        number = self.model.place_of(battery_id)
        if number is None:
            return
        index = self.proxy.mapFromSource(self.model.index(number, 0))
        selection = self.table.selectionModel()
        # A list that gets the focus makes its first row the current one, but selects nothing.
        if index.isValid() and not selection.isRowSelected(index.row(), QModelIndex()):
            flags = QItemSelectionModel.SelectionFlag
            selection.blockSignals(True)
            selection.setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            selection.blockSignals(False)
            self.table.viewport().update()
        if index.isValid():
            self.table.scrollTo(index)

    def step(self, delta: int) -> None:
        """Go to the next or previous listed battery."""
        row = self.table.currentIndex().row()
        target = row + delta if row >= 0 else 0
        if 0 <= target < self.proxy.rowCount():
            self.chosen.emit(self._id_at(target))

    def next_suspicious(self) -> None:
        """Go to the next listed battery that is suspicious and undecided, from the top again."""
        self._next(lambda row: row.suspicious and row.undecided)

    def next_conflict(self) -> None:
        """Go to the next listed battery on which the systems disagree, from the top again."""
        self._next(lambda row: row.conflict)

    def _next(self, wanted: Callable[[Row], bool]) -> None:
        count = self.proxy.rowCount()
        start = self.table.currentIndex().row()
        for offset in range(1, count + 1):
            number = (start + offset) % count
            row: Row = self.proxy.index(number, 0).data(ROW_ROLE)
            if wanted(row):
                self.chosen.emit(row.battery_id)
                return

    # -- words and colours -----------------------------------------------------------------

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        words = {
            "all": self.tr("All batteries"),
            "suspicious": self.tr("Suspicious"),
            "conflict": self.tr("Systems disagree"),
            "undecided": self.tr("Undecided"),
            "decided": self.tr("Decided"),
            "unpaired": self.tr("Unpaired"),
        }
        for place, name in enumerate(FILTERS):
            self.filter.setItemText(place, words[name] if name in words else kind_text(name))
        self.search.setPlaceholderText(self.tr("Search"))
        self.model.retranslate()
        self._refresh_words()

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        self.findings.setIcon(icon("warning", tokens().warning))
        self.table.viewport().update()

    # -- inside ----------------------------------------------------------------------------

    def _refresh_words(self) -> None:
        shown, everything = self.proxy.rowCount(), self.model.rowCount()
        rows = [self.model.index(n, 0).data(ROW_ROLE) for n in range(everything)]
        decided = sum(not row.undecided for row in rows)
        text = self.tr("{shown} of {total} · decided {decided}")
        self._counts.setText(text.format(shown=shown, total=everything, decided=decided))
        count = len(self._lot.findings) if self._lot else 0
        self.findings.setVisible(bool(count))
        self.findings.setText(self.tr("Findings: {count}").format(count=count))
        self.findings.setToolTip(self.tr("Files that the intake could not take, with the reason"))

    def _on_filter(self, place: int) -> None:
        self.proxy.set_filter(self.filter.itemData(place))
        self._refresh_words()

    def _on_search(self, text: str) -> None:
        self.proxy.set_text(text)
        self._refresh_words()

    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid():
            self.chosen.emit(self._id_at(current.row()))

    def _id_at(self, number: int) -> str:
        row: Row = self.proxy.index(number, 0).data(ROW_ROLE)
        return row.battery_id
