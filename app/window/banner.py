"""Short words to the operator: a banner that stays until answered, toasts that pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QFrame, QLabel, QToolButton, QWidget

from app.theme import icon, tokens
from app.tones import Tone
from app.widgets.panel import button, label, line

TOAST_MS = 9000
TOAST_WIDTH = 460
TOAST_EDGE = 18


class Banner(QFrame):
    """A line across the window with up to two answers."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "banner")
        self._mark = QLabel()
        self._text = label(wrap=True)
        self.answers = (button("primary"), button())
        self._orders: list[Callable[[], object]] = []
        for place, made in enumerate(self.answers):
            made.clicked.connect(partial(self._carry_out, place))
        self._close = QToolButton()
        self._close.clicked.connect(self.hide)
        row = line(self._mark, (self._text, 1), *self.answers, self._close, gap=10)
        row.setContentsMargins(14, 7, 10, 7)
        self.setLayout(row)
        self.topic = ""
        self.hide()

    def ask(
        self,
        topic: str,
        text: str,
        answers: Sequence[tuple[str, Callable[[], object]]] = (),
        tone: Tone = "accent",
    ) -> None:
        """Show a line.

        Parameters
        ----------
        topic : what it is about; a line on the same topic replaces it
        answers : words of up to two buttons, and what each has done
        """
        self.topic = topic
        self._text.setText(text)
        colour = tokens().tone(tone).name()
        self._mark.setPixmap(icon("info" if tone == "accent" else "warning", colour).pixmap(18))
        self._close.setIcon(icon("close"))
        self._orders = [order for _, order in answers]
        for place, made in enumerate(self.answers):
            made.setVisible(place < len(answers))
            made.setText(answers[place][0] if place < len(answers) else "")
        self.show()

    def dismiss(self, topic: str) -> None:
        """Hide the line if it is about this topic."""
        if self.topic == topic:
            self.hide()

    def _carry_out(self, place: int) -> None:
        self.hide()
        self._orders[place]()


class Toast(QFrame):
    """A sentence over the window's lower right corner that goes by itself, or by a click."""

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
        """Stay in the corner."""
        area = self._over.rect()
        self.move(
            area.right() - self.width() - TOAST_EDGE,
            # Over the status bar.
            area.bottom() - self.height() - TOAST_EDGE - 30,
        )
