"""The three systems as lanes: a battery in, what the system says of it out.

A lane is built and used in one thread. Nothing heavy is imported before ``load()``, so a window
can be painted first.
"""

from __future__ import annotations

from inspection.predictions import LaneResult
from inspection.results import SystemName
from inspection.systems.ensemble.detectors import import_detectors
from inspection.systems.lane import (
    Lane,
    LaneSettings,
    inspect_safely,
    load_failure,
    resolve_device,
)
from inspection.systems.registry import LANES

__all__ = [
    "Lane",
    "LaneResult",
    "LaneSettings",
    "build_lane",
    "import_ensemble",
    "inspect_safely",
    "load_failure",
    "resolve_device",
]


def build_lane(system: SystemName, settings: LaneSettings) -> Lane:
    """Return the lane of a system, not loaded yet."""
    return LANES[system](settings)


def import_ensemble() -> None:
    """Import what the ensemble's models need: most of the time that the first load takes."""
    import_detectors()
