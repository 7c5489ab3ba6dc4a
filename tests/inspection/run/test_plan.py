"""What is left of a session is decided once, for every caller."""

import threading
from dataclasses import replace

import pytest
from builders.uninstalled_lane import UninstalledLane

from inspection.config import Policy, load_inspector
from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.modelstore.folders import ModelFolders
from inspection.predictions import LaneResult
from inspection.records import Battery, Lot
from inspection.results import Verdict, VlgResult, VlmResult
from inspection.run.assemble import assemble
from inspection.run.driver import inspect_into
from inspection.run.events import BatteryChanged
from inspection.run.plan import Conditions, end_session, plan_again, plan_rest
from inspection.session.creating import create_session

ENSEMBLE = LaneResult("ensemble", "done", verdict=Verdict(kind="normal"))
VLM = LaneResult("vlm", "done", vlm=VlmResult(prediction="normal", explanation=""))
VLG = LaneResult("vlg", "done", vlg=VlgResult())
OFF = {name: LaneResult(name, "off") for name in ("ensemble", "vlm", "vlg")}


@pytest.fixture
def lot(tmp_path):
    return Lot(tmp_path / "lot", tuple(Battery(f"{n:03d}", None, None) for n in range(3)))


@pytest.fixture
def store(lot, tmp_path):
    with create_session(
        tmp_path / "sessions", lot=lot, operator="", station="", language="en",
        config={}, device="cpu", models=[], version="1",
    ) as made:  # fmt: skip
        yield made


@pytest.fixture
def conditions(tmp_path):
    """Switch every system on; the ensemble and the VLM have a model."""
    for slot in ("ct_cnn", "vlm"):
        (tmp_path / "models" / slot).mkdir(parents=True)
    policy = Policy(load_inspector(), tmp_path / "inspector.yaml")
    return Conditions(
        ModelFolders((tmp_path / "models",)), ("ensemble", "vlm", "vlg"), policy, "cpu"
    )


def save(store, lot, *results, battery=None):
    for b in lot.batteries:
        if battery is None or b.battery_id == battery:
            words = {**OFF, **{result.system: result for result in results}}
            store.save_battery(assemble(b, words))


def left(plan):
    return [battery.battery_id for battery in plan.batteries]


def asked(plan, system):
    return [battery.battery_id for battery in plan.left_for(system)]


def test_a_new_session_has_everything_left_for_everyone(store, lot, conditions):
    plan = plan_rest(store, lot, conditions)
    assert all(asked(plan, name) == ["000", "001", "002"] for name in conditions.systems)


def test_a_system_without_a_model_takes_nothing_up_again(store, lot, conditions):
    missing = LaneResult("vlg", "not_installed", Message(code="model_not_installed"))
    save(store, lot, ENSEMBLE, VLM, missing)
    assert left(plan_rest(store, lot, conditions)) == []


def test_an_ensemble_without_a_model_takes_nothing_up_again(store, lot, conditions, tmp_path):
    save(store, lot, VLM)
    (tmp_path / "models" / "ct_cnn").rmdir()
    assert left(plan_rest(store, lot, conditions)) == []


def test_a_system_installed_or_switched_on_since_is_asked_and_no_other(
    store, lot, conditions, tmp_path
):
    save(store, lot, ENSEMBLE, VLM)
    (tmp_path / "models" / "vlg").mkdir()
    plan = plan_rest(store, lot, conditions)
    assert asked(plan, "vlg") == ["000", "001", "002"]
    assert asked(plan, "ensemble") == asked(plan, "vlm") == []
    off = replace(conditions, systems=("ensemble", "vlm"))
    assert left(plan_rest(store, lot, off)) == []


def test_a_battery_that_failed_is_tried_again_by_the_system_that_failed(store, lot, conditions):
    save(store, lot, ENSEMBLE, VLM)
    failed = LaneResult("vlm", "failed", Message(code="cancelled_by_operator"))
    save(store, lot, ENSEMBLE, failed, battery="001")
    plan = plan_rest(store, lot, conditions)
    assert left(plan) == asked(plan, "vlm") == ["001"]
    assert asked(plan, "ensemble") == []


