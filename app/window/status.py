"""The status bar: a chip per lane, the session, the operator."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QStatusBar, QToolButton

from app.theme import icon
from app.tones import said_tone
from app.widgets.chip import Chip
from app.widgets.panel import label
from app.wording import message_text, system_text
from inspection.results import SYSTEMS
from inspection.run.status import LaneStatus
from inspection.session.record import SessionRecord


class StationStatus(QStatusBar):
    """What the station is at, at any moment."""

    def __init__(self, operator: QAction) -> None:
        super().__init__()
        # The desktop's frame has one.
        self.setSizeGripEnabled(False)
        self.setContentsMargins(8, 2, 8, 2)
        self._lanes = {system: LaneStatus(system, "idle") for system in SYSTEMS}
        self._record: SessionRecord | None = None
        self._operator = ""
        self.chips = {system: Chip(solid=False) for system in SYSTEMS}
        for chip in self.chips.values():
            self.addWidget(chip)
        self._session = label("muted")
        self.addPermanentWidget(self._session)
        self.operator = QToolButton()
        self.operator.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.operator.clicked.connect(operator.trigger)
        self.operator.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.addPermanentWidget(self.operator)
        self.retranslate()
        self.restyle()

    def set_lane(self, view: LaneStatus) -> None:
        """Show a lane's state."""
        self._lanes[view.system] = view
        self.retranslate()

    def set_session(self, record: SessionRecord | None) -> None:
        """Show which session is open."""
        self._record = record
        self.retranslate()

    def set_operator(self, name: str) -> None:
        """Show who decides."""
        self._operator = name
        self.retranslate()

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        words = {
            "idle": self.tr("idle"),
            "loading": self.tr("loading model ..."),
            "ready": self.tr("ready"),
            "running": self.tr("running"),
            "failed": self.tr("failed"),
            "not_installed": self.tr("not installed"),
            "off": self.tr("off"),
        }
        for system, view in self._lanes.items():
            device = f" · {view.device.upper()}" if view.device else ""
            text = f"{system_text(system)}: {words[view.phase]}{device}"
            self.chips[system].show_state(text, said_tone(view.phase))
            if view.message is not None:
                self.chips[system].setToolTip(message_text(view.message))
        self._session.setText(
            self.tr("Session {id}").format(id=self._record.run_id)
            if self._record
            else self.tr("No session yet")
        )
        unnamed = self.tr("Operator not named")
        self.operator.setText(self._operator or unnamed)

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        self.operator.setIcon(icon("person"))
