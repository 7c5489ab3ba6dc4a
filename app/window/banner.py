"""Short words to the operator: a banner that stays until answered, toasts that pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QAbstractButton, QFrame, QLabel, QToolButton, QWidget

from app.theme import icon, tokens
from app.tones import Tone
from app.widgets.panel import button, label, line

TOAST_MS = 9000
TOAST_WIDTH = 460
TOAST_EDGE = 18
DECIDES = "decides"
"""The property of a button that nothing may cover, since a decision is taken by it."""


URGENCY: tuple[Tone, ...] = ("critical", "warning", "review", "accent", "success", "neutral")
"""Which of several lines is shown first."""

Answers = Sequence[tuple[str, Callable[[], object]]]


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    answers: Answers
    tone: Tone


class Banner(QFrame):
    """A line across the window with up to two answers; further ones wait until it is answered."""

    told = Signal(str, str)
    """Words and tone."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "banner")
        self._mark = QLabel()
        self._text = label(wrap=True)
        self.answers = (button("primary"), button())
        self._lines: dict[str, _Line] = {}
        for place, made in enumerate(self.answers):
            made.clicked.connect(partial(self._carry_out, place))
        self._close = QToolButton()
        self._close.clicked.connect(self._put_away)
        row = line(self._mark, (self._text, 1), *self.answers, self._close, gap=10)
        row.setContentsMargins(14, 7, 10, 7)
        self.setLayout(row)
        self.topic = ""
        self.hide()

    def ask(self, topic: str, text: str, answers: Answers = (), tone: Tone = "accent") -> None:
        """Show a line, or have it wait behind a more urgent one.

        Parameters
        ----------
        topic : what it is about; a line on the same topic replaces it
        answers : words of up to two buttons, and what each has done
        """
        told = self._lines.pop(topic, None)
        self._lines[topic] = _Line(text, answers, tone)
        if told is None or told.text != text:
            self.told.emit(text, tone)
        self._show_first()

    def dismiss(self, topic: str) -> None:
        """Take the line on this topic back."""
        if self._lines.pop(topic, None) is not None:
            self._show_first()

    def clear(self) -> None:
        """Take every line back."""
        self._lines.clear()
        self._show_first()

    def _show_first(self) -> None:
        # Of lines that are equally urgent, the newest.
        waiting = list(reversed(self._lines))
        self.topic = min(waiting, key=lambda t: URGENCY.index(self._lines[t].tone), default="")
        if not self.topic:
            self.hide()
            return
        first = self._lines[self.topic]
        self._text.setText(first.text)
        colour = tokens().tone(first.tone).name()
        drawn = "info" if first.tone == "accent" else "warning"
        self._mark.setPixmap(icon(drawn, colour).pixmap(18))
        self._close.setIcon(icon("close"))
        for place, made in enumerate(self.answers):
            made.setVisible(place < len(first.answers))
            made.setText(first.answers[place][0] if place < len(first.answers) else "")
        self.show()

    def _carry_out(self, place: int) -> None:
        _, order = self._lines[self.topic].answers[place]
        self._put_away()
        order()

    def _put_away(self) -> None:
        self.dismiss(self.topic)


class Toast(QFrame):
    """A sentence over a corner of the window that goes by itself, or by a click.

    The corner is the lower right one, unless that covers a button that decides.
    """

    told = Signal(str, str)
    """Words and tone."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._over = parent
        self.setProperty("role", "toast")
        self._mark = QLabel()
        self._text = label(wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._close = QToolButton()
        self._close.clicked.connect(self.hide)
        row = line(self._mark, (self._text, 1), self._close, gap=10)
        row.setContentsMargins(14, 10, 8, 10)
        for at_the_top in (self._mark, self._close):
            row.setAlignment(at_the_top, Qt.AlignmentFlag.AlignTop)
        self.setLayout(row)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.hide)
        self.hide()

    @property
    def text(self) -> str:
        """What it says, empty while hidden."""
        return self._text.text() if self.isVisible() else ""

    def tell(self, text: str, tone: Tone) -> None:
        """Show a sentence for a while."""
        self.told.emit(text, tone)
        self._text.setText(text)
        names = {"success": "accept", "accent": "info"}
        drawn = icon(names.get(tone, "warning"), tokens().tone(tone).name())
        self._mark.setPixmap(drawn.pixmap(20))
        self._close.setIcon(icon("close"))
        self.setFixedWidth(TOAST_WIDTH)
        self.adjustSize()
        self.place()
        self.show()
        self.raise_()
        self._timer.start(TOAST_MS)

    def take_back(self, text: str) -> None:
        """Hide the sentence, if it is still the one that is shown."""
        if self.text == text:
            self.hide()

    def hideEvent(self, event: QHideEvent) -> None:
        """Qt: nothing is left to time."""
        super().hideEvent(event)
        self._timer.stop()

    def place(self) -> None:
        """Stay in a corner, off the buttons that decide."""
        area = self._over.rect()
        right, left = area.right() - self.width() - TOAST_EDGE, TOAST_EDGE
        # Over the status bar, and under the tool bar.
        low, high = area.bottom() - self.height() - TOAST_EDGE - 30, TOAST_EDGE + 90
        deciding = [
            QRect(made.mapTo(self._over, QPoint()), made.size())
            for made in self._over.findChildren(QAbstractButton)
            if made.property(DECIDES) and made.isVisible() and made.window() is self._over
        ]
        corners = [QPoint(x, y) for y in (low, high) for x in (right, left)]
        free = [
            corner
            for corner in corners
            if not any(QRect(corner, self.size()).intersects(made) for made in deciding)
        ]
        self.move((free or corners)[0])
