"""What a system's panel shows while it has nothing to say of the battery: the reason."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from app.lot.review import BatteryView
from app.tones import said_tone
from app.widgets.chip import Chip
from app.widgets.panel import button, column, label
from app.wording import languages, message_text, not_yet_text, state_text
from inspection.results import SystemName, SystemState
from inspection.run.status import LaneStatus


class MissingModel(QWidget):
    """State, reason, and what to do."""

    def __init__(self) -> None:
        super().__init__()
        self.chip = Chip()
        self.reason = label("muted", wrap=True)
        self.advice = label("muted", wrap=True)
        self.install = button()
        layout = column(self, self.chip, self.reason, self.advice, self.install, None, margin=0)
        for short in (self.chip, self.install):
            layout.setAlignment(short, Qt.AlignmentFlag.AlignLeft)
        self._lane: LaneStatus | None = None
        self._shown: tuple[SystemName, BatteryView | None] | None = None

    def set_lane(self, view: LaneStatus) -> None:
        """Remember the lane's state; it stands for batteries without a word of their own."""
        self._lane = view
        self.show_battery(view.system, self._shown[1] if self._shown else None)

    def show_battery(self, system: SystemName, view: BatteryView | None) -> None:
        """Say why the system has not judged a battery."""
        self._shown = (system, view)
        state: SystemState = "queued"
        message = None
        if view is not None:
            state = view.row.systems.get(system, "queued")
            # What is queued again has nothing to say of the last time.
            if view.result is not None and state != "queued":
                message = view.result.system_messages.get(system)
        if self._lane is not None and state == "queued":
            state = self._lane.unjudged_state
            message = message or self._lane.message
        waiting = state == "queued" and (self._lane is None or self._lane.phase == "idle")
        text = not_yet_text() if waiting else state_text(state)
        self.chip.show_state(text, said_tone(state))
        # That the model itself is not installed is what the chip says.
        told = message is not None and message.code != "model_not_installed"
        reason = message_text(message) if message is not None and told else ""
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))
        own = {
            "not_installed": self.tr(
                "Install the model, or switch this system off under Inspection – Systems.",
            ),
            "off": self.tr("Switch this system on under Inspection – Systems."),
        }
        advice = [own.get(state, ""), message.hint(languages.current) if message else ""]
        self.advice.setText(" ".join(part for part in advice if part))
        self.install.setText(self.tr("Models ..."))
        unusable = message is not None and message.code.startswith(("bundle_", "model_"))
        self.install.setVisible(state == "not_installed" or (state == "failed" and unusable))
