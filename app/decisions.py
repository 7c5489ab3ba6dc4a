"""The operator's word on the current battery: taken, named, saved, withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

from PySide6.QtCore import QObject

from app.people import People
from app.session_writer import SessionWriter
from app.shown_lot import ShownLot
from inspection.people.person import Person
from inspection.results import Kind
from inspection.session.record import BatterySummary, Decision


class Decisions(QObject):
    """Takes decisions on the current battery of the lot that is shown.

    Parameters
    ----------
    shown : the lot
    writer : writes them down
    with_session : goes on with something once a session is open
    people : who decides
    """

    def __init__(
        self,
        shown: ShownLot,
        writer: SessionWriter,
        with_session: Callable[[Callable[[], None]], None],
        people: People,
    ) -> None:
        super().__init__(shown)
        self._shown = shown
        self._writer = writer
        self._with_session = with_session
        self._people = people
        writer.decided.connect(self._on_decided)

    def accept(self) -> None:
        """Accept the station's verdict on the current battery."""
        row = self._shown.current_row()
        if self.may_accept and row is not None and row.kind is not None:
            self._decide(
                partial(self._record, row.battery_id, {"action": "accept", "kind": row.kind})
            )

    def override(self, kind: Kind, reason: str, comment: str) -> None:
        """Put the operator's word over the station's; a reason is required."""
        row = self._shown.current_row()
        if row is not None and reason.strip():
            word = {"kind": kind, "reason": reason.strip(), "comment": comment.strip()}
            self._decide(partial(self._record, row.battery_id, {"action": "override", **word}))

    def undo(self) -> None:
        """Withdraw the decision on the current battery."""
        row = self._shown.current_row()
        if row is not None and row.decision is not None:
            battery_id = row.battery_id
            self._decide(partial(self._withdraw, battery_id))

    @property
    def may_accept(self) -> bool:
        """True where there is a verdict that can be accepted."""
        row = self._shown.current_row()
        return self.may_decide and row is not None and row.kind not in (None, "not_inspected")

    @property
    def may_decide(self) -> bool:
        """True where a battery is current and its session can be written."""
        return self._shown.current_row() is not None and not self._writer.read_only

    @property
    def may_undo(self) -> bool:
        """True where there is a decision to withdraw."""
        row = self._shown.current_row()
        return self.may_decide and row is not None and row.decision is not None

    def _decide(self, decision: Callable[[Person], None]) -> None:
        self._people.with_person(partial(self._go_on, decision))

    def _go_on(self, decision: Callable[[Person], None]) -> None:
        person = self._people.current
        if person is not None and self.may_decide:
            self._with_session(partial(decision, person))

    def _withdraw(self, battery_id: str, person: Person) -> None:
        self._writer.undo(battery_id, person)

    def _record(self, battery_id: str, word: dict[str, str], person: Person) -> None:
        by = {"operator": person.name, "role": person.role}
        decision = Decision.model_validate(
            {**word, **by, "decided_at": datetime.now().astimezone()}
        )
        # Shown before it is on the disk; the row says so where it cannot be saved.
        self._shown.set_row(replace(self._shown.rows[battery_id], decision=decision))
        self._writer.decide(battery_id, decision)

    def _on_decided(self, summary: BatterySummary) -> None:
        row = self._shown.rows.get(summary.battery_id)
        if row is not None:
            self._shown.set_row(replace(row, decision=summary.decision, unsaved=False))
