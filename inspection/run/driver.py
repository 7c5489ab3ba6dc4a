"""Inspect a lot without a window: a thread a lane, one writer for the session."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from inspection.predictions import LaneEvent, LaneResult
from inspection.records import Battery
from inspection.results import SYSTEMS, BatteryResult, ModelProvenance, SystemName
from inspection.run.assemble import assemble
from inspection.run.lanes import Lane, inspect_safely, load_failure
from inspection.run.loading import LoadingOrder
from inspection.run.said import Spoken
from inspection.session.store import SessionStore

OnBattery = Callable[[BatteryResult], None]
POLL_SECONDS = 0.2


@dataclass(slots=True)
class _Run:
    batteries: Sequence[Battery]
    cancel: threading.Event
    before: Mapping[str, Spoken]
    order: LoadingOrder
    results: queue.Queue[tuple[str, LaneResult]] = field(default_factory=queue.Queue)
    provenance: queue.Queue[list[ModelProvenance]] = field(default_factory=queue.Queue)


def inspect_batteries(
    batteries: Sequence[Battery],
    lanes: Sequence[Lane],
    store: SessionStore,
    device: str,
    *,
    cancel: threading.Event,
    on_battery: OnBattery,
    before: Mapping[str, Mapping[SystemName, LaneResult]] | None = None,
) -> None:
    """Run every lane over every battery and save each battery as soon as a lane has spoken.

    Lanes run side by side: a slow, missing or failing one delays no other. Systems without a
    lane are recorded as ``off``.

    Parameters
    ----------
    batteries : what to inspect, in order
    lanes : the systems that are switched on, not loaded yet
    store : the session, already created
    device : name recorded with the models
    cancel : set it to stop; the batteries in work are left for a resume
    on_battery : called in this thread with each battery whose systems have all spoken
    before : what systems said of a battery in an earlier run of this session, by battery; they
        are not asked again, and what they said is kept
    """
    spoken = {battery_id: Spoken(said) for battery_id, said in (before or {}).items()}
    run = _Run(batteries, cancel, spoken, LoadingOrder([lane.name for lane in lanes]))
    for lane in lanes:
        for battery_id, said in spoken.items():
            said.remind(lane.settings.chooser, battery_id)
    threads = [
        threading.Thread(target=_work, args=(lane, run), name=f"lane-{lane.name}") for lane in lanes
    ]
    for thread in threads:
        thread.start()
    try:
        _collect(run, [lane.name for lane in lanes], threads, store, device, on_battery)
    finally:
        # Reached on Ctrl-C as well: lanes end at their next image.
        if any(thread.is_alive() for thread in threads):
            cancel.set()
        for thread in threads:
            thread.join()


def _left_for(lane: Lane, run: _Run) -> list[Battery]:
    return [b for b in run.batteries if lane.name not in run.before.get(b.battery_id, ())]


def _work(lane: Lane, run: _Run) -> None:
    try:
        _inspect_all(lane, run)
    finally:
        if lane.name == "ensemble":
            lane.settings.chooser.stop_waiting()
            run.order.pass_ensemble()


def _inspect_all(lane: Lane, run: _Run) -> None:
    batteries = _left_for(lane, run)
    if not batteries:
        return
    try:
        models = run.order.load(lane, run.cancel)
    except Exception as error:  # noqa: BLE001 - every battery is told; `load_failure` logs it
        state, message = load_failure(lane.name, error)
        for battery in batteries:
            run.results.put((battery.battery_id, LaneResult(lane.name, state, message)))
        return
    if models is None:
        return
    run.provenance.put(models)
    try:
        for battery, following in zip(batteries, [*batteries[1:], None], strict=True):
            if run.cancel.is_set():
                return
            result = inspect_safely(lane, battery, run.cancel, _ignore, following)
            run.results.put((battery.battery_id, result))
    finally:
        lane.close()


def _collect(
    run: _Run,
    names: Sequence[SystemName],
    threads: Sequence[threading.Thread],
    store: SessionStore,
    device: str,
    on_battery: OnBattery,
) -> None:
    by_id = {battery.battery_id: battery for battery in run.batteries}
    outcomes = {battery_id: Spoken(run.before.get(battery_id)) for battery_id in by_id}
    for said in outcomes.values():
        for name in SYSTEMS:
            if name not in names and name not in said:
                said.add(LaneResult(name, "off"))
    for battery_id, said in outcomes.items():
        # Left over from a run that ended before a system that is now switched off had spoken.
        if len(said) == len(SYSTEMS):
            _keep(assemble(by_id[battery_id], dict(said)), store, on_battery)
    while any(thread.is_alive() for thread in threads) or not run.results.empty():
        try:
            battery_id, lane_result = run.results.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        finally:
            # A lane names its models before its first word: they are recorded before it is.
            while not run.provenance.empty():
                store.set_models(run.provenance.get(), device)
        outcomes[battery_id].add(lane_result)
        _keep(assemble(by_id[battery_id], dict(outcomes[battery_id])), store, on_battery)


def _keep(result: BatteryResult, store: SessionStore, on_battery: OnBattery) -> None:
    whole = result.state not in ("queued", "running")
    # Missing systems answer for the whole lot at once; their word is saved with the battery's
    # first real result rather than in a write of its own.
    if whole or any(state in ("done", "failed") for state in result.systems.values()):
        store.save_battery(result)
    if whole:
        on_battery(result)


def _ignore(event: LaneEvent) -> None:
    """Headless runs show batteries, not images."""
