"""The systems of the station: which lane runs which.

A new one is a folder with a lane, a line here, its name in `inspection.results.SystemName`, the
models that it needs in `inspection.modelstore.catalogue.SYSTEM_SLOTS`, those without which it
judges nothing in `inspection.run.plan.MODELS_OF`, and how its word on a battery is read in
`inspection.agreement.cells`.
"""

from __future__ import annotations

from collections.abc import Callable

from inspection.results import SystemName
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.systems.lane import Lane, LaneSettings
from inspection.systems.vlg.lane import VlgLane
from inspection.systems.vlm.lane import VlmLane

LANES: dict[SystemName, Callable[[LaneSettings], Lane]] = {
    "ensemble": EnsembleLane,
    "vlm": VlmLane,
    "vlg": VlgLane,
}
"""Lanes that are not loaded yet; nothing heavy is imported before ``load()``."""
