"""The status bar: a chip per lane, the session, the operator."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QStatusBar, QToolButton

from app.theme import icon
from app.tones import Tone, said_tone
from app.widgets.chip import Chip
from app.widgets.panel import label
from app.wording import message_text, system_text
from inspection.results import SYSTEMS
from inspection.run.status import LaneStatus
from inspection.session.record import SessionRecord
from inspection.session.seal import SealReport, SealState

SEALS: dict[SealState, Tone] = {
    "sealed": "success",
    "unknown_key": "warning",
    "unsealed": "neutral",
    "altered": "critical",
}
TOLD = 12
"""Places of an altered session in a tool tip; the messages have them all."""


class StationStatus(QStatusBar):
    """What the station is at, at any moment."""

    def __init__(self, operator: QAction, hand_over: QAction) -> None:
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
        self.seal = Chip(solid=False)
        self._seal: SealReport | None = None
        self.addPermanentWidget(self.seal)
        self._session = label("muted")
        self.addPermanentWidget(self._session)
        self.operator = QToolButton()
        self.operator.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        # Only one of them is there: a name is asked for, or a PIN.
        self.operator.clicked.connect(operator.trigger)
        self.operator.clicked.connect(hand_over.trigger)
        self.operator.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.addPermanentWidget(self.operator)
        self.retranslate()
        self.restyle()

    def set_lane(self, view: LaneStatus) -> None:
        """Show a lane's state."""
        self._lanes[view.system] = view
        self.retranslate()

    def set_session(self, record: SessionRecord | None, seal: SealReport | None) -> None:
        """Show which session is open, and what can be vouched for of it."""
        self._record, self._seal = record, seal
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
        self.seal.setVisible(self._seal is not None)
        if self._seal is not None:
            state = message_text(self._seal.message)
            self.seal.show_state(state, SEALS[self._seal.state])
            told = [message_text(problem) for problem in self._seal.problems[:TOLD]]
            more = len(self._seal.problems) - len(told)
            told += [self.tr("... and {count} more").format(count=more)] if more else []
            keys = [self.tr("Key {key}").format(key=key) for key in self._seal.keys]
            self.seal.setToolTip("\n".join([state, *told, *keys]))
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
