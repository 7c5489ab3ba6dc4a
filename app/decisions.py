"""The operator's word on the current battery: taken, named, saved, withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QObject, Signal

from inspection.errors import InspectionError
from inspection.results import BatterySummary, Decision, Kind

if TYPE_CHECKING:
    from app.controller import Controller


class Decisions(QObject):
    """Takes decisions on the controller's current battery."""

    operator_needed = Signal()
    unsaved_changed = Signal(object)
    """The error that keeps things from being saved, or None once all is saved."""

    def __init__(self, controller: Controller) -> None:
        super().__init__(controller)
        self._controller = controller
        self._waiting: Callable[[], None] | None = None
        controller.writer.decided.connect(self._on_decided)
        controller.writer.unsaved_changed.connect(self._on_unsaved)

    def accept(self) -> None:
        """Accept the station's verdict on the current battery."""
        row = self._controller.current_row()
        if self.may_accept and row is not None and row.kind is not None:
            self._decide(partial(self._record, row.battery_id, "accept", row.kind))

    def override(self, kind: Kind, reason: str, comment: str) -> None:
        """Put the operator's word over the station's; a reason is required."""
        row = self._controller.current_row()
        if row is not None and reason.strip():
            self._decide(
                partial(
                    self._record, row.battery_id, "override", kind, reason.strip(), comment.strip()
                )
            )

    def undo(self) -> None:
        """Withdraw the decision on the current battery."""
        row = self._controller.current_row()
        if row is not None and row.decision is not None:
            self._decide(partial(self._withdraw, row.battery_id))

    def set_operator(self, name: str) -> None:
        """Name the operator, then carry out the decision that waited for it."""
        controller = self._controller
        controller.change(controller.settings.model_copy(update={"operator": name.strip()}))
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._decide(waiting)

    def forget(self) -> None:
        """Drop the decision that waited for the operator's name."""
        self._waiting = None

    @property
    def may_accept(self) -> bool:
        """True where there is a verdict that can be accepted."""
        row = self._controller.current_row()
        return self.may_decide and row is not None and row.kind not in (None, "not_inspected")

    @property
    def may_decide(self) -> bool:
        """True where a battery is current and its session can be written."""
        controller = self._controller
        return controller.current_row() is not None and not controller.writer.read_only

    @property
    def may_undo(self) -> bool:
        """True where there is a decision to withdraw."""
        row = self._controller.current_row()
        return self.may_decide and row is not None and row.decision is not None

    def _decide(self, decision: Callable[[], None]) -> None:
        if not self._controller.settings.operator:
            self._waiting = decision
            self.operator_needed.emit()
        elif self.may_decide:
            self._controller.with_session(decision)

    def _record(
        self,
        battery_id: str,
        action: Literal["accept", "override"],
        kind: Kind,
        reason: str = "",
        comment: str = "",
    ) -> None:
        controller = self._controller
        decision = Decision(
            action=action,
            kind=kind,
            reason=reason,
            comment=comment,
            operator=controller.settings.operator,
            decided_at=datetime.now().astimezone(),
        )
        controller.set_row(replace(controller.rows[battery_id], decision=decision))
        controller.writer.decide(battery_id, decision)

    def _withdraw(self, battery_id: str) -> None:
        self._controller.writer.undo(battery_id, self._controller.settings.operator)

    def _on_decided(self, summary: BatterySummary) -> None:
        row = self._controller.rows.get(summary.battery_id)
        if row is not None:
            self._controller.set_row(replace(row, decision=summary.decision, unsaved=False))

    def _on_unsaved(self, error: InspectionError | None) -> None:
        controller = self._controller
        waiting = set(controller.writer.unsaved) if error is not None else set()
        for row in list(controller.rows.values()):
            unsaved = row.battery_id in waiting and row.decision is not None
            if row.unsaved != unsaved:
                controller.set_row(replace(row, unsaved=unsaved))
        if error is not None and controller.runner.phase == "running":
            # What cannot be saved is kept in memory: nothing more is to be heaped on it.
            controller.runner.set_paused(True)
        self.unsaved_changed.emit(error)
