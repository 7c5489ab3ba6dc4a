"""What a decision, a change and an undo are in a session: the entry of its log, or a refusal.

Pure: from what the chain tells so far; the store writes it.
"""

from __future__ import annotations

from datetime import datetime

from inspection.errors import SessionError
from inspection.people.person import Person
from inspection.session.audit import AuditEntry
from inspection.session.record import BatterySummary, Decision
from inspection.session.story import SessionStory


def decide(story: SessionStory, battery_id: str, decision: Decision, *, change: bool) -> AuditEntry:
    """Return the entry of a decision.

    Parameters
    ----------
    change : put it in the place of the one that is in force; else none may be

    Raises
    ------
    SessionError
        If the battery is unknown, or decided (undecided, where it is to be changed), or if a
        verdict is accepted that is not (any more) the station's.
    """
    if decision.action == "undo":
        raise ValueError("an undo has a function of its own")
    row = story.row(battery_id)
    if row is None:
        raise SessionError("session_battery_unknown", battery=battery_id)
    if change and row.decision is None:
        raise SessionError("session_nothing_to_change", battery=battery_id)
    # One that accepted a verdict which the station has changed since leaves it open.
    if not change and row.decision is not None and not row.decision.is_outdated(row.kind):
        raise SessionError("session_already_decided", battery=battery_id)
    if decision.is_outdated(row.kind):
        raise SessionError("session_accept_changed", battery=battery_id)
    if decision.action == "accept" and row.kind in ("review", "not_inspected"):
        raise SessionError("session_accept_open", battery=battery_id)
    at, shown = decision.decided_at.astimezone(), decision.shown or row.digest
    return _entry(story, row, decision.model_copy(update={"decided_at": at, "shown": shown}))


def undo(story: SessionStory, person: Person) -> AuditEntry:
    """Return the entry that takes back a person's own last decision that is in force.

    Raises
    ------
    SessionError
        If there is none, or the session is signed.
    """
    record = story.record
    if record.signatures:
        raise SessionError("session_signed", session=record.run_id)
    standing = story.history.undoable(person)
    row = story.row(standing.battery_id) if standing else None
    if standing is None or row is None:
        raise SessionError("session_nothing_to_undo", name=person.name)
    restored = story.history.restored(standing)
    decision = Decision(
        action="undo",
        kind=restored.decision.kind if restored else row.kind,
        operator=person.name,
        role=person.role,
        decided_at=datetime.now().astimezone(),
    )
    return _entry(story, row, decision, restored.sequence if restored else None)


def _entry(
    story: SessionStory, row: BatterySummary, decision: Decision, restores: int | None = None
) -> AuditEntry:
    standing = story.history.standing(row.battery_id)
    return AuditEntry(
        sequence=story.sequence + 1,
        battery_id=row.battery_id,
        kind_before=row.decision.kind if row.decision else row.kind,
        decision=decision,
        changes=standing.sequence if standing else None,
        restores=restores,
    )
