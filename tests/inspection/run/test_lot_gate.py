"""At the end of a run over a whole lot, batteries are looked at beside each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from inspection.config import GateConfig
from inspection.predictions import LaneResult
from inspection.records import Battery
from inspection.results import ImageResult, Verdict
from inspection.run.assemble import LaneResults, assemble
from inspection.run.lot_gate import compare_batteries


def battery(name: str) -> Battery:
    return Battery(name, name, name, battery_type="cell")


def said_of(name: str, slices: int, kind: str = "normal") -> LaneResults:
    images = tuple(
        ImageResult(image=f"{name}/{n}.png", modality="ct", number=n, state="done")
        for n in range(slices)
    )
    said = LaneResults()
    said.add(LaneResult("ensemble", "done", verdict=Verdict(kind=kind), images=images))
    said.add(LaneResult("vlm", "off"))
    said.add(LaneResult("vlg", "off"))
    return said


def run_over(results: dict[str, LaneResults], earlier=None, whole: bool = True):
    names = sorted({*results, *(earlier or {})})
    plan = SimpleNamespace(
        whole=tuple(battery(name) for name in names) if whole else (),
        earlier=earlier or {},
        settings=SimpleNamespace(gate=GateConfig()),
    )
    return {r.battery_id: r for r in compare_batteries(plan, results)}


def lot(**odd) -> dict[str, LaneResults]:
    return {**{str(n): said_of(str(n), 10) for n in range(6)}, **odd}


def test_a_battery_with_far_fewer_slices_becomes_review_later():
    found = run_over(lot(odd=said_of("odd", 3)))
    assert list(found) == ["odd"]
    result = found["odd"]
    assert (result.state, result.verdict.kind) == ("done", "review")
    assert [m.code for m in result.gate] == ["gate_fewer_ct"]
    assert result.gate[0] in result.verdict.reasons


def test_a_defect_becomes_review_and_what_was_not_inspected_stays_so():
    assert run_over(lot(odd=said_of("odd", 3, "internal_defect")))["odd"].verdict.kind == "review"
    kept = run_over(lot(odd=said_of("odd", 3, "not_inspected")))["odd"]
    assert kept.verdict.kind == "not_inspected"


def test_a_part_of_a_lot_shows_nothing():
    assert run_over(lot(odd=said_of("odd", 3)), whole=False) == {}


def test_a_resumed_run_finds_the_same_and_adds_it_once():
    results = lot(odd=said_of("odd", 3))
    first = run_over(results)["odd"]
    # Everything was said in an earlier run, as it is read back from the disk.
    saved = {name: LaneResults.of(assemble(battery(name), r)) for name, r in lot().items()}
    saved["odd"] = LaneResults.of(assemble(battery("odd"), said_of("odd", 3)))
    resumed = run_over({}, saved)["odd"]
    assert resumed == first
    again = {**saved, "odd": LaneResults.of(first)}
    assert run_over({}, again) == {}


def test_what_the_other_systems_said_stays(tmp_path: Path):
    said = said_of("odd", 3)
    said.add(replace(said["vlm"], state="failed"))
    found = run_over(lot(odd=said))["odd"]
    assert found.systems == {"ensemble": "done", "vlm": "failed", "vlg": "off"}
