"""Base of the panels: words itself again after a switch of language, redraws after one of theme."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

MARGIN = 12
GAP = 8


class Panel(QWidget):
    """A dock's content.

    Subclasses put their words in `retranslate` and their colours in `restyle`; both are called
    by the subclass at the end of its constructor and by Qt's events afterwards.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        # A plain QWidget paints its style sheet's background only when told to.
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    def title(self) -> str:
        """Return the dock's title in the window's language."""
        raise NotImplementedError

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""

    def restyle(self) -> None:
        """Put the theme's colours in place, where the style sheet cannot."""

    def changeEvent(self, event: QEvent) -> None:
        """Qt: the language or the theme has changed."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
        elif event.type() == QEvent.Type.PaletteChange:
            self.restyle()


def column(widget: QWidget, margin: int = MARGIN, gap: int = GAP) -> QVBoxLayout:
    """Give a widget a vertical layout."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(margin, margin, margin, margin)
    layout.setSpacing(gap)
    return layout


def line(*widgets: QWidget, gap: int = GAP) -> QHBoxLayout:
    """Return a horizontal layout without margins that holds widgets."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(gap)
    for widget in widgets:
        layout.addWidget(widget)
    return layout


def label(role: str = "", *, wrap: bool = False) -> QLabel:
    """Return an empty label dressed by its role."""
    made = QLabel()
    if role:
        made.setProperty("role", role)
    made.setWordWrap(wrap)
    return made


def button(role: str = "", *, checkable: bool = False) -> QPushButton:
    """Return a button without words, dressed by its role."""
    made = QPushButton()
    if role:
        made.setProperty("role", role)
    made.setCheckable(checkable)
    made.setAutoDefault(False)
    # A click leaves the focus where it is, so that the review keys go on working.
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made


def rule() -> QFrame:
    """Return a thin horizontal line."""
    made = QFrame()
    made.setProperty("role", "rule")
    made.setFixedHeight(1)
    return made
