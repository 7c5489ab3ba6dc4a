"""The region that a person marks on a picture, as the evidence of the decision to come."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.lot.review import BatteryView
from inspection.results import Box
from inspection.session.record import Region


class RegionMarks(QObject):
    """Holds what is marked on the current battery, and what its decision has marked."""

    changed = Signal()
    ended = Signal()
    """Nothing more is to be marked: a region is there, or it was left."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.active = False
        self.marked: Region | None = None
        self.decided: Region | None = None
        self.image = ""
        self.corners: list[tuple[int, int]] = []
        self._battery_id: str | None = None

    def show_battery(self, view: BatteryView | None) -> None:
        """Take another current battery, or another decision on it."""
        battery_id = view.row.battery_id if view else None
        decision = view.row.decision if view else None
        self.decided = decision.region if decision else None
        # What a decision has taken up waits for none any more.
        if battery_id != self._battery_id or self.marked == self.decided:
            self.marked = None
        if battery_id != self._battery_id and self.active:
            self.set_active(False)
        self._battery_id = battery_id
        self.changed.emit()

    def set_active(self, on: bool) -> None:
        """Begin to mark, or leave it: what was marked before is there again."""
        if on == self.active:
            return
        self.active, self.image, self.corners = on, "", []
        self.changed.emit()
        if not on:
            self.ended.emit()

    def add_corner(self, image: str, corner: tuple[int, int]) -> None:
        """Add a polygon's corner; one on another picture begins anew."""
        if image != self.image:
            self.image, self.corners = image, []
        if corner not in self.corners:
            self.corners.append(corner)
        self.changed.emit()

    def drop_corner(self) -> None:
        """Take the last corner back."""
        del self.corners[-1:]
        self.changed.emit()

    def close_polygon(self) -> None:
        """Take the corners for a region, where there are enough of them."""
        if len(self.corners) >= 3:
            self._take(Region(image=self.image, polygon=self.corners))

    def mark_box(self, image: str, box: Box) -> None:
        """Take a box for a region."""
        self._take(Region(image=image, box=box))

    def clear(self) -> None:
        """Forget what was marked."""
        self.marked = None
        self.changed.emit()

    def _take(self, region: Region) -> None:
        self.marked = region
        self.set_active(False)
