"""Short words to the operator: a banner that stays until answered, toasts that pass."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from app.theme import icon, tokens
from app.tones import Tone
from app.widgets.panel import button, label

TOAST_MS = 9000
TOAST_WIDTH = 460
TOAST_EDGE = 18


class Banner(QFrame):
    """A line across the window with up to two answers."""

    answered = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "banner")
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 7, 10, 7)
        row.setSpacing(10)
        self._mark = QLabel()
        self._text = label(wrap=True)
        row.addWidget(self._mark)
        row.addWidget(self._text, 1)
        self._buttons = []
        for place in range(2):
            made = button("primary" if place == 0 else "")
            made.clicked.connect(self._on_answer)
            self._buttons.append(made)
            row.addWidget(made)
        self._close = QToolButton()
        self._close.clicked.connect(self.hide)
        row.addWidget(self._close)
        self.topic = ""
        self.hide()

    def ask(
        self, topic: str, text: str, answers: list[tuple[str, str]], tone: Tone = "accent"
    ) -> None:
        """Show a line; an answer leaves by `answered` under its name.

        Parameters
        ----------
        topic : what it is about; a line on the same topic replaces it
        answers : (name, words) of up to two buttons
        """
        self.topic = topic
        self._text.setText(text)
        colour = tokens().tone(tone).name()
        self._mark.setPixmap(icon("info" if tone == "accent" else "warning", colour).pixmap(18))
        self._close.setIcon(icon("close"))
        for made, answer in zip(self._buttons, [*answers, None, None], strict=False):
            made.setVisible(answer is not None)
            if answer is not None:
                made.setObjectName(answer[0])
                made.setText(answer[1])
        self.show()

    def dismiss(self, topic: str) -> None:
        """Hide the line if it is about this topic."""
        if self.topic == topic:
            self.hide()

    def _on_answer(self) -> None:
        name = self.sender().objectName()
        self.hide()
        self.answered.emit(name)


class Toast(QFrame):
    """A sentence over the window's lower right corner that goes by itself, or by a click."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "toast")
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 10, 8, 10)
        row.setSpacing(10)
        self._mark = QLabel()
        self._text = label(wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._close = QToolButton()
        self._close.clicked.connect(self.hide)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._text, 1)
        row.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
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
        area = self.parentWidget().rect()
        self.move(
            area.right() - self.width() - TOAST_EDGE,
            area.bottom() - self.height() - TOAST_EDGE - 30,
        )
