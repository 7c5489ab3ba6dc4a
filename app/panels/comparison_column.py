"""One system's word on an image, in the form that all three share."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPlainTextEdit

from app.panels.demo_note import DemoModels
from app.tones import class_tone, said_tone
from app.widgets.chip import Chip
from app.widgets.grey_display import GreyDisplay
from app.widgets.layers import Layers
from app.widgets.panel import Panel, column, label, line
from app.widgets.picture_view import PictureView
from app.widgets.pictures import Picture
from app.wording import (
    class_text,
    judgement_text,
    message_text,
    score_text,
    state_text,
    system_text,
)
from inspection.agreement.cells import Cell
from inspection.records import Rect
from inspection.results import SystemName, SystemState

WORDS_HEIGHT = 92
SMALLEST = (150, 110)
HEAT_STRENGTH = 0.5


class ComparisonColumn(Panel):
    """Name, time, judgement, type, picture with the system's boxes, and its words.

    Parameters
    ----------
    system : whose word
    layers : what is laid over its picture
    display : level and width of CT pictures
    demo : tells whether it judges with a demo model
    """

    def __init__(
        self, system: SystemName, layers: Layers, display: GreyDisplay, demo: DemoModels
    ) -> None:
        super().__init__()
        self.setProperty("role", "")
        self._demo = demo
        demo.changed.connect(self.retranslate)
        self._system: SystemName = system
        self._cell: Cell | None = None
        self._state: SystemState = "queued"
        self._details: tuple[str, ...] = ()
        self._name = label("section")
        self.seconds = label("muted")
        self.chip = Chip()
        self.type = Chip(solid=False)
        self.stage = PictureView(layers, display, HEAT_STRENGTH)
        self.stage.setMinimumSize(*SMALLEST)
        self.words = QPlainTextEdit()
        self.words.setReadOnly(True)
        self.words.setTabChangesFocus(True)
        # A click leaves the focus where it is, so that the review keys go on working.
        self.words.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.words.setFixedHeight(WORDS_HEIGHT)
        head = line(self._name, None, self.seconds)
        column(self, head, self.chip, self.type, (self.stage, 1), self.words, margin=0, gap=5)
        self.retranslate()

    def show_cell(self, cell: Cell | None, state: SystemState, details: tuple[str, ...]) -> None:
        """Show what the system says of the image.

        Parameters
        ----------
        cell : None while nothing is compared
        state : the system's on the battery, for where it says nothing of the image
        details : lines of what only this system gives
        """
        self._cell, self._state, self._details = cell, state, details
        self.retranslate()

    def show_picture(self, picture: Picture | None, frame: Rect | None = None) -> None:
        """Show the image with the system's boxes; the heat-map is the ensemble's alone.

        Parameters
        ----------
        frame : what is in sight at first, the same in every column
        """
        if picture is None:
            self.stage.clear()
            return
        if self._system != "ensemble":
            picture = replace(picture, heat=None, heat_roi=None)
        self.stage.show_picture(picture, list(self._cell.boxes) if self._cell else [], frame)

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        name = system_text(self._system)
        if self._system in self._demo.names:
            name = self.tr("{name} (demo)").format(name=name)
        self._name.setText(name)
        cell = self._cell
        self.seconds.setText("")
        self.type.show_state("", "neutral")
        if cell is None:
            self.chip.show_state(state_text(self._state), said_tone(self._state))
            self.words.setPlainText("")
            return
        if cell.judgement is not None:
            self.chip.show_state(judgement_text(cell.judgement), said_tone(cell.judgement))
        else:
            state = "failed" if cell.state == "failed" else self._state
            text = self.tr("Not looked at") if state == "done" else state_text(state)
            tone = "neutral" if state == "done" else said_tone(state)
            self.chip.show_state(text, tone)
        if cell.defect_type is not None:
            self.type.show_state(class_text(cell.defect_type), class_tone(cell.defect_type))
        if cell.seconds is not None:
            self.seconds.setText(self.tr("{seconds} s").format(seconds=f"{cell.seconds:.1f}"))
        lines = []
        if cell.confidence is not None:
            score = score_text(cell.confidence, 2)
            lines.append(self.tr("Confidence {score}").format(score=score))
        if cell.reason is not None:
            lines.append(message_text(cell.reason))
        if cell.explanation:
            lines.append(cell.explanation)
        self.words.setPlainText("\n".join([*lines, *self._details]))
