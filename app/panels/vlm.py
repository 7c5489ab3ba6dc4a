"""The vision-language model's judgement of the current battery."""

from __future__ import annotations

from PySide6.QtCore import Qt

from app.review import BatteryView
from app.runner import LaneView
from app.tones import Tone
from app.widgets.bars import Bar, Bars
from app.widgets.chip import Chip
from app.widgets.missing import MissingModel
from app.widgets.panel import Panel, column, label, line
from app.wording import class_text, score_text


class VlmPanel(Panel):
    """Judgement, defect type, confidence and explanation; or why there is none."""

    def __init__(self) -> None:
        super().__init__()
        self._view: BatteryView | None = None
        layout = column(self)
        self.missing = MissingModel()
        layout.addWidget(self.missing, 1)
        self._chip = Chip()
        self._type = label()
        head = line(self._chip, self._type)
        head.addStretch(1)
        layout.addLayout(head)
        self._confidence = Bars(name_share=0.3)
        layout.addWidget(self._confidence)
        self._explanation = label(wrap=True)
        self._explanation.setTextFormat(Qt.TextFormat.PlainText)
        self._explanation.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(self._explanation)
        layout.addStretch(1)
        self.retranslate()

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("VLM judgement")

    def show_battery(self, view: BatteryView | None) -> None:
        """Show a battery."""
        self._view = view
        self.retranslate()

    def set_lane(self, view: LaneView) -> None:
        """Show the state of the lane, for batteries it has not judged."""
        self.missing.set_lane(view)

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        result = self._view.result.vlm if self._view and self._view.result else None
        self.missing.setVisible(result is None)
        for widget in (self._chip, self._type, self._confidence, self._explanation):
            widget.setVisible(result is not None)
        self.missing.show_battery("vlm", self._view)
        if result is None:
            return
        tones: dict[str, Tone] = {"normal": "success", "defect": "critical", "review": "review"}
        words = {
            "normal": self.tr("Normal"),
            "defect": self.tr("Defect"),
            "review": self.tr("Review"),
        }
        self._chip.show_state(words[result.prediction], tones[result.prediction])
        self._type.setText(class_text(result.defect_type) if result.defect_type else "")
        self._explanation.setText(result.explanation)
        self._confidence.show_bars(
            (
                Bar(
                    self.tr("Confidence"),
                    result.confidence,
                    "accent",
                    score_text(result.confidence, 2),
                ),
            )
        )
