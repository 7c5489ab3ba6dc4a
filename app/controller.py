"""What the operator wants becomes runs, session entries, and what the panels show."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.folders import backend_cache
from app.lot.earlier import ChangedImages, OfferedSession
from app.lot.following import Following
from app.lot.inspected_lot import InspectedLot
from app.lot.session_writer import SessionWriter
from app.people.decisions import Decisions
from app.people.people import People
from app.people.region_marks import RegionMarks
from app.settings import Settings
from app.tasks import TaskPool, Ticket
from app.wording import languages
from inspection.config import GreySetting, Policy, find_policy, policy_of
from inspection.errors import InspectionError
from inspection.modelstore.folders import ModelFolders
from inspection.people.roles import PeopleConfig
from inspection.people.users import UserStore
from inspection.records import Lot
from inspection.run.plan import Conditions, Plan, plan_again, plan_rest
from inspection.run.worker import BuildLane
from inspection.seals.log import StationLog
from inspection.session.files import SessionListing
from inspection.session.record import SessionRecord
from inspection.session.store import SessionStore
from inspection.systems.memory import GpuBudget


class Controller(InspectedLot):
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
    settings_changed = Signal(object)
    policy_changed = Signal()
    scanning = Signal(bool)
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
        super().__init__(writer, build, parent)
        writer.setParent(self)
        self.settings = settings
        self.policy = policy
        self.models = models
        self.files = TaskPool(2, "files", self)
        # Three planes, their window and an overview: none waits for another, no picture for them.
        self.planes = TaskPool(5, "planes", self)
        self.following = Following(writer, self.files, self)
        self.following.grown.connect(self._on_grown)
        self.following.stopped.connect(self.failed)
        self._gpu = GpuBudget()
        self._scan: Ticket | None = None
        # Of the session whose rows are on screen: one that was opened waits for its lot's scan.
        self._shown_run: str | None = None
        self.offered = OfferedSession(self)
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
        self.decisions.refused.connect(self.failed)
        writer.opened.connect(self.session_changed)
        writer.listed.connect(self._on_listed)
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
        self.planes.close(finish=False)

    # -- lots and sessions -----------------------------------------------------------------

    def open_lot(self, root: Path, *, autostart: bool = False) -> None:
        """Scan a lot folder and show it."""
        self._begin_scan(root, partial(self._on_lot, autostart=autostart), self._on_scan_failed)

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

    def _begin_scan(
        self, root: Path, then: partial[None], failed: Callable[[Exception], None]
    ) -> None:
        if not self._may_leave():
            return
        if self._scan is not None:
            self._scan.cancel()
        self.scanning.emit(True)
        self._scan = self.files.submit(partial(_scan, root), then, failed)

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
        self.offered.expect()
        if autostart:
            self.offered.wait(self.start)
        self.writer.list_sessions()

    def _on_session_opened(self, store: SessionStore) -> None:
        root = Path(store.record.lot.path)
        if store.record.lot.path and root.is_dir():
            failed = partial(self._on_session_alone, store)
            self._begin_scan(root, partial(self._on_session_lot, store), failed)
        else:
            self._show_session(Lot(root=root, batteries=()))
            self.failed.emit(InspectionError("lot_gone", path=store.record.lot.path))

    def _on_session_alone(self, store: SessionStore, error: Exception) -> None:
        """Show a session whose lot cannot be scanned: what was judged can be looked at."""
        self._on_session_lot(store, Lot(root=Path(store.record.lot.path), batteries=()))
        self.failed.emit(error)

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
        if self.lot is not None and self.writer.record is None:
            self.offered.take(listings, self.lot.root)
        else:
            self.offered.known = True

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
        offer = self.offered.offer if self.writer.record is None else None
        if self.writer.record is None and not self.offered.known:
            # Which session it is to be is not known before the next moment.
            if not self.offered.awaited:
                self.offered.wait(self.start)
        elif offer is not None and offer.listing.live:
            self.open_session(offer.listing.folder)
        else:
            if offer is not None and not offer.unfinished:
                self.offered.decline()
            self._plan(plan_rest)

    def inspect_again(self, battery_id: str) -> None:
        """Inspect one battery once more; the operator's decision stays."""
        self._plan(partial(plan_again, battery_id=battery_id))

    def start_over(self) -> None:
        """Inspect the whole lot in a new session."""
        lot = self.lot
        if lot is not None and self._may_leave():
            self.writer.close()
            self._shown_run = None
            self.offered.decline()
            self.show_lot(lot)
            self.start()

    def _plan(self, plan: Callable[..., Plan]) -> None:
        """Have a run planned and started, where the person may and there is a session."""
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

        planned = partial(plan, lot=lot, conditions=conditions)
        self.with_session(partial(self.plan_run, lot, planned))

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
        if not self.offered.known:
            self.offered.wait(partial(self.with_session, then))
            return
        if (offer := self.offered.offer) is not None:
            self.writer.open(offer.listing.folder, partial(self._on_offered, then))
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
