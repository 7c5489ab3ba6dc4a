"""Plots by pyqtgraph, which is imported in a thread: it takes longer than a frame may."""

from __future__ import annotations

import importlib
from functools import partial
from types import ModuleType
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor

from app.tasks import TaskPool
from app.theme import tokens


class Plots(QObject):
    """Gives out pyqtgraph once it is there."""

    ready = Signal()
    failed = Signal(object)

    def __init__(self, pool: TaskPool, parent: QObject) -> None:
        super().__init__(parent)
        self._pool = pool
        self._asked = False
        self.module: ModuleType | None = None

    def ask(self) -> ModuleType | None:
        """Return pyqtgraph, or None and later `ready`."""
        if not self._asked:
            self._asked = True
            self._pool.submit(
                partial(importlib.import_module, "pyqtgraph"), self._on_loaded, self.failed.emit
            )
        return self.module

    def _on_loaded(self, module: ModuleType) -> None:
        self.module = module
        self.ready.emit()


def new_plot(pg: ModuleType, axis_width: int) -> Any:
    """Return a plot that is looked at, not played with."""
    plot = pg.PlotWidget()
    plot.setMouseEnabled(x=False, y=False)
    plot.setMenuEnabled(False)
    plot.hideButtons()
    plot.getAxis("left").setWidth(axis_width)
    plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return plot


def dress_plot(plot: Any, axes: tuple[str, ...]) -> None:
    """Empty a plot and give it the theme's colours."""
    colours = tokens()
    plot.clear()
    plot.setBackground(colours.surface)
    for name in axes:
        plot.getAxis(name).setTextPen(colours.muted)
        plot.getAxis(name).setPen(colours.border)


def threshold_line(pg: ModuleType, at: float, angle: int) -> Any:
    """Return the dashed line of a threshold."""
    pen = pg.mkPen(QColor(tokens().text), width=1.5, style=Qt.PenStyle.DashLine)
    return pg.InfiniteLine(pos=at, angle=angle, pen=pen)
