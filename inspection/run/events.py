"""What a run tells whoever drives it, in one stream: plain data, no Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inspection.messages import Message
from inspection.predictions import ImageAnswered, ImageTaken, PartialAnswer
from inspection.results import BatteryResult, ModelProvenance, SystemName, SystemState


@dataclass(frozen=True, slots=True)
class LaneLoading:
    """A system's models are being loaded."""

    system: SystemName


@dataclass(frozen=True, slots=True)
class LaneReady:
    """A system's models are loaded; ``device`` is what they run on."""

    system: SystemName
    models: tuple[ModelProvenance, ...]
    device: str


@dataclass(frozen=True, slots=True)
class LaneUnavailable:
    """A system judges nothing in this run."""

    system: SystemName
    state: SystemState
    message: Message


@dataclass(frozen=True, slots=True)
class BatteryStarted:
    """A system has taken up a battery."""

    system: SystemName
    battery_id: str


@dataclass(frozen=True, slots=True)
class ImagesDone:
    """How many images of the battery in work a system has judged since the last such event."""

    system: SystemName
    battery_id: str
    images: int


@dataclass(frozen=True, slots=True)
class ImagesLeftOut:
    """How many images of the battery in work a system does not judge: they show no body."""

    system: SystemName
    battery_id: str
    images: int


@dataclass(frozen=True, slots=True)
class Answering:
    """A VLM or VLG took up an image, goes on writing, or has spoken on it."""

    system: SystemName
    battery_id: str
    event: ImageTaken | PartialAnswer | ImageAnswered


@dataclass(frozen=True, slots=True)
class BatteryChanged:
    """A battery as it stands after a system has spoken on it.

    Parameters
    ----------
    result : what every system has said so far
    system : the one that has spoken; None where there was nobody left to ask
    worth_saving : False while all that is new is that a system is missing. Such a system answers
        for the whole lot at once; its word is saved with the battery's next real result.
    again : True where no system has spoken: what the lot's batteries show together was added to
        a battery that had been told before
    """

    result: BatteryResult
    system: SystemName | None
    worth_saving: bool
    again: bool = False

    @property
    def finished(self) -> bool:
        """True where no system has anything left to say."""
        return self.result.state not in ("queued", "running")


@dataclass(frozen=True, slots=True)
class LaneEnded:
    """A system has nothing left to do in this run; ``loaded`` where it keeps its models."""

    system: SystemName
    loaded: bool


@dataclass(frozen=True, slots=True)
class LotAway:
    """The lot cannot be reached: its lanes wait for it."""

    message: Message


@dataclass(frozen=True, slots=True)
class LotBack:
    """The lot can be reached again: its lanes go on."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The last event of a run; ``cancelled`` where it was stopped.

    ``stopped`` is why, where it was not somebody's wish.
    """

    cancelled: bool
    stopped: Message | None = None


RunEvent = (
    LaneLoading
    | LaneReady
    | LaneUnavailable
    | BatteryStarted
    | ImagesDone
    | ImagesLeftOut
    | Answering
    | BatteryChanged
    | LaneEnded
    | LotAway
    | LotBack
    | RunEnded
)

Tell = Callable[[RunEvent], None]
