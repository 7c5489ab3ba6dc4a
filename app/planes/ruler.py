"""The ruler: two places on a plane are a length, a third one makes an angle. No Qt."""

from __future__ import annotations

import math

from inspection.records import Axis
from inspection.volumes.planes import Place, Space, angle, distance


class Ruler:
    """What is measured on one of the planes.

    A drag, or two clicks, is a line; a third click makes it an angle at its second end; another
    one begins anew. A place that is there can be taken and moved.
    """

    def __init__(self) -> None:
        self.axis: Axis | None = None
        self.places: list[Place] = []
        self._held: int | None = None
        self._begun = False

    def press(self, axis: Axis, place: Place, reach: float) -> None:
        """Take a place, or set one.

        Parameters
        ----------
        reach : pixels of the plane within which a place is taken
        """
        if axis == self.axis:
            near = [math.dist(place, known) for known in self.places]
            if near and min(near) <= reach:
                self._held, self._begun = near.index(min(near)), False
                return
        if axis != self.axis or len(self.places) == 3:
            self.places = []
        self.axis = axis
        self._begun = not self.places
        self.places.append(place)
        if self._begun:
            self.places.append(place)
        self._held = len(self.places) - 1

    def move(self, place: Place) -> None:
        """Move the place that is held."""
        if self._held is not None:
            self.places[self._held] = place

    def release(self, reach: float) -> None:
        """Let go; what was a click and no drag waits for its second end."""
        if self._begun and len(self.places) == 2 and math.dist(*self.places) <= reach:
            del self.places[1]
        self._held = None

    def clear(self) -> None:
        """Measure nothing."""
        self.axis, self.places, self._held = None, [], None

    def length(self, space: Space) -> float | None:
        """Return the length of the line, in the unit of `Space.edge`; None without one."""
        if self.axis is None or len(self.places) < 2:
            return None
        return distance(self.places[0], self.places[1], space.pixel(self.axis))

    def angle(self, space: Space) -> float | None:
        """Return the angle in degrees; None without one."""
        if self.axis is None or len(self.places) < 3:
            return None
        return angle(self.places[0], self.places[1], self.places[2], space.pixel(self.axis))
