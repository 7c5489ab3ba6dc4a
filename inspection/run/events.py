"""What the window asks of a lane, and what a lane's thread tells the window: plain data, no Qt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inspection.messages import Message
from inspection.records import Battery
from inspection.results import ModelProvenance, SystemName, SystemState

if TYPE_CHECKING:
    # The predictions bring numpy, which the first paint can do without.
    from inspection.predictions import ImageAnswered, ImageTaken, LaneResult, PartialAnswer
    from inspection.run.lanes import Lane, LaneSettings
    from inspection.run.loading import LoadingOrder
    from inspection.run.said import Spoken

BuildLane = Callable[[SystemName, "LaneSettings"], "Lane"]
Said = Mapping[str, "Spoken"]
"""What systems have said, by battery."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Batteries for the lanes to inspect; the same job is handed to every lane.

    Parameters
    ----------
    batteries : in the order of work
    settings : what the lanes need to know
    build : makes a lane; called in the lane's thread
    order : in which the lanes load
    before : what systems said in an earlier run; they are not asked again
    cancel : set it to stop the lanes at their next image; also marks late reports as stale
    pause : while set, lanes wait before their next battery
    """

    batteries: tuple[Battery, ...]
    settings: LaneSettings
    build: BuildLane
    order: LoadingOrder
    before: Said = field(default_factory=dict)
    cancel: threading.Event = field(default_factory=threading.Event)
    pause: threading.Event = field(default_factory=threading.Event)

    def left_for(self, system: SystemName) -> tuple[Battery, ...]:
        """Return the batteries on which a system has not spoken yet."""
        return tuple(b for b in self.batteries if system not in self.before.get(b.battery_id, ()))


@dataclass(frozen=True, slots=True)
class Report:
    """Base of what a lane tells the window."""

    job: Job
    system: SystemName


@dataclass(frozen=True, slots=True)
class LaneLoading(Report):
    """The models are being loaded."""


@dataclass(frozen=True, slots=True)
class LaneReady(Report):
    """The models are loaded; ``device`` is what they run on."""

    models: tuple[ModelProvenance, ...]
    device: str


@dataclass(frozen=True, slots=True)
class LaneUnavailable(Report):
    """The lane judges nothing in this job."""

    state: SystemState
    message: Message


@dataclass(frozen=True, slots=True)
class BatteryStarted(Report):
    """The lane has taken up a battery."""

    battery_id: str


@dataclass(frozen=True, slots=True)
class ImagesDone(Report):
    """How many images of the battery in work were judged since the last report."""

    battery_id: str
    images: int


@dataclass(frozen=True, slots=True)
class Answering(Report):
    """A VLM or VLG took up an image, goes on writing, or has spoken on it."""

    battery_id: str
    event: ImageTaken | PartialAnswer | ImageAnswered


@dataclass(frozen=True, slots=True)
class BatteryDone(Report):
    """The lane's word on a battery."""

    battery_id: str
    result: LaneResult


@dataclass(frozen=True, slots=True)
class LaneEnded(Report):
    """The lane has nothing left to do in this job; ``loaded`` where it keeps its models."""

    loaded: bool
