from __future__ import annotations

import pytest

from app.lot.review import BatteryView, Row
from app.panels.missing import MissingModel
from inspection.messages import Message
from inspection.records import Battery
from inspection.results import BatteryResult, SystemState, Verdict
from inspection.run.status import LaneStatus


@pytest.fixture
def missing(qtbot) -> MissingModel:
    made = MissingModel()
    qtbot.addWidget(made)
    return made


def view(row: SystemState, code: str | None, said: SystemState = "failed", **params) -> BatteryView:
    """Return a battery whose row has one state, and its last result a message."""
    messages = {"vlg": Message(code=code, params=params)} if code else {}
    result = BatteryResult(
        battery_id="001",
        state="done",
        systems={"vlg": said},
        system_messages=messages,
        verdict=Verdict(kind="normal"),
    )
    return BatteryView(Row(Battery("001", "001", "001"), systems={"vlg": row}), (), result)


def test_a_system_queued_again_says_nothing_of_the_last_time(missing):
    missing.set_lane(LaneStatus("vlg", "loading"))
    missing.show_battery("vlg", view("queued", "model_not_installed", system="VLG"))
    assert missing.chip.text == "Queued"
    assert not missing.reason.text()
    assert not missing.advice.text()


def test_what_else_a_model_needs_is_said_beside_not_installed(missing):
    missing.show_battery("vlg", view("not_installed", "vlg_needs_bert", name="swinb"))
    assert "bert-base-uncased" in missing.reason.text()
    assert not missing.install.isHidden()


def test_a_system_switched_off_says_where_it_is_switched_on(missing):
    missing.show_battery("vlg", view("off", None))
    assert "Switch this system on" in missing.advice.text()
    assert missing.install.isHidden()


@pytest.mark.parametrize(
    ("code", "params", "offered"),
    [
        ("bundle_altered", {"folder": "vlg", "file": "model.safetensors"}, True),
        ("lane_failed", {"system": "VLG", "problem": "ValueError"}, False),
    ],
)
def test_the_manager_is_offered_where_a_model_has_to_be_installed_again(
    missing, code, params, offered
):
    missing.show_battery("vlg", view("failed", code, **params))
    assert missing.reason.text()
    assert missing.install.isHidden() is not offered
