from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from inspection.people.person import Person
from inspection.results import Kind
from inspection.session.decisions import Decided, DecisionHistory
from inspection.session.record import Action, BatterySummary, Decision

KIM, LEE = Person(name="Kim", role="operator"), Person(name="Lee", role="quality")
START = datetime(2026, 11, 28, 9, 0).astimezone()


class Session:
    """A history written as the story reads."""

    def __init__(self) -> None:
        self.history = DecisionHistory()
        self.sequence = 0

    def says(self, person: Person, battery_id: str, kind: Kind, action: Action = "override"):
        self._take(person, battery_id, kind, action, None)

    def undoes(self, person: Person) -> str | None:
        """Take back what the person may; return the battery, None where there is nothing."""
        entry = self.history.undoable(person)
        if entry is None:
            return None
        before = self.history.restored(entry)
        kind = before.decision.kind if before else "review"
        self._take(person, entry.battery_id, kind, "undo", before.sequence if before else None)
        return entry.battery_id

    def _take(self, person: Person, battery_id: str, kind: Kind, action: Action, restores):
        self.sequence += 1
        decision = Decision(
            action=action,
            kind=kind,
            operator=person.name,
            role=person.role,
            decided_at=START + timedelta(seconds=self.sequence),
        )
        self.history.take(Decided(self.sequence, battery_id, decision, restores))

    def told(self, battery_id: str) -> list[tuple[str, Kind]]:
        """Return who said what on a battery, oldest first, the one in force last."""
        row = self.history.on(BatterySummary(battery_id=battery_id, state="done", kind="review"))
        words = [*row.earlier, *([row.decision] if row.decision else [])]
        return [(word.operator, word.kind) for word in words]


@pytest.fixture
def session() -> Session:
    return Session()


def test_a_change_keeps_what_it_takes_the_place_of(session):
    session.says(KIM, "001", "normal", "accept")
    session.says(LEE, "001", "internal_defect")
    session.says(KIM, "001", "composite_defect")
    assert session.told("001") == [
        ("Kim", "normal"),
        ("Lee", "internal_defect"),
        ("Kim", "composite_defect"),
    ]
    assert session.told("002") == []


def test_undo_takes_back_one_s_own_last_decision_wherever_it_was_made(session):
    for battery_id in ("001", "002", "003"):
        session.says(KIM, battery_id, "normal", "accept")
    session.says(LEE, "004", "normal", "accept")
    assert [session.undoes(KIM) for _ in range(4)] == ["003", "002", "001", None]
    assert session.told("003") == []
    assert session.told("004") == [("Lee", "normal")]


def test_undo_restores_what_stood_before_and_then_goes_on_in_the_order_of_deciding(session):
    session.says(KIM, "001", "normal", "accept")
    session.says(KIM, "002", "normal", "accept")
    session.says(KIM, "001", "internal_defect")
    assert session.undoes(KIM) == "001"
    assert session.told("001") == [("Kim", "normal")]
    assert [session.undoes(KIM) for _ in range(3)] == ["002", "001", None]


def test_a_colleague_s_decision_is_not_undone_nor_one_s_own_from_under_it(session):
    session.says(KIM, "001", "normal", "accept")
    session.says(KIM, "002", "normal", "accept")
    session.says(LEE, "002", "external_defect")
    assert session.undoes(KIM) == "001"
    assert session.undoes(KIM) is None
    assert session.told("002") == [("Kim", "normal"), ("Lee", "external_defect")]
    # Once the colleague has taken theirs back, one's own is in force again, and one's own to undo.
    assert session.undoes(LEE) == "002"
    assert session.told("002") == [("Kim", "normal")]
    assert session.undoes(KIM) == "002"


def test_a_colleague_s_decision_stands_again_once_one_s_own_change_of_it_is_undone(session):
    session.says(LEE, "001", "internal_defect")
    session.says(KIM, "001", "normal")
    assert session.undoes(KIM) == "001"
    assert session.told("001") == [("Lee", "internal_defect")]
    assert session.undoes(KIM) is None


def test_an_undo_of_before_there_were_changes_leaves_its_battery_undecided(session):
    session.says(KIM, "001", "normal", "accept")
    session.says(LEE, "001", "internal_defect")
    session._take(KIM, "001", "review", "undo", None)
    assert session.told("001") == []
    assert session.history.battery_ids == ("001",)
    session.says(LEE, "001", "normal")
    assert session.told("001") == [("Lee", "normal")]


def test_the_same_story_read_at_once_ends_the_same(session):
    session.says(KIM, "001", "normal", "accept")
    session.says(LEE, "001", "internal_defect")
    standing, earlier = session.history.standing("001"), session.history.earlier("001")
    again = DecisionHistory([*earlier, standing])
    assert again.standing("001") == standing
    assert again.earlier("001") == earlier
    assert again.undoable(LEE) == standing
