"""A plan becomes results: a worker a lane, one stream of events. Knows no Qt."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

from inspection.predictions import (
    FailedPrediction,
    LaneEvent,
    LaneResult,
    PartialAnswer,
    Prediction,
)
from inspection.records import Battery, Lot
from inspection.results import SYSTEMS, ModelProvenance, SystemName
from inspection.run.assemble import LaneResults, assemble
from inspection.run.events import (
    Answering,
    BatteryChanged,
    BatteryStarted,
    ImagesDone,
    LaneEnded,
    LaneLoading,
    LaneReady,
    LaneUnavailable,
    RunEnded,
    RunEvent,
)
from inspection.run.loading import LoadingOrder
from inspection.run.plan import Plan, end_session
from inspection.session.store import SessionStore
from inspection.systems.lane import (
    Lane,
    LaneSettings,
    inspect_safely,
    load_failure,
    resolve_device,
)

log = logging.getLogger(__name__)

BuildLane = Callable[[SystemName, LaneSettings], Lane]
Tell = Callable[[RunEvent], None]
StartWorker = Callable[[SystemName, Callable[[], None]], None]
"""Has a thread of the system's own do some work, after what it was given before."""

EVENT_SECONDS = 0.1
"""Images and words are told in groups, so that a fast GPU does not flood a window."""
PAUSE_POLL_SECONDS = 0.05
POLL_SECONDS = 0.2


