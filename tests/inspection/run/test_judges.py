"""What judged a battery is in its file; a resume under anything else says so."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace

import pytest
from builders.reading_lane import ReadingLane

from inspection.config import Policy, load_inspector
from inspection.lot.scan import scan_lot
from inspection.modelstore.folders import ModelFolders
from inspection.run.driver import inspect_into
from inspection.run.judges import policy_digest
from inspection.run.plan import Conditions, plan_again, plan_rest
from inspection.session.creating import create_session

OLD, NEW = "1" * 64, "2" * 64


@pytest.fixture
def lot(tmp_path):
    for battery in ("001", "002"):
        folder = tmp_path / "lot" / battery / "ct"
        folder.mkdir(parents=True)
        (folder / "0.png").write_bytes(b"picture")
    return scan_lot(tmp_path / "lot")


@pytest.fixture
def conditions(tmp_path):
    policy = Policy(load_inspector(), tmp_path / "inspector.yaml")
    install(tmp_path, OLD)
    return Conditions(ModelFolders((tmp_path / "models",)), ("ensemble",), policy, "cpu")


def install(tmp_path, sha256):
    """Leave what is read of a model before it is loaded: its description."""
    folder = tmp_path / "models" / "ct_cnn"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bundle.json").write_text(json.dumps({"sha256": sha256}), encoding="utf-8")


@pytest.fixture
def store(lot, conditions, tmp_path):
    config = conditions.policy.snapshot()
    with create_session(
        tmp_path / "sessions", lot=lot, language="en", config=config, device="cpu"
    ) as made:
        yield made


def inspect(store, lot, plan, sha256=OLD):
    inspect_into(
        store, lot, plan, lambda _system, settings: ReadingLane(settings, sha256=sha256),
        cancel=threading.Event(), on_event=lambda event: None,
    )  # fmt: skip


def codes(messages):
    return [message.code for message in messages]


def test_what_judged_and_the_files_as_they_were_are_in_the_batterys_file(store, lot, conditions):
    inspect(store, lot, plan_rest(store, lot, conditions))
    result = store.load_battery("001")
    assert result.judged_by["ensemble"].models == {"ct_cnn": OLD}
    assert result.judged_by["ensemble"].policy == policy_digest(conditions.policy)
    assert [(p.image, p.size, p.digest) for p in result.prints] == [("001/ct/0.png", 7, None)]


def test_digests_are_kept_where_they_are_asked_for(store, lot, conditions):
    inspect(store, lot, plan_rest(store, lot, replace(conditions, digests=True)))
    assert len(store.load_battery("001").prints[0].digest) == 64


def test_another_model_is_told_before_the_rest_is_judged_with_it(store, lot, conditions, tmp_path):
    inspect(store, lot, plan_rest(store, lot, conditions, only=["001"]))
    assert plan_rest(store, lot, conditions).others == ()
    install(tmp_path, NEW)
    plan = plan_rest(store, lot, conditions)
    assert codes(plan.others) == ["session_other_models"]
    assert "ct_cnn" in plan.others[0].text("ko")
    inspect(store, lot, plan, NEW)
    assert store.load_battery("001").judged_by["ensemble"].models == {"ct_cnn": OLD}
    assert store.load_battery("002").judged_by["ensemble"].models == {"ct_cnn": NEW}
    assert codes(plan_again(store, lot, conditions, "002").others) == ["session_other_models"]


def test_nothing_left_asks_nothing(store, lot, conditions, tmp_path):
    inspect(store, lot, plan_rest(store, lot, conditions))
    install(tmp_path, NEW)
    assert plan_rest(store, lot, conditions).others == ()


def test_a_session_whose_batteries_do_not_tell_is_compared_by_its_models(
    store, lot, conditions, tmp_path
):
    inspect(store, lot, plan_rest(store, lot, conditions, only=["001"]))
    old = store.load_battery("001").model_copy(update={"judged_by": {}, "prints": []})
    store.save_battery(old)
    assert plan_rest(store, lot, conditions).others == ()
    install(tmp_path, NEW)
    assert codes(plan_rest(store, lot, conditions).others) == ["session_other_models"]


def test_the_session_goes_on_under_its_own_policy_and_says_so(store, lot, conditions, tmp_path):
    inspect(store, lot, plan_rest(store, lot, conditions, only=["001"]))
    other = load_inspector().model_copy(update={"method": "voting"})
    assert other != conditions.policy.inspector
    changed = replace(conditions, policy=Policy(other, tmp_path / "inspector.yaml"))
    plan = plan_rest(store, lot, changed)
    assert plan.policy == policy_digest(conditions.policy)
    assert (codes(plan.told), plan.others) == (["session_own_policy"], ())


def test_another_setting_of_the_site_is_another_policy(
    store, lot, conditions, tmp_path, monkeypatch
):
    inspect(store, lot, plan_rest(store, lot, conditions, only=["001"]))
    site = tmp_path / "site"
    site.mkdir()
    (site / "site.yaml").write_text("vlm: {limits: {max_new_tokens: 64}}", encoding="utf-8")
    monkeypatch.setenv("STATION_SITE", str(site))
    assert "session_other_policy" in codes(plan_rest(store, lot, conditions).others)


def test_a_battery_whose_images_have_changed_is_named_and_what_is_left_of_it_done_anew(
    store, lot, conditions, tmp_path
):
    inspect(store, lot, plan_rest(store, lot, conditions))
    os.utime(lot.root / "001" / "ct" / "0.png", ns=(1, 1))
    plan = plan_rest(store, lot, conditions)
    assert (codes(plan.told), plan.batteries) == (["images_changed"], ())
    (tmp_path / "models" / "vlm").mkdir()
    plan = plan_rest(store, lot, replace(conditions, systems=("ensemble", "vlm")))
    assert codes(plan.told) == ["images_changed", "battery_taken_up_anew"]
    assert [b.battery_id for b in plan.left_for("ensemble")] == ["001"]
    assert [b.battery_id for b in plan.left_for("vlm")] == ["001", "002"]
