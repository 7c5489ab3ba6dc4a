"""What the operator wants becomes jobs, session entries, and what the panels show."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.decisions import Decisions
from app.inspections import Inspections
from app.review import BatteryView, Row, battery_of, battery_view
from app.runner import InspectionRunner
from app.session_writer import SessionWriter
from app.settings import Settings
from app.wording import languages
from app.workers import TaskPool, Ticket
from inspection import __version__
from inspection.config import Policy, find_policy, policy_of
from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.modelstore.folders import ModelFolders
from inspection.records import Lot
from inspection.results import (
    BatteryResult,
    BatterySummary,
    ImageResult,
    SystemName,
    SystemState,
    VlgImage,
    VlmImage,
)
from inspection.run.events import BuildLane
from inspection.session.store import FINAL_STATES, SessionListing, SessionStore

log = logging.getLogger(__name__)

KEPT_RESULTS = 6


class Controller(QObject):
    """The window's one stateful part; panels only show what it tells them.

    Parameters
    ----------
    settings : as loaded
    models, sessions_dir : where models and sessions are
    policy : fusion policy
    build : makes a lane of a system
    """

    lot_changed = Signal(object, object)
    row_changed = Signal(object)
    current_changed = Signal(object)
    session_changed = Signal(object)
    sessions_listed = Signal(object)
    earlier_found = Signal(object, bool)
    """The last session of the lot that was opened; True where it can be gone on with."""
    settings_changed = Signal(object)
    policy_changed = Signal()
    scanning = Signal(bool)
    nothing_left = Signal()
    failed = Signal(object)

    def __init__(
        self,
        settings: Settings,
        models: ModelFolders,
        sessions_dir: Path,
        policy: Policy,
        build: BuildLane,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.settings = settings
        self.policy = policy
        self.models = models
        self.files = TaskPool(2, "files", self)
        self.runner = InspectionRunner(build, self)
        self.writer = SessionWriter(sessions_dir, self)
        self.lot: Lot | None = None
        self.rows: dict[str, Row] = {}
        self.current_id: str | None = None
        self._chosen_by_operator = False
        self._results: OrderedDict[str, BatteryResult] = OrderedDict()
        self._scan: Ticket | None = None
        self._shown_run: str | None = None
        self._autostart = False
        self.decisions = Decisions(self)
        self.inspections = Inspections(self)
        self._connect()

    def _connect(self) -> None:
        self.runner.battery_changed.connect(self._on_result)
        self.runner.system_changed.connect(self._on_system)
        self.runner.models_changed.connect(self.writer.set_models)
        self.runner.ended.connect(self._on_ended)
        self.writer.opened.connect(self.session_changed)
        self.writer.loaded.connect(self._on_loaded)
        self.writer.listed.connect(self._on_listed)
        self.writer.failed.connect(self.failed)

    def shut_down(self) -> None:
        """Stop the lanes, write what waits, end every thread."""
        running = self.runner.phase != "idle"
        self.runner.shut_down()
        if running:
            self.writer.mark("cancelled")
        self.writer.shut_down()
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
        self._show_lot(lot, {b.battery_id: Row(b) for b in lot.batteries})
        self.change(self.settings.with_recent(lot.root))
        self._autostart = autostart
        self.writer.list_sessions()

    def _on_session_opened(self, store: SessionStore) -> None:
        root = Path(store.record.lot.path)
        if store.record.lot.path and root.is_dir():
            self._begin_scan(root, partial(self._on_session_lot, store.record.run_id))
        else:
            self._show_session(Lot(root=root, batteries=()))
            self.failed.emit(InspectionError("lot_gone", path=store.record.lot.path))

    def _on_session_lot(self, run_id: str, lot: Lot) -> None:
        self.scanning.emit(False)
        if self.writer.record is not None and self.writer.record.run_id == run_id:
            self._show_session(lot)
            self.change(self.settings.with_recent(lot.root))

    def _show_session(self, lot: Lot) -> None:
        """Show a session's rows: the lot's batteries, and those that only the session knows."""
        record = self.writer.record
        assert record is not None
        self._shown_run = record.run_id
        rows = {battery.battery_id: Row(battery) for battery in lot.batteries}
        for summary in record.batteries:
            row = rows.get(summary.battery_id) or Row(battery_of(summary, (), lot.root))
            rows[summary.battery_id] = row.with_summary(summary)
        self._show_lot(lot, rows)

    def _show_lot(self, lot: Lot, rows: dict[str, Row]) -> None:
        self.lot, self.rows = lot, rows
        self._results.clear()
        self._chosen_by_operator = False
        self.current_id = None
        self.lot_changed.emit(lot, list(rows.values()))
        if rows:
            self._make_current(next(iter(rows)))
        else:
            self.current_changed.emit(None)

    def _on_listed(self, listings: list[SessionListing]) -> None:
        self.sessions_listed.emit(listings)
        if self.lot is None or self.writer.record is not None:
            return
        earlier = next((each for each in listings if _is_of(each, self.lot)), None)
        unfinished = earlier is not None and _is_unfinished(earlier)
        autostart, self._autostart = self._autostart, False
        if autostart and earlier is not None and unfinished:
            self.resume(earlier.folder)
        elif autostart:
            self.start()
        elif earlier is not None:
            self.earlier_found.emit(earlier, unfinished)

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
        """Inspect what is still to be inspected; a new session is made where none is open."""
        if self.lot is not None and self.runner.phase == "idle":
            self.with_session(self.inspections.start_remaining)

    def inspect_again(self, battery_id: str) -> None:
        """Inspect one battery once more; the operator's decision stays."""
        if self.lot is not None and self.runner.phase == "idle":
            self.with_session(partial(self.inspections.start_again, battery_id))

    def start_over(self) -> None:
        """Inspect the whole lot in a new session."""
        lot = self.lot
        if lot is not None and self._may_leave():
            self.writer.close()
            self._shown_run = None
            self._show_lot(lot, {b.battery_id: Row(b) for b in lot.batteries})
            self.with_session(self.inspections.start_remaining)

    def with_session(self, then: Callable[[], None]) -> None:
        """Go on with ``then`` once a session is open; a new one where there is none.

        A session that was opened but is not shown yet may be another lot's: nothing is written
        to it.
        """
        record = self.writer.record
        if record is not None:
            if record.run_id == self._shown_run:
                then()
            return
        assert self.lot is not None
        self.writer.create(
            self.lot,
            operator=self.settings.operator,
            station=self.settings.station,
            language=languages.current,
            config=self.policy.snapshot(),
            device=self.settings.device,
            version=__version__,
            then=partial(self._on_created, then),
        )

    def _on_created(self, then: Callable[[], None], store: SessionStore) -> None:
        self._shown_run = store.record.run_id
        then()

    def unload_models(self) -> None:
        """Have the lanes let go of their models."""
        self.runner.unload()

    def take_models(self) -> None:
        """Models were installed or removed: let go of the old ones; a policy comes with them."""
        self.unload_models()
        try:
            self.policy = find_policy(self.models.holding("ct_cnn"))
        except InspectionError as error:
            self.failed.emit(error)
        self.policy_changed.emit()

    @property
    def policy_shown(self) -> Policy:
        """The policy of the session that is open, else that of the next one."""
        record = self.writer.record
        try:
            return policy_of(record.config, self.policy) if record else self.policy
        except InspectionError:
            # Told where such a session is to be gone on with; to look at it is no fault.
            return self.policy

    def _on_system(self, battery_id: str, system: SystemName, state: str) -> None:
        row = self.rows[battery_id].with_system(system, state)
        self.set_row(replace(row, state="running"))

    def _on_result(self, result: BatteryResult) -> None:
        self.set_row(self.rows[result.battery_id].with_result(result), tell_current=False)
        if result.images or result.battery_id == self.current_id:
            self._keep(result)
        if _worth_saving(result):
            self.writer.save(result)
        if result.battery_id == self.current_id:
            self._tell_current()
        if not self._chosen_by_operator and result.ensemble is not None:
            # The first verdict comes to the operator, unless one battery was chosen already.
            self._chosen_by_operator = True
            self._make_current(result.battery_id)

    def _on_ended(self, cancelled: bool) -> None:
        if cancelled:
            for battery_id in self.runner.unfinished:
                self.set_row(self._interrupted(self.rows[battery_id]))
            self.writer.mark("cancelled")
        elif left := self._not_inspected():
            reason = Message(code="batteries_not_inspected", params={"count": left})
            self.writer.mark("failed", reason.text(languages.current))
        else:
            self.writer.mark("completed")
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

    def _not_inspected(self) -> int:
        """Return how many batteries of the session still have to be inspected."""
        record = self.writer.record
        chosen = [row.battery_id for row in record.batteries] if record else []
        return sum(self.rows[name].state not in FINAL_STATES for name in chosen)

    # -- the current battery ---------------------------------------------------------------

    def choose(self, battery_id: str) -> None:
        """Make a battery the current one, by the operator's will."""
        self._chosen_by_operator = True
        self._make_current(battery_id)

    def current_row(self) -> Row | None:
        """Return the current battery's row."""
        return self.rows.get(self.current_id) if self.current_id else None

    def _make_current(self, battery_id: str) -> None:
        if battery_id == self.current_id or battery_id not in self.rows:
            return
        self.current_id = battery_id
        self._tell_current()
        if battery_id not in self._results and self.rows[battery_id].kind is not None:
            self.writer.load(battery_id)

    def _on_loaded(self, battery_id: str, result: BatteryResult | None) -> None:
        row = self.rows.get(battery_id)
        if result is None or row is None:
            return
        if not row.battery.ct and not row.battery.rgb and self.lot is not None:
            summary = BatterySummary(
                battery_id=battery_id,
                ct_id=result.ct_id,
                rgb_id=result.rgb_id,
                state=result.state,
                kind=result.verdict.kind,
            )
            row = replace(row, battery=battery_of(summary, _looked_at(result), self.lot.root))
        self._keep(result)
        self.set_row(replace(row, systems=dict(result.systems)))

    def _keep(self, result: BatteryResult) -> None:
        self._results[result.battery_id] = result
        self._results.move_to_end(result.battery_id)
        while len(self._results) > KEPT_RESULTS:
            oldest = next(name for name in self._results if name != self.current_id)
            del self._results[oldest]

    def set_row(self, row: Row, *, tell_current: bool = True) -> None:
        """Show a battery's new state everywhere."""
        self.rows[row.battery_id] = row
        self.row_changed.emit(row)
        if tell_current and row.battery_id == self.current_id:
            self._tell_current()

    def _tell_current(self) -> None:
        self.current_changed.emit(self.current_view())

    def current_view(self) -> BatteryView | None:
        """Return the current battery as the panels show it."""
        if self.current_id is None or self.lot is None:
            return None
        return battery_view(
            self.rows[self.current_id],
            self._results.get(self.current_id),
            self.lot.root,
            self.writer.folder,
        )

    # -- settings --------------------------------------------------------------------------

    def change(self, settings: Settings) -> None:
        """Take new settings."""
        if settings != self.settings:
            self.settings = settings
            self.settings_changed.emit(settings)


def _scan(root: Path) -> Lot:
    # Imported in the thread that scans: it brings numpy, which the first paint can do without.
    from inspection.lot.scan import scan_lot

    return scan_lot(root)


def _is_of(listing: SessionListing, lot: Lot) -> bool:
    return listing.record is not None and Path(listing.record.lot.path) == lot.root


def _is_unfinished(listing: SessionListing) -> bool:
    record = listing.record
    return record is not None and any(row.state not in FINAL_STATES for row in record.batteries)


def _looked_at(result: BatteryResult) -> list[ImageResult | VlmImage | VlgImage]:
    """Return a word on each image that any system looked at."""
    said: list[ImageResult | VlmImage | VlgImage] = [
        *result.images,
        *(result.vlm.images if result.vlm else ()),
        *(result.vlg.images if result.vlg else ()),
    ]
    return list({image.image: image for image in reversed(said)}.values())[::-1]


def _worth_saving(result: BatteryResult) -> bool:
    """A missing system answers for the whole lot at once; that waits for a real result."""
    spoken = any(state in ("done", "failed") for state in result.systems.values())
    return spoken or result.state not in ("queued", "running")
