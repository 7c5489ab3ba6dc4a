"""A run as the window sees it: the run's events become signals in the window's thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Literal

from PySide6.QtCore import QObject, Qt, QThread, Signal, Slot

from inspection.messages import Message
from inspection.results import SYSTEMS, SystemName
from inspection.run.events import (
    Answering,
    BatteryChanged,
    BatteryStarted,
    ImagesDone,
    ImagesLeftOut,
    LaneEnded,
    LaneReady,
    LotAway,
    LotBack,
    RunEnded,
    RunEvent,
)
from inspection.run.plan import Plan
from inspection.run.run import Run
from inspection.run.status import InspectionProgress, RunStatus
from inspection.run.worker import BuildLane, LaneWorker

log = logging.getLogger(__name__)

LOT_WAIT_SECONDS = 4 * 3600.0
"""Nobody may be there before the next shift to start a run again."""

RunPhase = Literal["idle", "running", "paused", "cancelling"]


class RunBridge(QObject):
    """Owns the lanes and their threads for as long as the window lives."""

    battery_changed = Signal(object, bool)
    """A BatteryResult, each time a system has spoken on the battery; True where worth saving."""
    system_started = Signal(str, str)
    """Battery and system that has taken it up."""
    live_changed = Signal(str, object)
    """System, and the LiveAnswers it is at; None once it has spoken on the battery."""
    lane_changed = Signal(object)
    """A LaneStatus."""
    models_changed = Signal(object, str)
    """ModelProvenances of a lane that is ready, and its device."""
    progress_changed = Signal()
    lot_away = Signal(object)
    """A Message while the lot cannot be reached; None once it can."""
    ended = Signal(bool)
    """True where the run was cancelled."""
    _told = Signal(object)
    _unloaded = Signal(str)

    def __init__(self, build: BuildLane, parent: QObject) -> None:
        super().__init__(parent)
        self.status = RunStatus()
        self.stopped: Message | None = None
        """Why the run that ended last was stopped, where it was nobody's wish."""
        self.unfinished: tuple[str, ...] = ()
        """Batteries of the run that ended last on which not every system has spoken."""
        self.waiting: Message | None = None
        """Why the lanes wait for the lot."""
        self._threads = {name: LaneThread(f"lane-{name}", self) for name in SYSTEMS}
        self._workers = {name: LaneWorker(name, build) for name in SYSTEMS}
        self._run: Run | None = None
        # Told in the lanes' threads; from here on it is the window's.
        self._told.connect(self._on_event, Qt.ConnectionType.QueuedConnection)
        self._unloaded.connect(self._on_unloaded, Qt.ConnectionType.QueuedConnection)

    # -- orders ----------------------------------------------------------------------------

    def start(self, plan: Plan) -> None:
        """Run a plan."""
        self.waiting = self.stopped = None
        self._run = Run(plan, self._told.emit, lot_wait=LOT_WAIT_SECONDS)
        self.status.begin(plan)
        for lane in self.status.lanes.values():
            self.lane_changed.emit(lane)
        run = self._run
        run.start(lambda name: self._threads[name].do(partial(self._workers[name].work, run)))
        self.progress_changed.emit()

    def set_paused(self, paused: bool) -> None:
        """Let the lanes wait before their next battery, or go on."""
        if self._run is None:
            return
        if paused:
            self._run.pause.set()
        else:
            self._run.pause.clear()
        self.status.hold(paused)
        self.progress_changed.emit()

    def cancel(self) -> None:
        """Stop at the next image."""
        if self._run is not None:
            self._run.cancel.set()
            self.progress_changed.emit()

    def unload(self) -> None:
        """Have every lane let go of its models; the next run loads them again."""
        for system, thread in self._threads.items():
            if self._run is None and thread.running:
                thread.do(self._workers[system].close)
                thread.do(partial(self._unloaded.emit, system))

    def warm_up(self) -> None:
        """Import the ensemble's libraries in its thread, while the operator looks for a lot."""
        self._threads["ensemble"].do(_import_detectors)

    def shut_down(self) -> None:
        """Cancel and end the threads; waits for the image or model in work."""
        if self._run is not None:
            self._run.cancel.set()
        # All are told before any is waited for: they end side by side.
        for system, thread in self._threads.items():
            thread.finish(self._workers[system].close)
        for thread in self._threads.values():
            thread.wait()
        self._run = None
        self.progress_changed.emit()

    # -- state -----------------------------------------------------------------------------

    @property
    def phase(self) -> RunPhase:
        """What the run is doing."""
        if self._run is None:
            return "idle"
        if self._run.cancel.is_set():
            return "cancelling"
        return "paused" if self._run.pause.is_set() else "running"

    @property
    def progress(self) -> InspectionProgress:
        """How far the run has come."""
        return self.status.progress

    # -- events ----------------------------------------------------------------------------

    @Slot(object)
    def _on_event(self, event: RunEvent) -> None:
        run, status = self._run, self.status
        # A closed window hears what its lanes said last; a cancelled lane's words come to nothing.
        if run is None or (run.cancel.is_set() and isinstance(event, Answering)):
            return
        lanes, live = dict(status.lanes), dict(status.live)
        status.take(event)
        for system in SYSTEMS:
            if status.lanes[system] is not lanes[system]:
                self.lane_changed.emit(status.lanes[system])
        match event:
            case LaneReady():
                self.models_changed.emit(event.models, event.device)
            case BatteryStarted():
                self.system_started.emit(event.battery_id, event.system)
            case BatteryChanged():
                self.battery_changed.emit(event.result, event.worth_saving)
            case LotAway() | LotBack():
                self.waiting = event.message if isinstance(event, LotAway) else None
                status.hold(self.waiting is not None or run.pause.is_set())
                self.lot_away.emit(self.waiting)
            case RunEnded():
                self._run, self.unfinished, self.stopped = None, run.unfinished, event.stopped
                if self.waiting is not None:
                    self.waiting = None
                    self.lot_away.emit(None)
        # After the battery: a panel that loses the live answers has the finished ones by then.
        for system in SYSTEMS:
            if status.live.get(system) is not live.get(system):
                self.live_changed.emit(system, status.live.get(system))
        counted = ImagesDone | ImagesLeftOut | BatteryChanged
        if isinstance(event, counted | LaneEnded | LotAway | LotBack | RunEnded):
            self.progress_changed.emit()
        if isinstance(event, RunEnded):
            self.ended.emit(event.cancelled)

    @Slot(str)
    def _on_unloaded(self, system: SystemName) -> None:
        if self._run is None and self.status.lanes[system].phase != "off":
            self.status.rest(system, loaded=False)
            self.lane_changed.emit(self.status.lanes[system])


