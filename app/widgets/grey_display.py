"""The level and width that CT pictures are shown under: the operator's, on every picture alike."""

from __future__ import annotations

import math
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal

from app.lot.review import BatteryView

LEVEL_STEP = 0.05
"""Of the width that is shown, a press of a key."""
WIDTH_STEP = 1.15
LEVEL_DRAG = 400
"""Pixels of the mouse that move the level by the width that is shown."""
WIDTH_DRAG = 200
"""Pixels of the mouse that double or halve the width."""
WIDEST, NARROWEST = 32.0, 1 / 256
FURTHEST = 16.0


class Grey(NamedTuple):
    """What is shown: the value in the middle of the greys, and how many there are to both sides."""

    level: float
    width: float

    @classmethod
    def of(cls, low: float, high: float) -> Grey:
        """Return the window from ``low`` to ``high``."""
        return cls((low + high) / 2, high - low)

    @property
    def ends(self) -> tuple[float, float]:
        """The values of black and of white."""
        return self.level - self.width / 2, self.level + self.width / 2


class GreyDisplay(QObject):
    """How far the operator has moved from the window that a stack is shown under at first.

    In shares of that window: what is set holds for every slice of a battery. With another battery,
    and once a battery is judged, pictures are again as the model sees them.
    """

    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._shift, self._factor = 0.0, 1.0
        self._of: tuple[object, ...] = ()

    @property
    def moved(self) -> bool:
        """True where the operator has set a level or width."""
        return (self._shift, self._factor) != (0.0, 1.0)

    @property
    def place(self) -> tuple[float, float]:
        """Where a drag begins."""
        return self._shift, self._factor

    def of(self, base: Grey) -> Grey:
        """Return what is shown where ``base`` would be."""
        return Grey(base.level + self._shift * base.width, base.width * self._factor)

    def reset(self) -> None:
        """Show pictures as the model sees them."""
        self._set(0.0, 1.0)

    def set_place(self, shift: float, factor: float) -> None:
        """Show a part of what is shown at first.

        Parameters
        ----------
        shift : of the level, in widths that are shown at first
        factor : of the width
        """
        self._set(shift, factor)

    def show_as(self, wanted: Grey, base: Grey) -> None:
        """Show ``wanted`` where ``base`` is shown at first."""
        self._set((wanted.level - base.level) / base.width, wanted.width / base.width)

    def step_level(self, steps: int) -> None:
        """Move the level; up makes the picture darker."""
        self._set(self._shift + steps * LEVEL_STEP * self._factor, self._factor)

    def step_width(self, steps: int) -> None:
        """Change the width; wider makes the picture softer."""
        self._set(self._shift, self._factor * WIDTH_STEP**steps)

    def drag(self, begun: tuple[float, float], right: int, down: int) -> None:
        """Set level and width by how far the mouse is from where a drag has begun."""
        shift, factor = begun
        self._set(shift + down / LEVEL_DRAG * factor, factor * 2 ** (right / WIDTH_DRAG))

    def show_battery(self, view: BatteryView | None) -> None:
        """Begin anew with another battery, and where one has got the window it is judged under."""
        of = (view.row.battery.ct, view.result.grey if view.result else None) if view else ()
        if of != self._of:
            self._of = of
            self.reset()

    def _set(self, shift: float, factor: float) -> None:
        shift = max(-FURTHEST, min(FURTHEST, shift))
        factor = max(NARROWEST, min(WIDEST, factor))
        # Steps there and back come home.
        if math.isclose(factor, 1.0, abs_tol=1e-9):
            factor = 1.0
        if math.isclose(shift, 0.0, abs_tol=1e-9):
            shift = 0.0
        if (shift, factor) != (self._shift, self._factor):
            self._shift, self._factor = shift, factor
            self.changed.emit()
