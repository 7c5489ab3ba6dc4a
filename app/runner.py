"""One inspection in work: the lanes' reports become battery results, progress and lane states."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QObject, Signal, Slot

from app.review import LiveAnswers, Progress
from app.workers import LaneThread
from inspection.messages import Message
from inspection.predictions import LaneResult
from inspection.records import Battery
from inspection.results import SYSTEMS, ModelProvenance, SystemName, SystemState
from inspection.run.assemble import assemble
from inspection.run.events import (
    Answering,
    BatteryDone,
    BatteryStarted,
    BuildLane,
    ImagesDone,
    Job,
    LaneEnded,
    LaneLoading,
    LaneReady,
    LaneUnavailable,
    Report,
    Said,
)
from inspection.run.said import Spoken

if TYPE_CHECKING:
    from inspection.run.lanes import LaneSettings

LanePhase = Literal["idle", "loading", "ready", "running", "failed", "not_installed", "off"]
RunPhase = Literal["idle", "running", "paused", "cancelling"]


@dataclass(frozen=True, slots=True)
class LaneView:
    """A lane as the status bar shows it."""

    system: SystemName
    phase: LanePhase
    device: str = ""
    message: Message | None = None


class InspectionRunner(QObject):
    """Owns the lane threads for as long as the window lives."""

    battery_changed = Signal(object)
    """A BatteryResult, each time a system has spoken on a battery."""
    system_changed = Signal(str, str, str)
    """Battery, system, state: taken up."""
    live_changed = Signal(str, object)
    """System, and the LiveAnswers it is at; None once it has spoken on the battery."""
    lane_changed = Signal(object)
    models_changed = Signal(object, str)
    progress_changed = Signal()
    ended = Signal(bool)
    """True where the run was cancelled."""

    def __init__(self, build: BuildLane, parent: QObject) -> None:
        super().__init__(parent)
        self._build = build
        self._threads: dict[SystemName, LaneThread] = {}
        for system in SYSTEMS:
            self._threads[system] = LaneThread(system, self)
            self._threads[system].reported.connect(self._on_report)
            self._threads[system].unloaded.connect(self._on_unloaded)
        self.lanes = {system: LaneView(system, "idle") for system in SYSTEMS}
        self._job: Job | None = None
        self._waiting: set[SystemName] = set()
        self._outcomes: dict[str, Spoken] = {}
        self._batteries: dict[str, Battery] = {}
        self._models: list[ModelProvenance] = []
        self._live: dict[SystemName, LiveAnswers] = {}
        self._devices: dict[SystemName, str] = {}
        self._images = self._finished = self._total_images = 0
        self._spoken: dict[SystemName, int] = {}
        self._per_battery = 1
        self._asked: dict[SystemName, int] = {}
        self._clock = _Clock()

    # -- orders ----------------------------------------------------------------------------

    def start(
        self,
        batteries: Sequence[Battery],
        systems: Sequence[SystemName],
        settings: LaneSettings,
        before: Said,
    ) -> None:
        """Inspect batteries with the systems that are switched on.

        Parameters
        ----------
        before : what systems said in an earlier run; they are not asked again, and it is kept
        """
        from inspection.run.loading import LoadingOrder

        for battery_id, said in before.items():
            said.remind(settings.chooser, battery_id)
        order = LoadingOrder(systems)
        job = Job(tuple(batteries), settings, self._build, order, before)
        self._job = job
        self._waiting = set(systems)
        self._batteries = {battery.battery_id: battery for battery in batteries}
        off = [name for name in SYSTEMS if name not in systems]
        self._outcomes = {name: Spoken(before.get(name)) for name in self._batteries}
        for said in self._outcomes.values():
            for name in off:
                if name not in said:
                    said.add(LaneResult(name, "off"))
        self._models = []
        self._spoken = dict.fromkeys(systems, 0)
        self._asked = {system: len(job.left_for(system)) for system in systems}
        self._per_battery = settings.inspector.sampling.images_per_battery
        self._images = self._finished = 0
        self._total_images = 0
        if "ensemble" in systems:
            self._total_images = sum(len(b.ct) + len(b.rgb) for b in job.left_for("ensemble"))
        self._clock = _Clock()
        for system in SYSTEMS:
            self._set_lane(LaneView(system, "idle" if system in systems else "off"))
            if system in systems:
                self._threads[system].submit(job)
        for battery_id, said in self._outcomes.items():
            # Left over from a run that ended before a system that is now switched off had spoken.
            if len(said) == len(SYSTEMS):
                self._tell(battery_id)
        self.progress_changed.emit()

    def set_paused(self, paused: bool) -> None:
        """Let the lanes wait before their next battery, or go on."""
        if self._job is None:
            return
        if paused:
            self._job.pause.set()
        else:
            self._job.pause.clear()
        self._clock.hold(paused)
        self.progress_changed.emit()

    def cancel(self) -> None:
        """Stop at the next image."""
        if self._job is not None:
            self._job.cancel.set()
            self.progress_changed.emit()

    def unload(self) -> None:
        """Have every lane let go of its models; the next run loads them again."""
        if self._job is None:
            for thread in self._threads.values():
                thread.unload()

    def warm_up(self) -> None:
        """Import the ensemble's libraries in its thread, while the operator looks for a lot."""
        self._threads["ensemble"].warm_up()

    def shut_down(self) -> None:
        """Cancel and end the threads; waits for the image or model in work."""
        if self._job is not None:
            self._job.cancel.set()
        for thread in self._threads.values():
            thread.finish()
        for thread in self._threads.values():
            thread.wait()
        self._job = None
        self.progress_changed.emit()

    # -- state -----------------------------------------------------------------------------

    @property
    def phase(self) -> RunPhase:
        """What the run is doing."""
        if self._job is None:
            return "idle"
        if self._job.cancel.is_set():
            return "cancelling"
        return "paused" if self._job.pause.is_set() else "running"

    @property
    def progress(self) -> Progress:
        """How far the run has come."""
        return Progress(
            batteries=self._finished,
            total_batteries=len(self._batteries),
            images=self._images,
            total_images=self._total_images,
            seconds=self._clock.seconds,
            others=tuple(
                self._share_of(system)
                for system, asked in self._asked.items()
                if system != "ensemble" and asked
            ),
        )

    def _share_of(self, system: SystemName) -> float:
        live = self._live.get(system)
        begun = min(1.0, len(live.answered) / self._per_battery) if live is not None else 0.0
        return min(1.0, (self._spoken[system] + begun) / self._asked[system])

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Batteries of the job that not every system has spoken on."""
        return tuple(name for name, said in self._outcomes.items() if len(said) < len(SYSTEMS))

    # -- reports ---------------------------------------------------------------------------

    @Slot(object)
    def _on_report(self, report: Report) -> None:
        if report.job is not self._job:
            return
        match report:
            case LaneLoading():
                self._set_lane(LaneView(report.system, "loading"))
            case LaneReady():
                self._on_ready(report)
            case LaneUnavailable():
                self._on_unavailable(report)
            case BatteryStarted():
                self.system_changed.emit(report.battery_id, report.system, "running")
            case ImagesDone():
                # Only the ensemble looks at every image.
                if report.system == "ensemble":
                    self._images += report.images
                    self.progress_changed.emit()
            case Answering():
                self._on_answering(report)
            case BatteryDone():
                self._on_battery(report.battery_id, report.result)
                self._set_live(report.system, None)
            case LaneEnded():
                self._on_ended(report)

    def _on_ready(self, report: LaneReady) -> None:
        self._clock.start()
        self._devices[report.system] = report.device
        self._set_lane(LaneView(report.system, "running", report.device))
        self._models = [*self._models, *report.models]
        self.models_changed.emit(self._models, report.device)

    def _on_unavailable(self, report: LaneUnavailable) -> None:
        phase: LanePhase = "not_installed" if report.state == "not_installed" else "failed"
        self._set_lane(LaneView(report.system, phase, message=report.message))
        for battery in report.job.left_for(report.system):
            result = LaneResult(report.system, report.state, report.message)
            self._on_battery(battery.battery_id, result)

    def _on_answering(self, report: Answering) -> None:
        if report.job.cancel.is_set():
            return
        live = self._live.get(report.system)
        if live is None or live.battery_id != report.battery_id:
            live = LiveAnswers(report.battery_id)
        self._set_live(report.system, live.after(report.event))

    def _set_live(self, system: SystemName, live: LiveAnswers | None) -> None:
        if live is not None:
            self._live[system] = live
        elif self._live.pop(system, None) is None:
            return
        self.live_changed.emit(system, live)

    def _on_battery(self, battery_id: str, result: LaneResult) -> None:
        if result.state == "cancelled":
            return
        self._outcomes[battery_id].add(result)
        self._spoken[result.system] += 1
        self._tell(battery_id)

    def _tell(self, battery_id: str) -> None:
        """Put together what was said of a battery, and tell it."""
        said = dict(self._outcomes[battery_id])
        whole = assemble(self._batteries[battery_id], said)
        if len(said) == len(SYSTEMS):
            self._finished += 1
        self.battery_changed.emit(whole)
        self.progress_changed.emit()

    def _on_ended(self, report: LaneEnded) -> None:
        view = self.lanes[report.system]
        if view.phase in ("running", "loading", "idle"):
            self._set_lane(self._at_rest(report))
        self._waiting.discard(report.system)
        if self._waiting or self._job is None:
            return
        cancelled = self._job.cancel.is_set()
        self._job = None
        self._clock.hold(True)
        self.progress_changed.emit()
        self.ended.emit(cancelled)

    def _at_rest(self, report: LaneEnded) -> LaneView:
        if not report.loaded:
            return LaneView(report.system, "idle")
        return LaneView(report.system, "ready", self._devices.get(report.system, ""))

    @Slot(str)
    def _on_unloaded(self, system: SystemName) -> None:
        self._devices.pop(system, None)
        if self._job is None and self.lanes[system].phase != "off":
            self._set_lane(LaneView(system, "idle"))

    def _set_lane(self, view: LaneView) -> None:
        self.lanes[view.system] = view
        self.lane_changed.emit(view)


class _Clock:
    """Seconds of work, pauses left out."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._before = 0.0

    def start(self) -> None:
        if self._since is None and not self._before:
            self._since = time.monotonic()

    def hold(self, held: bool) -> None:
        if held and self._since is not None:
            self._before += time.monotonic() - self._since
            self._since = None
        elif not held and self._before:
            self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        running = time.monotonic() - self._since if self._since is not None else 0.0
        return self._before + running


def lane_state(view: LaneView) -> SystemState:
    """Return what a lane's phase means for a battery it has not judged."""
    states: dict[LanePhase, SystemState] = {
        "failed": "failed",
        "not_installed": "not_installed",
        "off": "off",
    }
    return states.get(view.phase, "queued")
