"""Which planes of a volume show its body: a scanner's volume begins and ends in air.

A plane of air, or one that only grazes the body, is no slice that anybody could judge: it would be
stopped as empty or blurred, and every battery of every volume be a review.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from inspection.errors import InspectionError
from inspection.images.stack_grey import levels_of
from inspection.records import Axis, Battery, ImageRef, Section
from inspection.volumes.opening import open_volume
from inspection.volumes.overview import overview
from inspection.volumes.volume import Volume

LONGEST = 128
"""Side of the copy of a volume that the body is looked for in."""
SAMPLE = 6
"""Planes of it that tell air from body, from the middle three fifths."""
GRAZED = 0.25
"""A plane shows the body with so much of what the fullest one across its axis shows.

What lies outside of it is seen on the planes across the other axes."""
TOUCHED = 0.02
"""The same where planes across one axis alone are looked at: only air is left out."""
_AXES: tuple[Axis, ...] = ("z", "y", "x")

Bounds = dict[Axis, tuple[int, int]]

_lock = threading.Lock()
_known: WeakKeyDictionary[Volume, dict[float, Bounds]] = WeakKeyDictionary()


def with_body(battery: Battery) -> Battery:
    """Return a battery without the planes of its volume that lie beside its body.

    Whatever is no plane of a volume stays; so does all of a volume in which no body stands out, or
    that cannot be read: why is told where it is judged.
    """
    planes = [ref.section for ref in battery.ct if ref.section is not None]
    if not planes:
        return battery
    least = GRAZED if len({plane.axis for plane in planes}) > 1 else TOUCHED
    try:
        bounds = {
            volume: _bounds(open_volume(volume), least) for volume in {p.volume for p in planes}
        }
    except (InspectionError, OSError):
        return battery

    def shows_body(ref: ImageRef) -> bool:
        return ref.section is None or _within(ref.section, bounds[ref.section.volume])

    kept = tuple(ref for ref in battery.ct if shows_body(ref))
    return replace(battery, ct=kept) if kept else battery


def _within(plane: Section, bounds: Bounds) -> bool:
    first, last = bounds.get(plane.axis, (plane.number, plane.number))
    return first <= plane.number <= last


def _bounds(volume: Volume, least: float) -> Bounds:
    """Return the first and last plane across each axis that show the body; none without a body."""
    with _lock:
        known = _known.setdefault(volume, {})
        if least not in known:
            known[least] = _look(volume, least)
        return known[least]


def _look(volume: Volume, least: float) -> Bounds:
    small, factor = overview(volume, LONGEST)
    middle = np.linspace(0.2, 0.8, SAMPLE) * (len(small) - 1)
    levels = levels_of([small[place] for place in np.unique(middle.round().astype(int))])
    if levels is None:
        return {}
    body = small > (levels.air + levels.body) / 2
    bounds: Bounds = {}
    for place, axis in enumerate(_AXES):
        shown = body.sum(axis=tuple(other for other in range(3) if other != place))
        places = np.flatnonzero(shown >= least * shown.max())
        if not shown.any():
            return {}
        # The plane on which the body begins or ends is half of air. Of those between the last one
        # known to show it and the next one looked at, nobody knows: another axis sees them.
        beyond = factor - 2 if least == TOUCHED else -1
        first, last = int(places[0]) * factor + 1, int(places[-1]) * factor + beyond
        bounds[axis] = first, min(last, volume.info.shape[place] - 1)
    return bounds
