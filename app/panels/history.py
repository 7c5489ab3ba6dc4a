"""Earlier sessions: when, which lot, how far, by whom; open or go on with one."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QTreeWidgetItem

from app.panels.dock import DockPanel, DockPlace, PanelContext
from app.theme import icon, tokens
from app.widgets.panel import button, column, label, line, table
from app.wording import DASH, holder_text, message_text
from inspection.session.files import Glance, SessionListing, glance
from inspection.session.record import SessionRecord

log = logging.getLogger(__name__)

FOLDER_ROLE = Qt.ItemDataRole.UserRole
GLANCE_MS = 3000
"""How often it is looked whether sessions have come, or are written by others."""
REST = 10
"""For how many times as long as a look took there is none."""


class HistoryPanel(DockPanel):
    """Lists the sessions of the sessions folder, newest first."""

    name = "history"
    place = DockPlace("tab", of="lot")

    def __init__(self, context: PanelContext) -> None:
        super().__init__(context)
        self._listings: Sequence[SessionListing] = ()
        self._open_id: str | None = None
        self._glance: Glance | None = None
        self._looking, self._began = False, 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(GLANCE_MS)
        self._timer.timeout.connect(self._look)
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
        if listings != self._listings:
            self._listings = listings
            self.retranslate()

    def _look(self) -> None:
        """Look who writes which session; none is read for that."""
        controller = self.context.controller
        if not self._looking:
            self._looking, self._began = True, time.monotonic()
            work = partial(glance, controller.writer.sessions_dir)
            controller.files.submit(work, self._on_glance, self._on_no_glance)

    def _on_glance(self, found: Glance) -> None:
        # A slow share is not asked all the time.
        took = round(1000 * (time.monotonic() - self._began))
        self._timer.setInterval(max(GLANCE_MS, REST * took))
        before, self._glance, self._looking = self._glance, found, False
        now = dict(found)
        # An older program, which says nothing of itself, is seen when the sessions are listed.
        known = {
            x.run_id: x.holder if x.holder and x.holder.since else None for x in self._listings
        }
        told = all(now.get(name) == holder for name, holder in known.items())
        if not told or (before is not None and found != before):
            self.context.controller.writer.list_sessions()

    def _on_no_glance(self, error: Exception) -> None:
        # A share that is away for a moment; the list, when it is asked for, says so.
        log.warning("the sessions cannot be looked at: %s", error)
        self._looking = False

    def showEvent(self, event: QShowEvent) -> None:
        """Qt: what is seen is kept up to date."""
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Qt: nobody looks."""
        super().hideEvent(event)
        self._timer.stop()

    def _on_session(self, record: SessionRecord | None) -> None:
        self._open_id = record.run_id if record else None
        # It grows while it is open, here or elsewhere.
        self._listings = [
            replace(listing, record=record) if listing.run_id == self._open_id else listing
            for listing in self._listings
        ]
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
            state = states[record.status]
            if listing.live:
                state = self.tr("Live")
            elif listing.holder is not None and record.status == "processing":
                state = self.tr("Running")
            item = QTreeWidgetItem(
                [
                    f"{started:%m-%d %H:%M}",
                    record.lot.name,
                    f"{done} / {len(record.batteries)}",
                    state,
                ]
            )
            if listing.live:
                item.setIcon(3, icon("start", tokens().accent))
            told = [record.run_id, record.lot.path]
            told += [record.operator] if record.operator else []
            if listing.run_id != self._open_id:
                # Every battery's file would have to be read, of every session, on a share.
                told.append(self.tr("As its file says; verified when it is opened"))
            if listing.live and listing.holder is not None:
                since = listing.holder.told["since"]
                told.append(self.tr("Being written {by}").format(by=holder_text(listing.holder)))
                told += [since] if since else []
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