def _import_detectors() -> None:
    try:
        # Not before: numpy and torch are not needed to paint the window.
        from inspection.systems.ensemble.detectors import import_detectors

        import_detectors()
    except Exception:
        # A broken library fails in any way as it is imported; a run that needs it tells why.
        log.exception("the ensemble's libraries cannot be imported")


class LaneThread(QObject):
    """One system's QThread, from the window's opening to its closing; does things one by one."""

    _ordered = Signal(object)

    def __init__(self, name: str, parent: QObject) -> None:
        super().__init__(parent)
        self._ends = False
        self._thread = QThread(self)
        self._thread.setObjectName(name)
        self._hand = _Hand()
        self._hand.moveToThread(self._thread)
        self._ordered.connect(self._hand.do, Qt.ConnectionType.QueuedConnection)

    @property
    def running(self) -> bool:
        """True once the thread has been given something."""
        return self._thread.isRunning()

    def do(self, work: Callable[[], None]) -> None:
        """Do some work after what is there already."""
        # A window that is closed at once still has its first orders to give.
        # Started when it is first needed: most windows never run all three systems.
        if not self._ends and not self._thread.isRunning():
            self._thread.start()
        self._ordered.emit(work)

    def finish(self, last: Callable[[], None]) -> None:
        """Do ``last`` and end for good."""
        self._ends = True
        if self._thread.isRunning():
            self._ordered.emit(last)
            # An order of its own: the thread ends even where the last one fails.
            self._ordered.emit(self._thread.quit)

    def wait(self) -> None:
        """Wait until the thread has ended."""
        self._thread.wait()


class _Hand(QObject):
    """Lives in the thread."""

    @Slot(object)
    def do(self, work: Callable[[], None]) -> None:
        work()
