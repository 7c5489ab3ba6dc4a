"""The phrase-grounding model's boxes on the current battery."""

from __future__ import annotations

from app.review import BatteryView
from app.runner import LaneView
from app.tones import class_tone
from app.widgets.bars import Bar, Bars
from app.widgets.chip import Chip
from app.widgets.missing import MissingModel
from app.widgets.panel import Panel, column, label
from app.wording import class_text, score_text

SHOWN = 6


class VlgPanel(Panel):
    """Defects found by text queries, surest first; or why there are none."""

    def __init__(self) -> None:
        super().__init__()
        self._view: BatteryView | None = None
        layout = column(self)
        self.missing = MissingModel()
        layout.addWidget(self.missing, 1)
        self._chip = Chip()
        layout.addWidget(self._chip)
        self._boxes = Bars(name_share=0.45)
        layout.addWidget(self._boxes)
        self._more = label("muted")
        layout.addWidget(self._more)
        layout.addStretch(1)
        self.retranslate()

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("VLG boxes")

    def show_battery(self, view: BatteryView | None) -> None:
        """Show a battery."""
        self._view = view
        self.retranslate()

    def set_lane(self, view: LaneView) -> None:
        """Show the state of the lane, for batteries it has not judged."""
        self.missing.set_lane(view)

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        result = self._view.result.vlg if self._view and self._view.result else None
        self.missing.setVisible(result is None)
        for widget in (self._chip, self._boxes, self._more):
            widget.setVisible(result is not None)
        self.missing.show_battery("vlg", self._view)
        if result is None:
            return
        count = len(result.bboxes)
        self._chip.show_state(
            self.tr("Boxes: {count}").format(count=count) if count else self.tr("Nothing found"),
            "critical" if count else "success",
        )
        found = sorted(zip(result.scores, result.defect_types, strict=True), reverse=True)
        self._boxes.show_bars(
            tuple(
                Bar(class_text(name), score, class_tone(name), score_text(score, 2))
                for score, name in found[:SHOWN]
            )
        )
        left = count - SHOWN
        self._more.setText(self.tr("and {count} more").format(count=left) if left > 0 else "")
