"""The only threads of the window: a QThread per lane, and a pool for files.

Everything crosses to the window's thread by queued signals to bound methods of QObjects.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QThread, Signal, Slot

from inspection.messages import Message
from inspection.records import Battery
from inspection.results import ModelProvenance, SystemName, SystemState

if TYPE_CHECKING:
    from inspection.assemble import LaneResult
    from inspection.engine import Lane, LaneSettings
    from inspection.predictions import FailedPrediction, Prediction

REPORT_SECONDS = 0.1
"""Images are reported in groups, so that a fast GPU does not flood the window's event queue."""
PAUSE_POLL_SECONDS = 0.05

BuildLane = Callable[[SystemName, "LaneSettings"], "Lane"]


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Batteries for the lanes to inspect; the same job is handed to every lane.

    Parameters
    ----------
    batteries : in the order of work
    settings : what the lanes need to know
    build : makes a lane; called in the lane's thread
    cancel : set it to stop the lanes at their next image; also marks late reports as stale
    pause : while set, lanes wait before their next battery
    """

    batteries: tuple[Battery, ...]
    settings: LaneSettings
    build: BuildLane
    cancel: threading.Event = field(default_factory=threading.Event)
    pause: threading.Event = field(default_factory=threading.Event)


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
class BatteryDone(Report):
    """The lane's word on a battery."""

    battery_id: str
    result: LaneResult


@dataclass(frozen=True, slots=True)
class LaneEnded(Report):
    """The lane has nothing left to do in this job."""


class LaneWorker(QObject):
    """Runs one system; lives in its own thread and owns its lane there."""

    reported = Signal(object)

    def __init__(self, system: SystemName) -> None:
        super().__init__()
        self._system: SystemName = system

    @Slot(object)
    def work(self, job: Job) -> None:
        """Inspect every battery of the job."""
        try:
            self._work(job)
        finally:
            self.reported.emit(LaneEnded(job, self._system))

    def _work(self, job: Job) -> None:
        if job.cancel.is_set():
            return
        self.reported.emit(LaneLoading(job, self._system))
        try:
            # Building imports the image libraries, which may be broken as well as a model.
            lane = job.build(self._system, job.settings)
            models, device = lane.load(), _device(job)
        except Exception as error:  # noqa: BLE001 - every battery is told; it is logged there
            from inspection.lanes import load_failure

            state, message = load_failure(self._system, error)
            self.reported.emit(LaneUnavailable(job, self._system, state, message))
            return
        try:
            self.reported.emit(LaneReady(job, self._system, tuple(models), device))
            for battery in job.batteries:
                if not _may_go_on(job):
                    return
                self._inspect(job, lane, battery)
        finally:
            lane.close()

    def _inspect(self, job: Job, lane: Lane, battery: Battery) -> None:
        from inspection.lanes import inspect_safely

        self.reported.emit(BatteryStarted(job, self._system, battery.battery_id))
        count = _ImageCount(self, job, self._system, battery.battery_id)
        result = inspect_safely(lane, battery, job.cancel, count.add)
        count.flush()
        self.reported.emit(BatteryDone(job, self._system, battery.battery_id, result))


class _ImageCount:
    def __init__(self, worker: LaneWorker, job: Job, system: SystemName, battery_id: str) -> None:
        self._worker = worker
        self._address = (job, system, battery_id)
        self._count = 0
        self._reported_at = time.monotonic()

    def add(self, _outcome: Prediction | FailedPrediction) -> None:
        self._count += 1
        if time.monotonic() - self._reported_at >= REPORT_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self._count:
            self._worker.reported.emit(ImagesDone(*self._address, self._count))
        self._count = 0
        self._reported_at = time.monotonic()


def _device(job: Job) -> str:
    from inspection.lanes import resolve_device

    return resolve_device(job.settings.device)


def _may_go_on(job: Job) -> bool:
    while job.pause.is_set() and not job.cancel.is_set():
        time.sleep(PAUSE_POLL_SECONDS)
    return not job.cancel.is_set()


class LaneThread(QObject):
    """A lane's thread as the window holds it."""

    reported = Signal(object)
    _requested = Signal(object)

    def __init__(self, system: SystemName, parent: QObject) -> None:
        super().__init__(parent)
        self._thread = QThread(self)
        self._thread.setObjectName(f"lane-{system}")
        self._worker = LaneWorker(system)
        self._worker.moveToThread(self._thread)
        self._requested.connect(self._worker.work, Qt.ConnectionType.QueuedConnection)
        self._worker.reported.connect(self.reported, Qt.ConnectionType.QueuedConnection)

    def submit(self, job: Job) -> None:
        """Have the lane work on a job after those it has."""
        if not self._thread.isRunning():
            self._thread.start()
        self._requested.emit(job)

    def stop(self) -> None:
        """End the thread and wait for it; cancel its jobs before."""
        self._thread.quit()
        self._thread.wait()


class Ticket:
    """A task that was handed to a pool; a cancelled one never calls back."""

    def __init__(self, done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        self.done = done
        self.failed = failed
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Forget the task; it is skipped if it has not begun."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """True once `cancel` was called."""
        return self._cancelled.is_set()


class TaskPool(QObject):
    """Threads for files; the call-backs run in the window's thread.

    Parameters
    ----------
    threads : 1 makes a queue that keeps its order, as the session's writer needs
    name : prefix of the threads' names
    """

    _finished = Signal(object, object, object)

    def __init__(self, threads: int, name: str, parent: QObject) -> None:
        super().__init__(parent)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._open: set[Ticket] = set()
        self._closed = False
        self._finished.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def submit(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> Ticket:
        """Run ``work`` in a thread, then ``done`` with its value or ``failed`` with its error."""
        ticket = Ticket(done, failed)
        if self._closed:
            # A late event of a window that is closing: there is nobody left to call back.
            ticket.cancel()
            return ticket
        self._open.add(ticket)
        self._executor.submit(self._run, ticket, work)
        return ticket

    @property
    def busy(self) -> bool:
        """True while a task waits, runs, or has not called back yet."""
        return bool(self._open)

    def close(self, *, finish: bool) -> None:
        """End the threads.

        Parameters
        ----------
        finish : do the waiting tasks first (a session's writes) rather than drop them; none
            calls back
        """
        self._closed = True
        for ticket in self._open:
            if not finish:
                ticket.cancel()
        self._executor.shutdown(wait=True, cancel_futures=not finish)
        self._finished.disconnect(self._deliver)
        self._open.clear()

    def _run(self, ticket: Ticket, work: Callable[[], Any]) -> None:
        value, problem = None, None
        if not ticket.cancelled:
            try:
                value = work()
            except Exception as error:  # noqa: BLE001 - handed whole to `failed`, never dropped
                problem = error
        self._finished.emit(ticket, value, problem)

    @Slot(object, object, object)
    def _deliver(self, ticket: Ticket, value: Any, problem: Exception | None) -> None:
        self._open.discard(ticket)
        if ticket.cancelled:
            return
        if problem is None:
            ticket.done(value)
        else:
            ticket.failed(problem)
