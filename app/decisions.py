"""The operator's word on the current battery: taken, named, saved, withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

from PySide6.QtCore import QObject, Signal

from app.session_writer import SessionWriter
from app.shown_lot import ShownLot
from inspection.results import Kind
from inspection.session.record import BatterySummary, Decision


class Decisions(QObject):
    """Takes decisions on the current battery of the lot that is shown.

    Parameters
    ----------
    shown : the lot
    writer : writes them down
    with_session : goes on with something once a session is open
    operator : who decides; empty where that is not known yet
    """

    operator_needed = Signal()
    operator_named = Signal(str)

    def __init__(
        self,
        shown: ShownLot,
        writer: SessionWriter,
        with_session: Callable[[Callable[[], None]], None],
        operator: str,
    ) -> None:
        super().__init__(shown)
        self._shown = shown
        self._writer = writer
        self._with_session = with_session
        self._operator = operator
        # Taken before the operator has given a name; dropped where none is given.
        self._waiting: Callable[[], None] | None = None
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
            self._decide(lambda: self._writer.undo(battery_id, self._operator))

    def set_operator(self, name: str) -> None:
        """Name the operator, then carry out the decision that waited for it."""
        self._operator = name.strip()
        self.operator_named.emit(self._operator)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._decide(waiting)

    def forget(self) -> None:
        """Drop the decision that waited for the operator's name."""
        self._waiting = None

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

    def _decide(self, decision: Callable[[], None]) -> None:
        if not self._operator:
            self._waiting = decision
            self.operator_needed.emit()
        elif self.may_decide:
            self._with_session(decision)

    def _record(self, battery_id: str, word: dict[str, str]) -> None:
        decision = Decision.model_validate(
            {**word, "operator": self._operator, "decided_at": datetime.now().astimezone()}
        )
        # Shown before it is on the disk; the row says so where it cannot be saved.
        self._shown.set_row(replace(self._shown.rows[battery_id], decision=decision))
        self._writer.decide(battery_id, decision)

    def _on_decided(self, summary: BatterySummary) -> None:
        row = self._shown.rows.get(summary.battery_id)
        if row is not None:
            self._shown.set_row(replace(row, decision=summary.decision, unsaved=False))
