"""The lot on screen and the run over it: from a plan to rows that say how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QObject, Signal

from app.lot.earlier import OtherJudges
from app.lot.review import Row
from app.lot.run_bridge import RunBridge
from app.lot.session_writer import SessionWriter
from app.lot.shown_lot import ShownLot
from inspection.errors import InspectionError
from inspection.keeping.space import shortage
from inspection.records import Lot
from inspection.results import BatteryResult, SystemName, SystemState
from inspection.run.plan import Plan
from inspection.run.worker import BuildLane
from inspection.session.store import FINAL_STATES, SessionStore


class InspectedLot(ShownLot):
    """What the panels show, and what is done to it.

    Parameters
    ----------
    writer : reads and writes the session
    build : makes a lane of a system
    """

    nothing_left = Signal()
    noticed = Signal(object)
    """Messages that stop nothing: what has changed since a session was begun."""

    def __init__(self, writer: SessionWriter, build: BuildLane, parent: QObject | None) -> None:
        super().__init__(writer, parent)
        self.runner = RunBridge(build, self)
        self.other_judges = OtherJudges(self)
        self.runner.battery_changed.connect(self._on_result)
        self.runner.system_started.connect(self._on_started)
        self.runner.models_changed.connect(writer.set_models)
        self.runner.ended.connect(self._on_ended)
        writer.unsaved_changed.connect(self._on_unsaved)

    def plan_run(self, lot: Lot, plan: Callable[..., Plan]) -> None:
        """Have a run planned in the session's thread, which reads its batteries; then start it.

        Parameters
        ----------
        lot : the lot that is shown
        plan : makes it of the store and what is not saved yet
        """

        def work(store: SessionStore, unsaved: Mapping[str, BatteryResult]) -> Plan:
            planned = plan(store, unsaved=unsaved)
            aggregation = planned.settings.inspector.aggregation
            room = shortage(planned.batteries, store.folder.parent, aggregation)
            return replace(planned, told=(*planned.told, *room))

        self.writer.read(work, partial(self._on_planned, lot))

    def _on_planned(self, lot: Lot, plan: Plan) -> None:
        if self.lot is not lot or self.writer.read_only or self.runner.phase != "idle":
            return
        if plan.told:
            self.noticed.emit(plan.told)
        if not plan.batteries:
            self.writer.end_run(lot, cancelled=False)
            self.nothing_left.emit()
            return
        record = self.writer.record
        assert record is not None
        self.other_judges.ask(record.run_id, plan.others, partial(self._go, lot, plan))

    def _go(self, lot: Lot, plan: Plan) -> None:
        if self.lot is not lot or self.writer.read_only or self.runner.phase != "idle":
            # Asked, and answered when something else had begun.
            return
        self.writer.begin_run()
        for battery in plan.batteries:
            done: dict[SystemName, SystemState]
            done = dict.fromkeys(plan.earlier.get(battery.battery_id, ()), "done")
            self.set_row(replace(self.rows[battery.battery_id], state="queued", systems=done))
        self.runner.start(plan)

    def _on_started(self, battery_id: str, system: SystemName) -> None:
        row = self.rows[battery_id].with_system(system, "running")
        self.set_row(replace(row, state="running"))

    def _on_result(self, result: BatteryResult, worth_saving: bool) -> None:
        if worth_saving:
            self.writer.save(result)
        self.show_result(result)

    def _on_ended(self, cancelled: bool) -> None:
        if cancelled:
            for battery_id in self.runner.unfinished:
                self.set_row(self._interrupted(self.rows[battery_id]))
        if self.lot is not None:
            self.writer.end_run(self.lot, cancelled=cancelled, stopped=self.runner.stopped)
        self.writer.list_sessions()

    def _interrupted(self, row: Row) -> Row:
        """Return a row as a cancelled run leaves it; what was done before it still is."""
        record = self.writer.record
        for summary in record.batteries if record else ():
            if summary.battery_id == row.battery_id and summary.state in FINAL_STATES:
                kept = self._results.get(row.battery_id)
                row = row.with_summary(summary)
                return replace(row, systems=dict(kept.systems) if kept else {})
        stopped: dict[SystemName, SystemState] = dict(row.systems)
        stopped |= {name: "cancelled" for name, state in stopped.items() if state == "running"}
        return replace(row, state="cancelled" if stopped else "queued", systems=stopped)

    def _on_unsaved(self, error: InspectionError | None) -> None:
        waiting = set(self.writer.unsaved) if error is not None else set()
        for row in list(self.rows.values()):
            unsaved = row.battery_id in waiting and row.decision is not None
            if row.unsaved != unsaved:
                self.set_row(replace(row, unsaved=unsaved))
        if error is not None and self.runner.phase == "running":
            # What cannot be saved is kept in memory: nothing more is to be heaped on it.
            self.runner.set_paused(True)
