"""Earlier sessions: when, which lot, how far, by whom; open or go on with one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHeaderView, QPushButton, QTreeWidget, QTreeWidgetItem

from app.theme import icon
from app.widgets.panel import Panel, button, column, label, line
from app.wording import DASH, message_text
from inspection.results import SessionRecord, SessionStatus
from inspection.session.store import SessionListing

FOLDER_ROLE = Qt.ItemDataRole.UserRole


class HistoryPanel(Panel):
    """Lists the sessions of the sessions folder, newest first."""

    open_wanted = Signal(object)
    refresh_wanted = Signal()
    compare_wanted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._listings: Sequence[SessionListing] = ()
        self._open_id: str | None = None
        layout = column(self, margin=0, gap=0)
        self.tree = QTreeWidget()
        self.tree.setRootIsDecorated(False)
        self.tree.setUniformRowHeights(True)
        self.tree.setColumnCount(4)
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.tree.itemActivated.connect(self._on_activated)
        self.tree.itemSelectionChanged.connect(self._sync)
        layout.addWidget(self.tree, 1)
        self._empty = label("muted", wrap=True)
        self._empty.setContentsMargins(14, 14, 14, 14)
        layout.addWidget(self._empty)
        self._open: QPushButton = button()
        self._refresh: QPushButton = button("flat")
        self.compare: QPushButton = button()
        row = line(self._open, self.compare, self._refresh)
        row.addStretch(1)
        row.setContentsMargins(10, 8, 10, 10)
        layout.addLayout(row)
        self._open.clicked.connect(self._on_open)
        self.compare.clicked.connect(self._on_compare)
        self._refresh.clicked.connect(self.refresh_wanted)
        self.retranslate()
        self.restyle()

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("History")

    def show_sessions(self, listings: Sequence[SessionListing]) -> None:
        """Show the sessions."""
        self._listings = listings
        self.retranslate()

    def set_open(self, record: SessionRecord | None) -> None:
        """Mark the session that is open."""
        self._open_id = record.run_id if record else None
        self.retranslate()

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        self.tree.setHeaderLabels(
            [self.tr("Started"), self.tr("Lot"), self.tr("Done"), self.tr("State")]
        )
        self._open.setText(self.tr("Open session"))
        self.compare.setText(self.tr("Compare"))
        self.compare.setToolTip(self.tr("What changed between this session and the one open"))
        self._refresh.setText(self.tr("Refresh"))
        self._empty.setText(self.tr("No session has been saved on this station yet."))
        self._empty.setVisible(not self._listings)
        self.tree.clear()
        for listing in self._listings:
            self.tree.addTopLevelItem(self._item(listing))
        self._sync()

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        self._refresh.setIcon(icon("retry"))

    def _item(self, listing: SessionListing) -> QTreeWidgetItem:
        record = listing.record
        if record is None:
            reason = message_text(listing.problem) if listing.problem else DASH
            item = QTreeWidgetItem([listing.run_id, reason, DASH, self._unreadable()])
        else:
            done = sum(row.state in ("done", "skipped") for row in record.batteries)
            started = record.created_at.astimezone()
            item = QTreeWidgetItem(
                [
                    f"{started:%m-%d %H:%M}",
                    record.lot.name,
                    f"{done} / {len(record.batteries)}",
                    self._status(record.status),
                ]
            )
            told = [record.run_id, record.lot.path]
            told += [record.operator] if record.operator else []
            for place in range(4):
                item.setToolTip(place, "\n".join(told))
        item.setData(0, FOLDER_ROLE, str(listing.folder))
        if listing.run_id == self._open_id:
            for place in range(4):
                font = item.font(place)
                font.setBold(True)
                item.setFont(place, font)
        return item

    def _unreadable(self) -> str:
        return self.tr("Unreadable")

    def _status(self, status: SessionStatus) -> str:
        return {
            "pending": self.tr("Not started"),
            "processing": self.tr("Interrupted"),
            "completed": self.tr("Completed"),
            "failed": self.tr("Incomplete"),
            "cancelled": self.tr("Cancelled"),
        }[status]

    def _sync(self) -> None:
        chosen = self._chosen()
        self._open.setEnabled(chosen is not None)
        other = chosen is not None and chosen.name != self._open_id
        self.compare.setEnabled(other and self._open_id is not None)

    def _chosen(self) -> Path | None:
        items = self.tree.selectedItems()
        return Path(items[0].data(0, FOLDER_ROLE)) if items else None

    def _on_compare(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            self.compare_wanted.emit(chosen)

    def _on_open(self) -> None:
        for item in self.tree.selectedItems():
            self._on_activated(item)

    def _on_activated(self, item: QTreeWidgetItem) -> None:
        self.open_wanted.emit(Path(item.data(0, FOLDER_ROLE)))
