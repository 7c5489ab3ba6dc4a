"""The lanes of the station's systems.

Importing this brings numpy and OpenCV, which a window's first paint can do without: it is for the
threads that lanes work in.
"""

from __future__ import annotations

from inspection.results import SystemName
from inspection.systems.lane import Lane, LaneSettings
from inspection.systems.registry import LANES


def build_lane(system: SystemName, settings: LaneSettings) -> Lane:
    """Return the lane of a system, not loaded yet. It belongs to the thread that asks."""
    return LANES[system](settings)
