"""Greys of CT pictures to choose from: what a scanner's own viewer has buttons for."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from app.widgets.grey_display import Grey, GreyDisplay
from app.widgets.grey_image import GreyImage

MIDDLE = (0.5, 99.5)
"""Percentiles of a picture's values that become black and white."""


class GreyMenu(QMenu):
    """Sets level and width of every CT picture; the first is how it was inspected.

    Parameters
    ----------
    display : of the window
    shown : the picture that is looked at
    """

    def __init__(
        self, parent: QWidget, display: GreyDisplay, shown: Callable[[], GreyImage | None]
    ) -> None:
        super().__init__(parent)
        self._display, self._shown = display, shown
        self._inspected = self._add(display.reset)
        self._auto = self._add(self._show_middle)
        self._whole = self._add(self._show_all)
        self.addSeparator()
        self._dark = self._add(self._show_dark)
        self._bright = self._add(self._show_bright)
        self.retranslate()

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        self._inspected.setText(self.tr("As inspected"))
        self._auto.setText(self.tr("Auto, by this picture"))
        self._whole.setText(self.tr("All values of this picture"))
        self._dark.setText(self.tr("Dark parts: gas, pores, plastic"))
        self._bright.setText(self.tr("Bright parts: metal"))

    def _add(self, order: Callable[[], None]) -> QAction:
        action = QAction(self)
        action.triggered.connect(order)
        self.addAction(action)
        return action

    def _show_middle(self) -> None:
        self._show_between(*MIDDLE)

    def _show_all(self) -> None:
        self._show_between(0, 100)

    def _show_between(self, *percent: float) -> None:
        import numpy as np

        picture = self._shown()
        if picture is None:
            return
        low, high = (float(value) for value in np.percentile(picture.stored, percent))
        # Of one value there is no range.
        if high > low:
            self._display.show_as(Grey.of(low, high), picture.base)

    def _show_dark(self) -> None:
        self._display.set_place(-0.25, 0.5)

    def _show_bright(self) -> None:
        self._display.set_place(0.25, 0.5)
