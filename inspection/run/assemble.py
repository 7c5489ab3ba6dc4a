"""Three systems' words on one battery, as one result. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from inspection.messages import Message
from inspection.predictions import LaneResult
from inspection.records import Battery
from inspection.results import (
    SYSTEMS,
    BatteryResult,
    BatteryState,
    SystemName,
    SystemState,
    Verdict,
)

UNFINISHED: frozenset[SystemState] = frozenset({"queued", "running"})


def assemble(battery: Battery, outcomes: Mapping[SystemName, LaneResult]) -> BatteryResult:
    """Return the battery's result as far as the systems have spoken.

    The verdict is the ensemble's. Where the ensemble did not judge, the battery is
    ``not_inspected``: neither silence nor a failure of a system ever reads as ``normal``.

    Parameters
    ----------
    battery : the battery
    outcomes : what each system said; a system that is absent is still queued
    """
    # Which system spoke first must not show in the file: the same words make the same bytes.
    outcomes = {name: outcomes[name] for name in SYSTEMS if name in outcomes}
    ensemble = outcomes.get("ensemble")
    systems: dict[SystemName, SystemState] = {
        name: outcomes[name].state if name in outcomes else "queued" for name in SYSTEMS
    }
    messages = {name: lane.message for name, lane in outcomes.items() if lane.message is not None}
    vlm, vlg = outcomes.get("vlm"), outcomes.get("vlg")
    return BatteryResult(
        battery_id=battery.battery_id,
        ct_id=battery.ct_id,
        rgb_id=battery.rgb_id,
        state=_battery_state(systems),
        systems=systems,
        system_messages=messages,
        verdict=_verdict(ensemble),
        ensemble=ensemble.ensemble if ensemble else None,
        vlm=vlm.vlm if vlm else None,
        vlg=vlg.vlg if vlg else None,
        chosen={name: said.chosen for name, said in outcomes.items() if said.chosen},
        memory_steps={
            name: list(said.memory_steps) for name, said in outcomes.items() if said.memory_steps
        },
        system_seconds={
            name: said.seconds for name, said in outcomes.items() if said.state == "done"
        },
        images=list(ensemble.images) if ensemble else [],
        runs=list(ensemble.runs) if ensemble else [],
        worst_slices=list(ensemble.worst_slices) if ensemble else [],
        worst_views=list(ensemble.worst_views) if ensemble else [],
        seconds=max((lane.seconds for lane in outcomes.values()), default=0.0),
    )


def said_before(result: BatteryResult) -> dict[SystemName, LaneResult]:
    """Return what each system has said of a battery, so that a later run need not ask again.

    Only a system that finished the battery counts; one that failed or was off has said nothing.
    """
    done = [name for name in SYSTEMS if result.systems.get(name) == "done"]
    return {name: _said_by(result, name) for name in done}


def _said_by(result: BatteryResult, system: SystemName) -> LaneResult:
    said = LaneResult(
        system,
        "done",
        seconds=result.system_seconds.get(system, 0.0),
        chosen=result.chosen.get(system),
        memory_steps=tuple(result.memory_steps.get(system, ())),
    )
    if system == "vlm":
        return replace(said, vlm=result.vlm)
    if system == "vlg":
        return replace(said, vlg=result.vlg)
    return replace(
        said,
        verdict=result.verdict,
        ensemble=result.ensemble,
        images=tuple(result.images),
        runs=tuple(result.runs),
        worst_slices=tuple(result.worst_slices),
        worst_views=tuple(result.worst_views),
    )


def _verdict(ensemble: LaneResult | None) -> Verdict:
    if ensemble is not None and ensemble.verdict is not None:
        return ensemble.verdict
    reason = ensemble.message if ensemble else None
    return Verdict(kind="not_inspected", reasons=[reason or Message(code="not_judged_yet")])


def _battery_state(systems: Mapping[SystemName, SystemState]) -> BatteryState:
    states = set(systems.values())
    if states & UNFINISHED:
        return "running" if states - {"queued"} else "queued"
    if "cancelled" in states:
        return "cancelled"
    if systems["ensemble"] not in ("done", "off"):
        # Without the ensemble there is no verdict, so a retry must find this battery.
        return "failed"
    return "failed" if "failed" in states else "done"
