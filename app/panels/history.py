"""Earlier sessions: when, which lot, how far, by whom; open or go on with one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTreeWidgetItem

from app.panels.dock import DockPanel, PanelContext, Place
from app.theme import icon
from app.widgets.panel import button, column, label, line, table
from app.wording import DASH, message_text
from inspection.session.files import SessionListing
from inspection.session.record import SessionRecord

FOLDER_ROLE = Qt.ItemDataRole.UserRole


class HistoryPanel(DockPanel):
    """Lists the sessions of the sessions folder, newest first."""

    name = "history"
    place = Place("tab", of="lot")

    def __init__(self, context: PanelContext) -> None:
        super().__init__(context)
        self._listings: Sequence[SessionListing] = ()
        self._open_id: str | None = None
        self.tree = table("", "", "", "", wide=(1,))
        self.tree.itemActivated.connect(self._open_chosen)
        self.tree.itemSelectionChanged.connect(self._sync)
        self._empty = label("muted", wrap=True)
        self._empty.setContentsMargins(14, 14, 14, 14)
        self._open, self.compare, self._refresh = button(), button(), button("flat")
        row = line(self._open, self.compare, self._refresh, None)
        row.setContentsMargins(10, 8, 10, 10)
        column(self, (self.tree, 1), self._empty, row, margin=0, gap=0)
        controller = context.controller
        self._open.clicked.connect(self._open_chosen)
        self.compare.clicked.connect(self._compare_chosen)
        self._refresh.clicked.connect(controller.writer.list_sessions)
        controller.sessions_listed.connect(self._on_listed)
        controller.session_changed.connect(self._on_session)
        self.retranslate()
        self.restyle()

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("History")

    def _on_listed(self, listings: Sequence[SessionListing]) -> None:
        self._listings = listings
        self.retranslate()

    def _on_session(self, record: SessionRecord | None) -> None:
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
            item = QTreeWidgetItem([listing.run_id, reason, DASH, self.tr("Unreadable")])
        else:
            states = {
                "pending": self.tr("Not started"),
                "processing": self.tr("Interrupted"),
                "completed": self.tr("Completed"),
                "failed": self.tr("Incomplete"),
                "cancelled": self.tr("Cancelled"),
            }
            done = sum(row.state in ("done", "skipped") for row in record.batteries)
            started = record.created_at.astimezone()
            item = QTreeWidgetItem(
                [
                    f"{started:%m-%d %H:%M}",
                    record.lot.name,
                    f"{done} / {len(record.batteries)}",
                    states[record.status],
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

    def _sync(self) -> None:
        chosen = self._chosen()
        self._open.setEnabled(chosen is not None)
        other = chosen is not None and chosen.name != self._open_id
        self.compare.setEnabled(other and self._open_id is not None)

    def _chosen(self) -> Path | None:
        items = self.tree.selectedItems()
        return Path(items[0].data(0, FOLDER_ROLE)) if items else None

    def _compare_chosen(self) -> None:
        if chosen := self._chosen():
            self.context.dialogs.show_changes(chosen)

    def _open_chosen(self) -> None:
        if chosen := self._chosen():
            self.context.controller.open_session(chosen)
