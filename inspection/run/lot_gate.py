"""What the batteries of a whole lot show together, once all of them are judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from inspection.gate.lot import Facts, facts_of, lot_checks
from inspection.messages import Message
from inspection.predictions import LaneResult
from inspection.results import BatteryResult
from inspection.run.assemble import LaneResults, assemble
from inspection.run.plan import Plan


def compare_batteries(plan: Plan, results: Mapping[str, LaneResults]) -> Iterator[BatteryResult]:
    """Yield the batteries that stand out of their lot, each with what was found added to it.

    Only ever adds: a verdict becomes ``review``, or stays what it was. Nothing is compared where
    the session is about a part of its lot.

    Parameters
    ----------
    plan : of a run that has ended
    results : what the systems said in the run; `Plan.earlier` has the other batteries
    """
    said = {b.battery_id: results.get(b.battery_id) or plan.earlier.get(b.battery_id)
            for b in plan.whole}  # fmt: skip
    lot: dict[str, Facts] = {}
    for battery in plan.whole:
        ensemble = _judged(said[battery.battery_id])
        if ensemble is not None:
            lot[battery.battery_id] = facts_of(ensemble.images, battery)
    failed = lot_checks(lot, plan.settings.gate)
    for battery in plan.whole:
        lanes, found = said[battery.battery_id], failed.get(battery.battery_id)
        ensemble = _judged(lanes)
        if lanes is None or ensemble is None or not found:
            continue
        known = {message.code for message in ensemble.gate}
        fresh = [message for message in found if message.code not in known]
        if fresh:
            lanes.add(_with(ensemble, fresh))
            yield assemble(battery, {**lanes.silent, **lanes}, lanes.prints or ())


def _judged(lanes: LaneResults | None) -> LaneResult | None:
    if lanes is None or "ensemble" not in lanes:
        return None
    ensemble = lanes["ensemble"]
    return ensemble if ensemble.state == "done" and ensemble.verdict else None


def _with(ensemble: LaneResult, found: list[Message]) -> LaneResult:
    verdict, said = ensemble.verdict, ensemble.ensemble
    assert verdict is not None
    if verdict.kind != "not_inspected":
        changes = {"kind": "review", "reasons": [*verdict.reasons, *found]}
        verdict = verdict.model_copy(update=changes)
        if said is not None:
            said = said.model_copy(update={"prediction": "review", "confidence": None})
    return replace(ensemble, verdict=verdict, ensemble=said, gate=(*ensemble.gate, *found))
