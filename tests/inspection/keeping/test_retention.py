"""Evidence goes by the site's rule, announced before; what was decided never goes."""

from __future__ import annotations

from datetime import timedelta

from builders.finished_session import NOW, finished_session

from inspection.config import EvidenceRule
from inspection.keeping.retention import plan_removals, remove_evidence
from inspection.session.store import SessionStore
from inspection.session.verify import verify_session

RULE = EvidenceRule(max_days=30, notice_days=7)


def test_nothing_goes_before_it_was_told_for_a_week(session, tmp_path):
    notices = tmp_path / "data" / "retention.json"
    later = NOW + timedelta(days=31)
    (planned,) = plan_removals(session.parent, RULE, notices, later)
    assert (planned.folder, planned.why, planned.due) == (session, "age", later + timedelta(days=7))
    (again,) = plan_removals(session.parent, RULE, notices, later + timedelta(days=7))
    assert again.due == planned.due


def test_removing_leaves_verdict_decision_and_seal(session, tmp_path):
    (planned,) = plan_removals(session.parent, RULE, tmp_path / "n.json", NOW + timedelta(days=40))
    remove_evidence(planned)
    assert not list((session / "evidence").rglob("*.jpg"))
    assert verify_session(session).state == "sealed"
    with SessionStore.open(session, read_only=True) as store:
        (row,) = store.record.batteries
        assert (row.kind, row.decision.operator) == ("internal_defect", "김검사")
        assert store.load_battery("001").verdict.kind == "internal_defect"


def test_the_oldest_go_first_where_there_is_too_much(tmp_path):
    root = tmp_path / "sessions"
    gib = 3000 / (1 << 30)
    sessions = [finished_session(root, NOW + timedelta(days=day), 2000) for day in range(3)]
    rule = EvidenceRule(max_gib=gib)
    planned = plan_removals(root, rule, tmp_path / "n.json", NOW + timedelta(days=3))
    assert [(removal.folder, removal.why) for removal in planned] == [
        (sessions[0], "size"),
        (sessions[1], "size"),
    ]


def test_an_unfinished_session_keeps_its_pictures(session, tmp_path):
    with SessionStore.open(session) as store:
        store.mark("cancelled")
    later = NOW + timedelta(days=400)
    assert plan_removals(session.parent, RULE, tmp_path / "n.json", later) == []


def test_lost_notices_only_put_the_removal_off(session, tmp_path):
    notices, later = tmp_path / "n.json", NOW + timedelta(days=40)
    plan_removals(session.parent, RULE, notices, later)
    notices.write_text("[half", encoding="utf-8")
    (planned,) = plan_removals(session.parent, RULE, notices, later + timedelta(days=6))
    assert planned.due == later + timedelta(days=13)
