"""The page without a lot: open one, drop one, take a recent one, or see the demo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.theme import icon, tokens
from app.widgets.panel import Panel, button, column, label

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
        outer = QHBoxLayout(self)
        outer.addStretch(1)
        middle = QWidget()
        middle.setFixedWidth(WIDTH)
        layout = column(middle, margin=0, gap=14)
        outer.addWidget(middle)
        outer.addStretch(1)
        self._mark = QLabel()
        self._title = label("hero")
        self._about = label("muted", wrap=True)
        self.open_button = button("primary")
        self.open_button.setMinimumHeight(30)
        self.open_button.clicked.connect(self.open_wanted)
        layout.addStretch(2)
        layout.addWidget(self._mark)
        layout.addWidget(self._title)
        layout.addWidget(self._about)
        layout.addSpacing(6)
        layout.addWidget(self._drop_card())
        self._recent_title = label("section")
        layout.addSpacing(10)
        layout.addWidget(self._recent_title)
        self._recent_box = QVBoxLayout()
        self._recent_box.setSpacing(2)
        layout.addLayout(self._recent_box)
        self._demo = label("muted", wrap=True)
        layout.addSpacing(10)
        layout.addWidget(self._demo)
        layout.addStretch(3)
        self.retranslate()
        self.restyle()

    def _drop_card(self) -> QFrame:
        card = QFrame()
        card.setProperty("role", "card")
        inner = QHBoxLayout(card)
        inner.setContentsMargins(20, 18, 20, 18)
        inner.setSpacing(16)
        self._drop_mark = QLabel()
        self._drop = label(wrap=True)
        inner.addWidget(self._drop_mark)
        inner.addWidget(self._drop, 1)
        inner.addWidget(self.open_button, 0, Qt.AlignmentFlag.AlignVCenter)
        return card

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
        while item := self._recent_box.takeAt(0):
            item.widget().deleteLater()
        for lot in self._recent:
            self._recent_box.addWidget(self._recent_button(lot))

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        colours = tokens()
        self._mark.setPixmap(icon("station", colours.accent).pixmap(QSize(48, 48)))
        self._drop_mark.setPixmap(icon("drop", colours.muted).pixmap(QSize(32, 32)))
        self.open_button.setIcon(icon("open", colours.on_accent))
        self.retranslate()

    def _recent_button(self, lot: Path) -> QPushButton:
        made = button("recent")
        made.setIcon(icon("open", tokens().muted))
        made.setText(f"{lot.name}    {lot.parent}")
        made.setToolTip(str(lot))
        made.setObjectName(str(lot))
        made.clicked.connect(self._on_recent)
        return made

    def _on_recent(self) -> None:
        self.lot_wanted.emit(Path(self.sender().objectName()))
