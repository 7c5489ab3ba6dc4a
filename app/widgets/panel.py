"""Base of the panels: words itself again after a switch of language, redraws after one of theme."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QAbstractItemModel, QEvent, Qt
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QTableView,
    QTreeWidget,
    QVBoxLayout,
    QWidget,
)

MARGIN = 12
GAP = 8

Part = QWidget | QLayout | int | None | tuple[QWidget | QLayout, int]
"""What a layout holds: a number is room in pixels, None a spring; a number beside is a stretch."""


class Panel(QWidget):
    """A part of the window with words and colours of its own.

    Subclasses put their words in `retranslate` and their colours in `restyle`; both are called
    by the subclass at the end of its constructor and by Qt's events afterwards.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        # A plain QWidget paints its style sheet's background only when told to.
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

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


def column(widget: QWidget, *parts: Part, margin: int = MARGIN, gap: int = GAP) -> QVBoxLayout:
    """Give a widget a vertical layout that holds parts."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(margin, margin, margin, margin)
    layout.setSpacing(gap)
    fill(layout, *parts)
    return layout


def line(*parts: Part, gap: int = GAP) -> QHBoxLayout:
    """Return a horizontal layout without margins that holds parts."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(gap)
    fill(layout, *parts)
    return layout


def fill(layout: QBoxLayout, *parts: Part) -> None:
    """Add parts to a layout: one after the other, a number of pixels leaves room between two."""
    for part in parts:
        held, stretch = part if isinstance(part, tuple) else (part, 0)
        if isinstance(held, QWidget):
            layout.addWidget(held, stretch)
        elif isinstance(held, QLayout):
            layout.addLayout(held, stretch)
        elif held is None:
            layout.addStretch(1)
        else:
            layout.addSpacing(held)


def label(role: str = "", *, text: str = "", wrap: bool = False) -> QLabel:
    """Return a label dressed by its role."""
    made = QLabel(text)
    if role:
        made.setProperty("role", role)
    made.setWordWrap(wrap)
    return made


def button(role: str = "", *, text: str = "", checkable: bool = False) -> QPushButton:
    """Return a button dressed by its role."""
    made = QPushButton(text)
    if role:
        made.setProperty("role", role)
    made.setCheckable(checkable)
    made.setAutoDefault(False)
    # A click leaves the focus where it is, so that the review keys go on working.
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made


def let_select(made: QLabel) -> None:
    """Let a label's words be selected; they are shown as they are."""
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)


def dress(made: QLabel, text: str, role: str) -> None:
    """Give a label other words in another role."""
    made.setText(text)
    made.setProperty("role", role)
    # A style sheet looks at properties only when it is put on.
    made.style().polish(made)


def rule() -> QFrame:
    """Return a thin horizontal line."""
    made = QFrame()
    made.setProperty("role", "rule")
    made.setFixedHeight(1)
    return made


def scrolling(inside: QWidget) -> QScrollArea:
    """Return an area in which a widget scrolls, on the ground of what is around it."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setWidget(inside)
    # Either would paint a ground of its own over that of the dialog or panel.
    area.viewport().setAutoFillBackground(False)
    inside.setAutoFillBackground(False)
    return area


def table_view(model: QAbstractItemModel, row_height: int) -> QTableView:
    """Return a sorted list of a model's rows."""
    made = QTableView()
    made.setModel(model)
    made.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
    made.setShowGrid(False)
    made.setWordWrap(False)
    made.setSortingEnabled(True)
    made.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    made.verticalHeader().hide()
    # Fixed heights keep a table of any length virtual: no row is measured.
    made.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    made.verticalHeader().setDefaultSectionSize(row_height)
    left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    made.horizontalHeader().setDefaultAlignment(left)
    return made


def table(*headers: str, wide: Collection[int] = ()) -> QTreeWidget:
    """Return a list with columns, which are as wide as their content.

    Parameters
    ----------
    wide : columns that share the room that is left; where there are none, the last has it
    """
    made = QTreeWidget()
    made.setRootIsDecorated(False)
    # Rows of one height need not be measured one by one.
    made.setUniformRowHeights(True)
    made.setHeaderLabels(headers)
    made.header().setStretchLastSection(not wide)
    made.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    for place in wide:
        made.header().setSectionResizeMode(place, QHeaderView.ResizeMode.Stretch)
    return made
