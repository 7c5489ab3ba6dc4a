"""The only threads of the window: a QThread per lane, and a pool for files.

Everything crosses to the window's thread by queued signals to bound methods of QObjects.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QThread, Signal, Slot

from inspection.records import Battery
from inspection.results import ModelProvenance, SystemName
from inspection.run.events import (
    Answering,
    BatteryDone,
    BatteryStarted,
    ImagesDone,
    Job,
    LaneEnded,
    LaneLoading,
    LaneReady,
    LaneUnavailable,
)

if TYPE_CHECKING:
    from inspection.predictions import LaneEvent, PartialAnswer
    from inspection.run.lanes import Lane

log = logging.getLogger(__name__)

REPORT_SECONDS = 0.1
"""Images and words are reported in groups, so that a fast GPU does not flood the window."""
PAUSE_POLL_SECONDS = 0.05


class LaneWorker(QObject):
    """Runs one system; lives in its own thread and owns its lane there.

    The lane stays loaded from job to job, until other models are wanted or `unload` is called.
    """

    reported = Signal(object)
    unloaded = Signal()

    def __init__(self, system: SystemName) -> None:
        super().__init__()
        self._system: SystemName = system
        self._lane: Lane | None = None
        self._models: tuple[ModelProvenance, ...] = ()
        self._device = ""

    @Slot()
    def warm_up(self) -> None:
        """Import what loading needs, so that the first job does not wait for it."""
        try:
            from inspection.run.lanes import import_ensemble

            import_ensemble()
        except Exception:
            # Told, with the reason, by the first job that needs them.
            log.exception("the libraries of %s cannot be imported", self._system)

    @Slot(object)
    def work(self, job: Job) -> None:
        """Inspect every battery of the job that the system has not spoken on."""
        try:
            self._work(job)
        finally:
            if self._system == "ensemble":
                job.settings.chooser.stop_waiting()
                job.order.pass_ensemble()
            self.reported.emit(LaneEnded(job, self._system, self._lane is not None))

    @Slot()
    def unload(self) -> None:
        """Let go of the models."""
        self._close()
        self.unloaded.emit()

    @Slot()
    def finish(self) -> None:
        """Let go of the models and end the thread."""
        try:
            self._close()
        finally:
            self.thread().quit()

    def _work(self, job: Job) -> None:
        batteries = job.left_for(self._system)
        if job.cancel.is_set() or not batteries:
            return
        lane = self._loaded(job)
        if lane is None:
            return
        self.reported.emit(LaneReady(job, self._system, self._models, self._device))
        sound = True
        for battery, following in zip(batteries, [*batteries[1:], None], strict=True):
            if not _may_go_on(job):
                break
            sound = self._inspect(job, lane, battery, following) and sound
        if not sound:
            # What broke may be the model's or the driver's state: the next job begins afresh.
            self._close()

    def _loaded(self, job: Job) -> Lane | None:
        """Return the lane with its models loaded; None where they cannot be, which is told."""
        if self._lane is not None and self._lane.settings.same_models(job.settings):
            self._lane.settings = job.settings
            if self._system == "ensemble":
                job.order.pass_ensemble()
            return self._lane
        self._close()
        self.reported.emit(LaneLoading(job, self._system))
        lane = None
        try:
            # Building imports the image libraries, which may be broken as well as a model.
            lane = job.build(self._system, job.settings)
            models = job.order.load(lane, job.cancel)
            device = _device(job)
        except Exception as error:  # noqa: BLE001 - every battery is told; it is logged there
            from inspection.systems.lane import load_failure

            self._lane = lane
            self._close()
            state, message = load_failure(self._system, error)
            self.reported.emit(LaneUnavailable(job, self._system, state, message))
            return None
        if models is None:
            return None
        self._lane, self._models, self._device = lane, tuple(models), device
        return lane

    def _close(self) -> None:
        lane, self._lane = self._lane, None
        if lane is None:
            return
        try:
            lane.close()
        except Exception:
            # The models are out of reach either way; an inspection must still be able to start.
            log.exception("%s could not be closed", self._system)

    def _inspect(self, job: Job, lane: Lane, battery: Battery, following: Battery | None) -> bool:
        """Return False where the lane failed."""
        from inspection.systems.lane import inspect_safely

        self.reported.emit(BatteryStarted(job, self._system, battery.battery_id))
        events = _Events(self, job, self._system, battery.battery_id)
        result = inspect_safely(lane, battery, job.cancel, events.take, following)
        events.flush()
        self.reported.emit(BatteryDone(job, self._system, battery.battery_id, result))
        return result.state != "failed"


class _Events:
    """Passes a lane's events on, at a pace that the window can show.

    Of what a VLM writes only the latest counts: each part holds all that came before.
    """

    def __init__(self, worker: LaneWorker, job: Job, system: SystemName, battery_id: str) -> None:
        self._worker = worker
        self._address = (job, system, battery_id)
        self._count = 0
        self._partial: PartialAnswer | None = None
        self._reported_at = time.monotonic()

    def take(self, event: LaneEvent) -> None:
        from inspection.predictions import FailedPrediction, PartialAnswer, Prediction

        if isinstance(event, PartialAnswer):
            self._partial = event
        elif isinstance(event, Prediction | FailedPrediction):
            self._count += 1
        else:
            self.flush()
            self._worker.reported.emit(Answering(*self._address, event))
        if time.monotonic() - self._reported_at >= REPORT_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self._count:
            self._worker.reported.emit(ImagesDone(*self._address, self._count))
        if self._partial is not None:
            self._worker.reported.emit(Answering(*self._address, self._partial))
        self._count, self._partial = 0, None
        self._reported_at = time.monotonic()


def _device(job: Job) -> str:
    from inspection.systems.lane import resolve_device

    return resolve_device(job.settings.device)


def _may_go_on(job: Job) -> bool:
    while job.pause.is_set() and not job.cancel.is_set():
        time.sleep(PAUSE_POLL_SECONDS)
    return not job.cancel.is_set()


class LaneThread(QObject):
    """A lane's thread as the window holds it."""

    reported = Signal(object)
    unloaded = Signal(str)
    _requested = Signal(object)
    _warm_up_requested = Signal()
    _unload_requested = Signal()
    _finish_requested = Signal()

    def __init__(self, system: SystemName, parent: QObject) -> None:
        super().__init__(parent)
        self._system: SystemName = system
        self._ends = False
        self._thread = QThread(self)
        self._thread.setObjectName(f"lane-{system}")
        self._worker = LaneWorker(system)
        self._worker.moveToThread(self._thread)
        queued = Qt.ConnectionType.QueuedConnection
        self._requested.connect(self._worker.work, queued)
        self._warm_up_requested.connect(self._worker.warm_up, queued)
        self._unload_requested.connect(self._worker.unload, queued)
        self._finish_requested.connect(self._worker.finish, queued)
        self._worker.reported.connect(self.reported, queued)
        self._worker.unloaded.connect(self._on_unloaded, queued)

    def warm_up(self) -> None:
        """Have the lane import its libraries before there is a job."""
        self._start()
        self._warm_up_requested.emit()

    def submit(self, job: Job) -> None:
        """Have the lane work on a job after those it has."""
        self._start()
        self._requested.emit(job)

    def _start(self) -> None:
        # A window that is closed at once still has its first orders to give.
        if not self._ends and not self._thread.isRunning():
            self._thread.start()

    def unload(self) -> None:
        """Have the lane let go of its models after the jobs it has; `unloaded` follows."""
        if self._thread.isRunning():
            self._unload_requested.emit()

    def finish(self) -> None:
        """Have the lane let go of its models and end for good; cancel its jobs before."""
        self._ends = True
        if self._thread.isRunning():
            self._finish_requested.emit()

    def wait(self) -> None:
        """Wait until the thread has ended."""
        self._thread.wait()

    @Slot()
    def _on_unloaded(self) -> None:
        self.unloaded.emit(self._system)


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
