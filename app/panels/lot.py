"""The lot: its batteries, filtered and sorted, and what the intake found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QHeaderView, QLineEdit, QTableView

from app.lot.review import BatteryView, Row
from app.panels.dock import DockPanel, DockPlace, PanelContext
from app.tables.battery_delegate import HEIGHT, BatteryDelegate
from app.tables.battery_table import PASSES, ROW_ROLE, BatteryFilter, BatteryTable, Column
from app.theme import icon, tokens
from app.widgets.panel import button, column, label, line, table_view
from app.wording import kind_text, term
from inspection.records import Lot
from inspection.results import Kind

KINDS: tuple[Kind, ...] = (
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
        if event.type() == QEvent.Type.ShortcutOverride:
            assert isinstance(event, QKeyEvent)
            if event.key() in LEAVING:
                event.accept()
                return True
        return super().event(event)


class LotPanel(DockPanel):
    """Lists the batteries, and has the one that is chosen shown everywhere."""

    name = "lot"
    place = DockPlace("right", share=0.27, widest=396)

    def __init__(self, context: PanelContext) -> None:
        super().__init__(context)
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
        for name in (*PASSES, *KINDS):
            self.filter.addItem("", name)
        self.search = SearchField()
        self.search.setClearButtonEnabled(True)
        self.findings = button("flat")
        self._counts = label("muted")
        self.table = table_view(self.proxy, HEIGHT)
        self.table.setItemDelegate(BatteryDelegate(self.table))
        self.table.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        # Tab leaves the list, as it leaves every other part of the window.
        self.table.setTabKeyNavigation(False)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(44)
        header.setSectionResizeMode(Column.VERDICT, QHeaderView.ResizeMode.Stretch)
        for at, width in WIDTHS.items():
            header.resizeSection(at, width)
        # Whoever gives the panel the focus means the list.
        self.setFocusProxy(self.table)
        head = line(self.search, self.filter)
        head.setContentsMargins(10, 10, 10, 8)
        foot = line(self._counts, None, self.findings)
        foot.setContentsMargins(12, 4, 8, 4)
        column(self, head, (self.table, 1), foot, margin=0, gap=0)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(COUNT_MS)
        self._soon.timeout.connect(self._refresh_words)
        self._connect()
        self.retranslate()
        self.restyle()

    def _connect(self) -> None:
        controller, actions = self.context.controller, self.context.actions
        self.filter.currentIndexChanged.connect(self._on_filter)
        self.search.textChanged.connect(self._on_search)
        self.search.left.connect(self.table.setFocus)
        self.findings.clicked.connect(actions["findings"].trigger)
        self.table.selectionModel().currentRowChanged.connect(self._on_chosen)
        controller.lot_changed.connect(self._on_lot)
        controller.row_changed.connect(self._on_row)
        controller.current_changed.connect(self._on_current)
        controller.decisions.taken.connect(self._on_taken)
        self.table.addAction(actions["accept_next"])
        for name, order in (
            ("previous", self.step_back),
            ("next", self.step_on),
            ("suspicious", partial(self._to_next, lambda row: row.suspicious and row.undecided)),
            ("conflict", partial(self._to_next, lambda row: row.conflict)),
            ("accept_next", self._decide_and_step),
            ("find", self._find),
        ):
            actions[name].triggered.connect(order)

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("Lot")

    # -- what is shown ---------------------------------------------------------------------

    def _on_lot(self, lot: Lot, rows: Sequence[Row]) -> None:
        self._lot = lot
        self.model.set_rows(rows)
        self._refresh_words()

    def _on_row(self, row: Row) -> None:
        self.model.update_row(row)
        # Many rows may change at once; the counts are worded once for all of them.
        self._soon.start()

    def _on_current(self, view: BatteryView | None) -> None:
        """Mark the current battery, where the filter lists it."""
        number = self.model.place_of(view.row.battery_id) if view else None
        if number is None:
            return
        index = self.proxy.mapFromSource(self.model.index(number, 0))
        selection = self.table.selectionModel()
        # A list that gets the focus makes its first row the current one, but selects nothing.
        if index.isValid() and not selection.isRowSelected(index.row(), QModelIndex()):
            flags = QItemSelectionModel.SelectionFlag
            # The operator's own choice is told on; what is marked here was told already.
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
            self._choose(self._row_at(target))

    def _to_next(self, wanted: Callable[[Row], bool]) -> None:
        """Go to the next listed battery of a sort, after the last from the top again."""
        count = self.proxy.rowCount()
        start = self.table.currentIndex().row()
        places = ((start + offset) % count for offset in range(1, count + 1))
        found = next((row for row in map(self._row_at, places) if wanted(row)), None)
        if found is not None:
            self._choose(found)

    def _decide_and_step(self) -> None:
        """Go on with the current battery: accept it, ask where it is open, or leave it behind."""
        controller = self.context.controller
        row, decisions = controller.current_row(), controller.decisions
        if controller.marks.active:
            controller.marks.close_polygon()
        elif row is None or row.kind is None or decisions.coming:
            # Nothing is known to decide on yet, or the decision is not there yet.
            return
        elif row.decision is not None and not row.contradicted:
            self.step(1)
        elif decisions.may_accept:
            decisions.accept(go_on=True)
        else:
            self.context.dialogs.decide(go_on=True)

    def _on_taken(self, battery_id: str) -> None:
        # A filter may have taken it off the list, and the next one may be current already.
        if battery_id == self.context.controller.current_id:
            self.step(1)

    def _find(self) -> None:
        self.come_to_front()
        self.search.setFocus()
        self.search.selectAll()

    # -- words and colours -----------------------------------------------------------------

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        words = (  # of PASSES
            self.tr("All batteries"),
            self.tr("Suspicious"),
            self.tr("Systems disagree"),
            self.tr("Undecided"),
            term("decision_decide"),
            self.tr("Unpaired"),
        )
        for place, text in enumerate([*words, *map(kind_text, KINDS)]):
            self.filter.setItemText(place, text)
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

    def _on_chosen(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid():
            self._choose(self._row_at(current.row()))

    def _row_at(self, number: int) -> Row:
        row: Row = self.proxy.index(number, 0).data(ROW_ROLE)
        return row

    def _choose(self, row: Row) -> None:
        self.context.controller.choose(row.battery_id)
