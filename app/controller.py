"""What the operator wants becomes runs, session entries, and what the panels show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.decisions import Decisions
from app.earlier import ChangedImages, Offer, OtherJudges, offer_of
from app.folders import backend_cache
from app.following import Following
from app.people import People
from app.region_marks import RegionMarks
from app.review import Row
from app.run_bridge import RunBridge
from app.session_writer import SessionWriter
from app.settings import Settings
from app.shown_lot import ShownLot
from app.tasks import TaskPool, Ticket
from app.wording import languages
from inspection.config import GreySetting, Policy, find_policy, policy_of
from inspection.errors import InspectionError
from inspection.keeping.space import shortage
from inspection.modelstore.folders import ModelFolders
from inspection.people.roles import PeopleConfig
from inspection.people.users import UserStore
from inspection.records import Lot
from inspection.results import BatteryResult, SystemName, SystemState
from inspection.run.plan import Conditions, Plan, plan_again, plan_rest
from inspection.run.worker import BuildLane
from inspection.seals.log import StationLog
from inspection.session.files import SessionListing
from inspection.session.record import SessionRecord
from inspection.session.store import FINAL_STATES, SessionStore
from inspection.systems.memory import GpuBudget


class Controller(ShownLot):
    """The window's one stateful part; panels only show what it tells them.

    Parameters
    ----------
    settings : as loaded
    models, sessions_dir : where models and sessions are
    policy : fusion policy
    people : whether people sign in, and who may do what
    build : makes a lane of a system
    """

    session_changed = Signal(object)
    sessions_listed = Signal(object)
    earlier_found = Signal(object, bool)
    """The last session of the lot that was opened; True where it can be gone on with."""
    settings_changed = Signal(object)
    policy_changed = Signal()
    scanning = Signal(bool)
    nothing_left = Signal()
    noticed = Signal(object)
    """Messages that stop nothing: what has changed since a session was begun."""
    failed = Signal(object)

    def __init__(
        self,
        settings: Settings,
        models: ModelFolders,
        sessions_dir: Path,
        policy: Policy,
        people: PeopleConfig,
        build: BuildLane,
        parent: QObject | None = None,
    ) -> None:
        writer = SessionWriter(sessions_dir)
        super().__init__(writer, parent)
        writer.setParent(self)
        self.settings = settings
        self.policy = policy
        self.models = models
        self.files = TaskPool(2, "files", self)
        self.following = Following(writer, self.files, self)
        self.following.grown.connect(self._on_grown)
        self.following.stopped.connect(self.failed)
        self.runner = RunBridge(build, self)
        self._gpu = GpuBudget()
        self._scan: Ticket | None = None
        # Of the session whose rows are on screen: one that was opened waits for its lot's scan.
        self._shown_run: str | None = None
        self._autostart = False
        # Whether it is known which session of the lot is on offer.
        self._listed = True
        self._once_listed: Callable[[], None] | None = None
        self._offer: Offer | None = None
        # What was told of it: which session, live, unfinished.
        self._asked: tuple[str, bool, bool] | None = None
        self.other_judges = OtherJudges(self)
        self.changed_images = ChangedImages(self.files, self)
        self.changed_images.found.connect(self.noticed)
        log = StationLog()
        self.people = People(people, UserStore(people, log), log, settings.operator, self)
        self.people.failed.connect(self.failed)
        self.people.handed_over.connect(self._on_handed_over)
        self.people.named.connect(self._on_operator)
        self.marks = RegionMarks(self)
        self.current_changed.connect(self.marks.show_battery)
        self.decisions = Decisions(self, writer, self.with_session, self.people, self.marks)
        self.runner.battery_changed.connect(self._on_result)
        self.runner.system_started.connect(self._on_started)
        self.runner.models_changed.connect(writer.set_models)
        self.runner.ended.connect(self._on_ended)
        writer.opened.connect(self.session_changed)
        writer.listed.connect(self._on_listed)
        writer.unsaved_changed.connect(self._on_unsaved)
        writer.failed.connect(self.failed)

    def shut_down(self) -> None:
        """Stop the lanes, write what waits, end every thread."""
        running = self.runner.phase != "idle"
        self.following.stop()
        self.changed_images.stop()
        self.runner.shut_down()
        if running and self.lot is not None:
            self.writer.end_run(self.lot, cancelled=True)
        self.writer.shut_down()
        self.people.shut_down()
        self.files.close(finish=False)

    # -- lots and sessions -----------------------------------------------------------------

    def open_lot(self, root: Path, *, autostart: bool = False) -> None:
        """Scan a lot folder and show it."""
        self._begin_scan(root, partial(self._on_lot, autostart=autostart))

    def open_session(self, folder: Path) -> None:
        """Reopen a saved session, with its lot where that still exists."""
        if self._may_leave():
            self.writer.open(folder, self._on_session_opened)

    def _may_leave(self) -> bool:
        """Return True where the lot and the session can be left; an unsaved one is told."""
        if self.writer.held_up:
            self.failed.emit(InspectionError("session_unsaved"))
            return False
        return self.runner.phase == "idle"

    def _begin_scan(self, root: Path, then: partial[None]) -> None:
        if not self._may_leave():
            return
        if self._scan is not None:
            self._scan.cancel()
        self.scanning.emit(True)
        self._scan = self.files.submit(partial(_scan, root), then, self._on_scan_failed)

    def _on_scan_failed(self, error: Exception) -> None:
        self.scanning.emit(False)
        record = self.writer.record
        if record is not None and record.run_id != self._shown_run:
            self.writer.close()
            self.session_changed.emit(None)
        self.failed.emit(error)

    def _on_lot(self, lot: Lot, *, autostart: bool) -> None:
        self.scanning.emit(False)
        if not self._may_leave():
            # An inspection was started while the scan went on: its lot stays.
            return
        self.writer.close()
        self._shown_run = None
        self.session_changed.emit(None)
        self.show_lot(lot)
        self.change(self.settings.with_recent(lot.root))
        self._autostart = autostart
        self._listed, self._once_listed, self._offer, self._asked = False, None, None, None
        self.writer.list_sessions()

    def _on_session_opened(self, store: SessionStore) -> None:
        root = Path(store.record.lot.path)
        if store.record.lot.path and root.is_dir():
            self._begin_scan(root, partial(self._on_session_lot, store))
        else:
            self._show_session(Lot(root=root, batteries=()))
            self.failed.emit(InspectionError("lot_gone", path=store.record.lot.path))

    def _on_session_lot(self, store: SessionStore, lot: Lot) -> None:
        self.scanning.emit(False)
        record = self.writer.record
        if record is not None and record.run_id == store.record.run_id:
            self._show_session(lot)
            self.change(self.settings.with_recent(lot.root))
            self.changed_images.look(store, lot)

    def _show_session(self, lot: Lot) -> None:
        record = self.writer.record
        assert record is not None
        self._shown_run = record.run_id
        self.show_lot(lot, record)

    def _on_listed(self, listings: list[SessionListing]) -> None:
        self.sessions_listed.emit(listings)
        self._listed = True
        if self.lot is None or self.writer.record is not None:
            return
        autostart, self._autostart = self._autostart, False
        self._offer = offer_of(listings, self.lot.root)
        later, self._once_listed = self._once_listed, None
        if later is not None:
            later()
        elif autostart:
            self.start()
        elif self._offer is not None:
            listing, unfinished = self._offer.listing, self._offer.unfinished
            # Lists come by themselves as well: what was asked once is not asked again.
            asked, self._asked = self._asked, (listing.run_id, listing.live, unfinished)
            if asked != self._asked:
                self.earlier_found.emit(listing, unfinished)

    def _on_grown(self, before: SessionRecord, record: SessionRecord) -> None:
        if record.run_id == self._shown_run:
            self.follow(before, record)
        self.session_changed.emit(record)

    def resume(self, folder: Path) -> None:
        """Reopen an unfinished session of the lot that is open, and inspect the rest."""
        if self._may_leave():
            self.writer.open(folder, self._on_resumed)

    def _on_resumed(self, store: SessionStore) -> None:
        if self.lot is not None:
            self._show_session(self.lot)
            self.start()

    # -- inspection ------------------------------------------------------------------------

    def start(self) -> None:
        """Inspect what is still to be inspected, of the session that is open or on offer.

        A new one is made where neither has anything left.
        """
        offer = self._offer if self.writer.record is None else None
        if self.writer.record is None and not self._listed:
            # Which session it is to be is not known before the next moment.
            self._autostart = True
        elif offer is not None and offer.listing.live:
            self.open_session(offer.listing.folder)
        else:
            if offer is not None and not offer.unfinished:
                self._offer = None
            self._plan(plan_rest)

    def inspect_again(self, battery_id: str) -> None:
        """Inspect one battery once more; the operator's decision stays."""
        self._plan(partial(plan_again, battery_id=battery_id))

    def start_over(self) -> None:
        """Inspect the whole lot in a new session."""
        lot = self.lot
        if lot is not None and self._may_leave():
            self.writer.close()
            self._shown_run = self._offer = None
            # Whatever sessions there are, it is to be none of them.
            self._listed = True
            self.show_lot(lot)
            self.start()

    def _plan(self, plan: Callable[..., Plan]) -> None:
        """Have a run planned in the session's thread, which reads its batteries; then start it."""
        lot = self.lot
        if lot is None or self.runner.phase != "idle":
            return
        if (problem := self.people.why_not("start")) is not None:
            self.failed.emit(InspectionError(problem.code, **problem.params))
            return
        conditions = Conditions(
            self.models,
            self.settings.systems,
            self.policy,
            self.settings.device,
            self._gpu,
            backend_cache(),
        )

        def work(store: SessionStore, unsaved: Mapping[str, BatteryResult]) -> Plan:
            planned = plan(store, lot=lot, conditions=conditions, unsaved=unsaved)
            aggregation = planned.settings.inspector.aggregation
            room = shortage(planned.batteries, store.folder.parent, aggregation)
            return replace(planned, told=(*planned.told, *room))

        self.with_session(partial(self.writer.read, work, partial(self._run, lot)))

    def _run(self, lot: Lot, plan: Plan) -> None:
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

    def with_session(self, then: Callable[[], None]) -> None:
        """Go on with ``then`` once a session is open: the one on offer, else a new one.

        An empty one would hide the one with the work and the decisions in it.

        A session that was opened but is not shown yet may be another lot's: nothing is written
        to it.
        """
        record = self.writer.record
        if record is not None:
            if record.run_id == self._shown_run:
                then()
            return
        assert self.lot is not None
        if not self._listed:
            self._once_listed = partial(self.with_session, then)
            return
        if self._offer is not None:
            self.writer.open(self._offer.listing.folder, partial(self._on_offered, then))
            return
        self.writer.create(
            partial(self._on_created, then),
            lot=self.lot,
            operator=operator.name if (operator := self.people.current) else "",
            station=self.settings.station,
            language=languages.current,
            config=self.policy.snapshot(),
            device=self.settings.device,
        )

    def _on_offered(self, then: Callable[[], None], store: SessionStore) -> None:
        if self.lot is not None and self._shown_run != store.record.run_id:
            self._show_session(self.lot)
        if not self.writer.read_only:
            then()

    def _on_created(self, then: Callable[[], None], store: SessionStore) -> None:
        self._shown_run = store.record.run_id
        then()

    def take_models(self) -> None:
        """Models were installed or removed: let go of the old ones; a policy comes with them."""
        self.runner.unload()
        try:
            self.policy = find_policy(self.models.with_policy)
        except InspectionError as error:
            self.failed.emit(error)
        self._stacks.clear()
        self.policy_changed.emit()

    def stacks_judged_by(self) -> tuple[GreySetting, ModelFolders]:
        """Return what CT stacks would be windowed by now."""
        return self.policy_shown.inspector.grey_window, self.models

    @property
    def policy_shown(self) -> Policy:
        """The policy of the session that is open, else that of the next one."""
        record = self.writer.record
        try:
            return policy_of(record.config, self.policy) if record else self.policy
        except InspectionError:
            # Told where such a session is to be gone on with; to look at it is no fault.
            return self.policy

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

    # -- settings --------------------------------------------------------------------------

    def change(self, settings: Settings) -> None:
        """Take new settings."""
        if settings != self.settings:
            self.settings = settings
            self.settings_changed.emit(settings)

    def _on_handed_over(self) -> None:
        # A region that the one has marked is no evidence of the other's.
        self.marks.set_active(False)
        self.marks.clear()

    def _on_operator(self, name: str) -> None:
        self.change(self.settings.model_copy(update={"operator": name}))


def _scan(root: Path) -> Lot:
    # Imported in the thread that scans: it brings numpy, which the first paint can do without.
    from inspection.lot.scan import scan_lot

    return scan_lot(root)