def test_a_battery_whose_file_is_damaged_is_inspected_as_if_it_never_was(store, lot, conditions):
    save(store, lot, ENSEMBLE, VLM, VLG)
    (store.folder / "batteries" / "001.json").write_bytes(b"{")
    plan = plan_rest(store, lot, conditions)
    assert asked(plan, "ensemble") == ["001"]


def test_only_the_batteries_that_were_asked_for_are_planned(store, lot, conditions):
    assert left(plan_rest(store, lot, conditions, only=["002", "000"])) == ["000", "002"]


def test_once_more_asks_the_systems_that_are_on_and_keeps_the_others_words(store, lot, conditions):
    save(store, lot, ENSEMBLE, VLM, VLG)
    plan = plan_again(store, lot, replace(conditions, systems=("ensemble",)), "001")
    assert left(plan) == asked(plan, "ensemble") == ["001"]
    assert set(plan.earlier["001"]) == {"vlm", "vlg"}


def test_without_a_system_there_is_nothing_to_plan(store, lot, conditions):
    with pytest.raises(InspectionError) as refused:
        plan_rest(store, lot, replace(conditions, systems=()))
    assert refused.value.message.code == "no_system_chosen"


@pytest.mark.parametrize(
    ("failed", "cancelled", "status"),
    [(False, False, "completed"), (True, False, "failed"), (True, True, "cancelled")],
)
def test_the_status_says_whether_anything_is_left(store, lot, failed, cancelled, status):
    save(store, lot, ENSEMBLE)
    if failed:
        save(store, lot, LaneResult("ensemble", "failed", Message(code="cancelled_by_operator")),
             battery="002")  # fmt: skip
    end_session(store, lot, cancelled=cancelled)
    assert store.record.status == status
    assert (store.record.error_message or "").startswith("1") is (status == "failed")


def test_a_battery_that_has_left_the_lot_was_not_inspected(store, lot):
    rest = Lot(lot.root, lot.batteries[:2])
    save(store, rest, ENSEMBLE)
    end_session(store, rest, cancelled=False)
    assert store.record.status == "failed"


def test_a_resume_with_nothing_left_writes_nothing(store, lot, conditions):
    missing = LaneResult("vlg", "not_installed", Message(code="model_not_installed"))
    save(store, lot, ENSEMBLE, VLM, missing)
    end_session(store, lot, cancelled=False)

    def files():
        return {p: p.stat().st_mtime_ns for p in store.folder.rglob("*.json")}

    before = files()
    inspect_into(
        store, lot, plan_rest(store, lot, conditions), UninstalledLane,
        cancel=threading.Event(), on_event=lambda event: None,
    )  # fmt: skip
    assert files() == before


class CancelledLane(UninstalledLane):
    """Is stopped while it is at its first battery."""

    def load(self):
        return []

    def inspect(self, battery, cancel, on_event):
        cancel.set()
        return LaneResult(self.name, "cancelled", Message(code="cancelled_by_operator"))


def test_a_battery_that_is_cancelled_keeps_what_was_said_of_it(store, lot, conditions):
    save(store, lot, ENSEMBLE, VLM, VLG)
    before = store.load_battery("001")
    plan = plan_again(store, lot, replace(conditions, systems=("ensemble",)), "001")
    events = []
    assert inspect_into(
        store, lot, plan, CancelledLane, cancel=threading.Event(), on_event=events.append
    )
    assert store.load_battery("001") == before
    assert not any(isinstance(event, BatteryChanged) for event in events)
    assert store.record.status == "cancelled"


class LateLane(CancelledLane):
    """Is stopped when it has just done all there is."""

    def inspect(self, battery, cancel, on_event):
        cancel.set()
        return ENSEMBLE


def test_a_cancel_that_comes_too_late_has_stopped_nothing(store, lot, conditions):
    save(store, lot, ENSEMBLE, VLM, VLG)
    plan = plan_again(store, lot, replace(conditions, systems=("ensemble",)), "001")
    cancelled = inspect_into(
        store, lot, plan, LateLane, cancel=threading.Event(), on_event=lambda event: None
    )
    assert not cancelled
    assert store.record.status == "completed"
