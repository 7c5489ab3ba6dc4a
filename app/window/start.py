"""The page without a lot: open one, drop one, take a recent one, or see the demo."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.theme import icon, tokens
from app.widgets.panel import Panel, button, column, fill, label, line

WIDTH = 620
SHOWN = 5


class StartPage(Panel):
    """Shown until a lot is open."""

    open_wanted = Signal()
    lot_wanted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "page")
        self._recent: tuple[Path, ...] = ()
        self._mark = QLabel()
        self._title = label("hero")
        self._about = label("muted", wrap=True)
        self._drop_mark = QLabel()
        self._drop = label(wrap=True)
        self.open_button = button("primary")
        self.open_button.setMinimumHeight(30)
        self.open_button.clicked.connect(self.open_wanted)
        card = QFrame()
        card.setProperty("role", "card")
        inner = line(self._drop_mark, (self._drop, 1), self.open_button, gap=16)
        inner.setContentsMargins(20, 18, 20, 18)
        inner.setAlignment(self.open_button, Qt.AlignmentFlag.AlignVCenter)
        card.setLayout(inner)
        self._recent_title = label("section")
        self._recent_box = QVBoxLayout()
        self._recent_box.setSpacing(2)
        self._demo = label("muted", wrap=True)
        middle = QWidget()
        middle.setFixedWidth(WIDTH)
        layout = column(middle, margin=0, gap=14)
        layout.addStretch(2)
        fill(layout, self._mark, self._title, self._about, 6, card)
        fill(layout, 10, self._recent_title, self._recent_box, 10, self._demo)
        layout.addStretch(3)
        outer = QHBoxLayout(self)
        fill(outer, None, middle, None)
        self.retranslate()
        self.restyle()

    def show_recent(self, lots: Sequence[str]) -> None:
        """Offer the lots that were opened last."""
        self._recent = tuple(Path(name) for name in lots)[:SHOWN]
        self.retranslate()

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        self._title.setText(self.tr("Battery inspection station"))
        self._about.setText(
            self.tr(
                "Open a lot folder. Every battery is judged here on this machine by CT and "
                "exterior views; you decide, and export the report."
            )
        )
        self._drop.setText(self.tr("Drop a lot folder anywhere in this window, or choose one."))
        self.open_button.setText(self.tr("Open lot ..."))
        self._demo.setText(
            self.tr("No lot at hand? “station demo” makes one with 74 batteries and inspects it.")
        )
        self._recent_title.setText(self.tr("Recent lots"))
        self._recent_title.setVisible(bool(self._recent))
        # The recent lots change while the page is shown: their buttons are made anew.
        while item := self._recent_box.takeAt(0):
            if (old := item.widget()) is not None:
                old.deleteLater()
        for lot in self._recent:
            made = button("recent", text=f"{lot.name}    {lot.parent}")
            made.setIcon(icon("open", tokens().muted))
            made.setToolTip(str(lot))
            made.clicked.connect(partial(self.lot_wanted.emit, lot))
            self._recent_box.addWidget(made)

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        colours = tokens()
        self._mark.setPixmap(icon("station", colours.accent).pixmap(QSize(48, 48)))
        self._drop_mark.setPixmap(icon("drop", colours.muted).pixmap(QSize(32, 32)))
        self.open_button.setIcon(icon("open", colours.on_accent))
        self.retranslate()