class Run:
    """One run of a plan, shared by the threads of its lanes.

    Parameters
    ----------
    plan : what is to be inspected
    tell : takes every event, in the thread in which it happens; the last one is a `RunEnded`
    cancel : set it to stop at the next image; the batteries in work are left for a later run
    """

    def __init__(self, plan: Plan, tell: Tell, cancel: threading.Event | None = None) -> None:
        self.plan = plan
        self.tell = tell
        self.cancel = cancel or threading.Event()
        self.pause = threading.Event()
        self.order = LoadingOrder(plan.systems)
        self._lock = threading.Lock()
        self._working = set(plan.systems)
        self._results = {
            b.battery_id: LaneResults(plan.earlier.get(b.battery_id)) for b in plan.batteries
        }

    def start(self, workers: Mapping[SystemName, LaneWorker], start_worker: StartWorker) -> None:
        """Have the lanes work, side by side: a slow, missing or failing one delays no other."""
        # Before any lane works: a battery is whole only with the word of those that are off.
        for battery in self.plan.batteries:
            results = self._results[battery.battery_id]
            for system in SYSTEMS:
                if system not in self.plan.systems and system not in results:
                    results.add(LaneResult(system, "off"))
            if len(results) == len(SYSTEMS):
                # Left over from a run that ended before a system had spoken that is now off.
                self.tell(BatteryChanged(assemble(battery, results), None, worth_saving=True))
        for system in self.plan.systems:
            start_worker(system, partial(workers[system].work, self))

    def add(self, battery: Battery, result: LaneResult) -> None:
        """Take a system's word on a battery, and tell how the battery stands."""
        # To have been cancelled is no word: what was said before stays, the rest is asked later.
        if result.state == "cancelled":
            return
        # Told under the lock, or an older state of a battery could arrive after a newer one.
        with self._lock:
            results = self._results[battery.battery_id]
            results.add(result)
            whole = len(results) == len(SYSTEMS)
            worth_saving = whole or result.state in ("done", "failed")
            self.tell(BatteryChanged(assemble(battery, results), result.system, worth_saving))

    def wait_while_paused(self) -> None:
        """Return once the run goes on, or is cancelled."""
        while self.pause.is_set() and not self.cancel.is_set():
            time.sleep(PAUSE_POLL_SECONDS)

    def end_lane(self, system: SystemName, *, loaded: bool) -> None:
        """Take it that a system does nothing more; the last one ends the run."""
        # Before it is struck off, or another lane's thread could tell the end of the run first.
        self.tell(LaneEnded(system, loaded))
        with self._lock:
            self._working.discard(system)
            if not self._working:
                # A wish to stop that came after the last result has stopped nothing.
                cancelled = self.cancel.is_set() and bool(self.unfinished)
                try:
                    if not cancelled:
                        # The window imports this before it is painted: numpy comes later.
                        from inspection.run.lot_gate import compare_batteries

                        for result in compare_batteries(self.plan, self._results):
                            self.tell(BatteryChanged(result, None, worth_saving=True, again=True))
                finally:
                    self.tell(RunEnded(cancelled=cancelled))

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Batteries of the plan on which not every system has spoken."""
        return tuple(name for name, said in self._results.items() if len(said) < len(SYSTEMS))


class LaneWorker:
    """Owns the lane of one system; every call is made in the one thread of that system.

    The lane stays loaded from run to run, until other models are wanted or `close` is called.

    Parameters
    ----------
    build : makes the lane; called in the system's thread
    """

    def __init__(self, system: SystemName, build: BuildLane) -> None:
        self._system: SystemName = system
        self._build = build
        self._lane: Lane | None = None
        self._models: tuple[ModelProvenance, ...] = ()
        self._device = ""

    def work(self, run: Run) -> None:
        """Inspect every battery of a run that the system has not spoken on."""
        try:
            batteries = run.plan.left_for(self._system)
            if batteries and not run.cancel.is_set():
                lane = self._loaded(run)
                if lane is not None:
                    run.tell(LaneReady(self._system, self._models, self._device))
                    self._inspect(run, lane, batteries)
        finally:
            if self._system == "ensemble":
                # However it ended, nobody need wait for it any more.
                run.plan.settings.chooser.stop_waiting()
                run.order.let_others_load()
            run.end_lane(self._system, loaded=self._lane is not None)

    def close(self) -> None:
        """Let go of the models."""
        lane, self._lane = self._lane, None
        if lane is None:
            return
        try:
            lane.close()
        except Exception:
            # The models are out of reach either way; a run must still be able to start.
            log.exception("%s could not be closed", self._system)

    def _loaded(self, run: Run) -> Lane | None:
        """Return the lane with its models loaded; None where they cannot be, which is told."""
        settings = run.plan.settings
        if self._lane is not None and self._lane.settings.same_models(settings):
            self._lane.settings = settings
            if self._system == "ensemble":
                run.order.let_others_load()
            return self._lane
        self.close()
        run.tell(LaneLoading(self._system))
        try:
            # To build it imports the image libraries, which may be broken as well as a model.
            self._lane = self._build(self._system, settings)
            models = run.order.load(self._lane, run.cancel)
            self._device = resolve_device(settings.device)
        except Exception as error:  # noqa: BLE001 - every battery is told; `load_failure` logs it
            self.close()
            state, message = load_failure(self._system, error)
            run.tell(LaneUnavailable(self._system, state, message))
            for battery in run.plan.left_for(self._system):
                run.add(battery, LaneResult(self._system, state, message))
            return None
        if models is None:
            # Cancelled before its turn: there is nothing that it could let go of.
            self._lane = None
            return None
        self._models = tuple(models)
        return self._lane

    def _inspect(self, run: Run, lane: Lane, batteries: tuple[Battery, ...]) -> None:
        sound = True
        for battery, following in zip(batteries, [*batteries[1:], None], strict=True):
            run.wait_while_paused()
            if run.cancel.is_set():
                break
            run.tell(BatteryStarted(self._system, battery.battery_id))
            events = _GroupedEvents(run.tell, self._system, battery.battery_id)
            result = inspect_safely(lane, battery, run.cancel, events.take, following)
            events.tell_held()
            run.add(battery, result)
            sound = sound and result.state != "failed"
        if not sound:
            # What broke may be the model's or the driver's state: the next run begins afresh.
            self.close()


class _GroupedEvents:
    """Passes a lane's events on, at a pace that a window can show.

    Of what a VLM writes only the latest counts: each part holds all that came before.
    """

    def __init__(self, tell: Tell, system: SystemName, battery_id: str) -> None:
        self._tell = tell
        self._system: SystemName = system
        self._battery_id = battery_id
        self._images = 0
        self._partial: PartialAnswer | None = None
        self._told_at = time.monotonic()

    def take(self, event: LaneEvent) -> None:
        if isinstance(event, PartialAnswer):
            self._partial = event
        elif isinstance(event, Prediction | FailedPrediction):
            self._images += 1
        else:
            self.tell_held()
            self._tell(Answering(self._system, self._battery_id, event))
        if time.monotonic() - self._told_at >= EVENT_SECONDS:
            self.tell_held()

    def tell_held(self) -> None:
        if self._images:
            self._tell(ImagesDone(self._system, self._battery_id, self._images))
        if self._partial is not None:
            self._tell(Answering(self._system, self._battery_id, self._partial))
        self._images, self._partial = 0, None
        self._told_at = time.monotonic()


def inspect_into(
    store: SessionStore,
    lot: Lot,
    plan: Plan,
    build: BuildLane,
    *,
    cancel: threading.Event,
    on_event: Tell,
) -> bool:
    """Run a plan in threads, save each battery as soon as a system has spoken; set the status.

    Parameters
    ----------
    store : the session
    lot : its lot
    build : makes a lane
    cancel : set it to stop
    on_event : called in this thread with each event, after what it brings was saved

    Returns
    -------
    bool
        True where the run was cancelled.

    Raises
    ------
    SessionError
        If the disk refuses.
    """
    if not plan.batteries:
        end_session(store, lot, cancelled=False)
        return False
    store.mark("processing")
    events: queue.SimpleQueue[RunEvent] = queue.SimpleQueue()
    threads: list[threading.Thread] = []

    def start_worker(system: SystemName, work: Callable[[], None]) -> None:
        def work_and_close() -> None:
            work()
            # At once: a card's memory that a fast system is through with helps the slow ones.
            workers[system].close()

        threads.append(threading.Thread(target=work_and_close, name=f"lane-{system}"))
        threads[-1].start()

    workers = {system: LaneWorker(system, build) for system in plan.systems}
    event: RunEvent | None = None
    try:
        Run(plan, events.put, cancel).start(workers, start_worker)
        while not isinstance(event, RunEnded):
            try:
                # Ctrl-C is only seen between two waits on Windows.
                event = events.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if isinstance(event, LaneReady):
                store.set_models(event.models, event.device)
            elif isinstance(event, BatteryChanged) and event.worth_saving:
                store.save_battery(event.result)
            on_event(event)
    finally:
        # Reached where the disk refuses as well: lanes end at their next image.
        if not isinstance(event, RunEnded):
            cancel.set()
        for thread in threads:
            thread.join()
    end_session(store, lot, cancelled=event.cancelled)
    return event.cancelled
