"""How a run stands: its lanes, what they are at, and how far it has come. Plain data, no Qt."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Literal

from inspection.messages import Message
from inspection.predictions import ImageAnswered, ImageTaken, PartialAnswer
from inspection.records import ImageRef
from inspection.results import SYSTEMS, SystemName, SystemState, VlgImage, VlmImage
from inspection.run.events import (
    Answering,
    BatteryChanged,
    ImagesDone,
    ImagesLeftOut,
    LaneEnded,
    LaneLoading,
    LaneReady,
    LaneUnavailable,
    RunEnded,
    RunEvent,
)
from inspection.run.plan import Plan

LanePhase = Literal["idle", "loading", "ready", "running", "failed", "not_installed", "off"]


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """What a lane is doing; ``message`` says why it cannot."""

    system: SystemName
    phase: LanePhase
    device: str = ""
    message: Message | None = None

    @property
    def unjudged_state(self) -> SystemState:
        """What this means for a battery that the lane has not judged."""
        if self.phase in ("failed", "not_installed", "off"):
            return self.phase
        return "queued"


@dataclass(frozen=True, slots=True)
class LiveAnswers:
    """What a VLM or VLG is at on the battery it has in work.

    Parameters
    ----------
    image : in work, None between two images
    text : what was written on it so far
    answered : the battery's images that it has spoken on
    """

    battery_id: str
    image: ImageRef | None = None
    text: str = ""
    answered: tuple[VlmImage | VlgImage, ...] = ()

    def after(self, event: ImageTaken | PartialAnswer | ImageAnswered) -> LiveAnswers:
        """Return how things stand after an event."""
        if isinstance(event, ImageAnswered):
            return LiveAnswers(self.battery_id, answered=(*self.answered, event.answer))
        text = event.text if isinstance(event, PartialAnswer) else ""
        return replace(self, image=event.image, text=text)


@dataclass(frozen=True, slots=True)
class InspectionProgress:
    """How far a run has come.

    Parameters
    ----------
    batteries, total_batteries : batteries every system has spoken on, and all of the run
    images, total_images : images judged by the ensemble, and all that it is to judge, as far as it
        is known: planes that show no body are known when their battery is taken up
    seconds : since the first model was loaded, pauses left out
    others : share of its batteries that each other system has done
    """

    batteries: int
    total_batteries: int
    images: int
    total_images: int
    seconds: float
    others: tuple[float, ...] = ()

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds if self.seconds > 0 else 0.0

    @property
    def share(self) -> float:
        """Share done by the system that is furthest behind, 0 to 1."""
        shares = list(self.others)
        if self.total_images:
            shares.append(min(1.0, self.images / self.total_images))
        if shares:
            return min(shares)
        return self.batteries / self.total_batteries if self.total_batteries else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Estimate, None before there is anything to estimate from."""
        # The first images take long, with everything still cold.
        if self.total_images and self.images < min(8, self.total_images):
            return None
        if self.share <= 0 or self.seconds <= 0:
            return None
        return self.seconds * (1 - self.share) / self.share


class RunStatus:
    """How the present run stands, and the last one after its end; for one thread.

    It is kept by telling it of each event (`take`), in their order.
    """

    def __init__(self) -> None:
        self.lanes = {system: LaneStatus(system, "idle") for system in SYSTEMS}
        self.live: dict[SystemName, LiveAnswers] = {}
        self._devices: dict[SystemName, str] = {}
        self._batteries = self._total_batteries = 0
        self._images = self._total_images = 0
        self._images_a_battery = 1
        self._asked: dict[SystemName, int] = {}
        self._spoken: dict[SystemName, int] = {}
        self._since: float | None = None
        self._seconds_before = 0.0

    def begin(self, plan: Plan) -> None:
        """Take up a new run."""
        self._batteries, self._total_batteries = 0, len(plan.batteries)
        self._images = self._total_images = 0
        if "ensemble" in plan.systems:
            left = plan.left_for("ensemble")
            self._total_images = sum(len(b.ct) + len(b.rgb) for b in left)
        self._images_a_battery = plan.settings.inspector.sampling.images_per_battery
        self._asked = {system: len(plan.left_for(system)) for system in plan.systems}
        self._spoken = dict.fromkeys(plan.systems, 0)
        self._since, self._seconds_before = None, 0.0
        self.lanes = {
            system: LaneStatus(system, "idle" if system in plan.systems else "off")
            for system in SYSTEMS
        }

    def take(self, event: RunEvent) -> None:
        """Take an event of the run."""
        match event:
            case LaneLoading():
                self.lanes[event.system] = LaneStatus(event.system, "loading")
            case LaneReady():
                # Loading is left out: it says nothing of how long the images will take.
                if self._since is None and not self._seconds_before:
                    self._since = time.monotonic()
                self._devices[event.system] = event.device
                self.lanes[event.system] = LaneStatus(event.system, "running", event.device)
            case LaneUnavailable():
                phase: LanePhase = "failed"
                if event.state == "not_installed":
                    phase = "not_installed"
                self.lanes[event.system] = LaneStatus(event.system, phase, message=event.message)
            case ImagesDone(system="ensemble"):
                # Only the ensemble looks at every image.
                self._images += event.images
            case ImagesLeftOut(system="ensemble"):
                self._total_images -= event.images
            case Answering():
                live = self.live.get(event.system)
                if live is None or live.battery_id != event.battery_id:
                    live = LiveAnswers(event.battery_id)
                self.live[event.system] = live.after(event.event)
            case BatteryChanged(again=False):
                if event.system is not None:
                    self._spoken[event.system] += 1
                    self.live.pop(event.system, None)
                self._batteries += event.finished
            case LaneEnded():
                # What it was at when it was cancelled is not shown any longer.
                self.live.pop(event.system, None)
                if self.lanes[event.system].phase not in ("failed", "not_installed"):
                    self.rest(event.system, loaded=event.loaded)
            case RunEnded():
                self.hold(True)

    def rest(self, system: SystemName, *, loaded: bool) -> None:
        """Take it that a lane does nothing; ``loaded`` where it keeps its models."""
        if loaded:
            self.lanes[system] = LaneStatus(system, "ready", self._devices.get(system, ""))
        else:
            self.lanes[system] = LaneStatus(system, "idle")

    def hold(self, held: bool) -> None:
        """Stop the clock, or let it go on."""
        if held and self._since is not None:
            self._seconds_before += time.monotonic() - self._since
            self._since = None
        elif not held and self._seconds_before:
            self._since = time.monotonic()

    @property
    def progress(self) -> InspectionProgress:
        """How far the run has come."""
        running = time.monotonic() - self._since if self._since is not None else 0.0
        return InspectionProgress(
            batteries=self._batteries,
            total_batteries=self._total_batteries,
            images=self._images,
            total_images=self._total_images,
            seconds=self._seconds_before + running,
            others=tuple(
                self._share_of(system)
                for system, asked in self._asked.items()
                if system != "ensemble" and asked
            ),
        )

    def _share_of(self, system: SystemName) -> float:
        begun = 0.0
        if system in self.live:
            begun = min(1.0, len(self.live[system].answered) / self._images_a_battery)
        return min(1.0, (self._spoken[system] + begun) / self._asked[system])
