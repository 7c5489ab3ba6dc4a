"""A plan becomes results: a worker a lane, one stream of events, saved as it comes. Knows no Qt."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress

from inspection.errors import SessionError
from inspection.records import Lot
from inspection.results import SystemName
from inspection.run.events import BatteryChanged, LaneReady, RunEnded, RunEvent, Tell
from inspection.run.plan import Plan, end_session
from inspection.run.run import LOT_WAIT_SECONDS, Run
from inspection.run.worker import BuildLane, LaneWorker
from inspection.session.store import SessionStore

POLL_SECONDS = 0.2


def inspect_into(
    store: SessionStore,
    lot: Lot,
    plan: Plan,
    build: BuildLane,
    *,
    cancel: threading.Event,
    on_event: Tell,
    lot_wait: float = LOT_WAIT_SECONDS,
) -> bool:
    """Run a plan in threads, save each battery as soon as a system has spoken; set the status.

    Parameters
    ----------
    store : the session
    lot : its lot
    build : makes a lane
    cancel : set it to stop
    on_event : called in this thread with each event, after what it brings was saved
    lot_wait : seconds that a lot is waited for that cannot be reached

    Returns
    -------
    bool
        True where the run was cancelled by somebody.

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

    def start_worker(system: SystemName) -> None:
        def work_and_close() -> None:
            workers[system].work(run)
            # At once: a card's memory that a fast system is through with helps the slow ones.
            workers[system].close()

        threads.append(threading.Thread(target=work_and_close, name=f"lane-{system}"))
        threads[-1].start()

    run = Run(plan, events.put, cancel, lot_wait)
    workers = {system: LaneWorker(system, build) for system in plan.systems}
    event: RunEvent | None = None
    try:
        run.start(start_worker)
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
    except SessionError as error:
        # Where the disk takes this much, the session says itself why it is incomplete.
        with suppress(SessionError):
            store.mark("failed", error.message.text(store.record.language))
        raise
    finally:
        # Reached where the disk refuses as well: lanes end at their next image.
        if not isinstance(event, RunEnded):
            cancel.set()
        for thread in threads:
            thread.join()
    end_session(store, lot, cancelled=event.cancelled, stopped=event.stopped)
    return event.cancelled and event.stopped is None
