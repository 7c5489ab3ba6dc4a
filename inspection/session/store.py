"""A session: one run over a lot, saved after every battery and every decision.

Folder and files are described in docs/decisions/0005. Of two writes the one that cannot be
made again comes first: a battery's file before its row, the audit line before the decision.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic_core import to_jsonable_python

from inspection import __version__
from inspection.atomic import remove_leftovers, write_atomic
from inspection.errors import ReportError, SessionError
from inspection.messages import Language, Message
from inspection.records import Lot
from inspection.results import BatteryResult, ModelProvenance
from inspection.session.audit import AuditLog
from inspection.session.files import (
    AUDIT_NAME,
    BATTERIES_NAME,
    EVIDENCE_NAME,
    SESSION_NAME,
    claim_folder,
    disk_error,
    file_names,
    is_session,
    lot_record,
    queued_row,
    read_battery,
    summarise,
)
from inspection.session.lock import SessionLock
from inspection.session.record import BatterySummary, Decision, SessionRecord, SessionStatus
from inspection.session.recovery import recover

FINAL_STATES = frozenset({"done", "skipped"})


class SessionStore:
    """An open session. Made by `create` or `open`; closed by `close` or a ``with`` block.

    Every method returns once its change is on the disk, and may be called from any thread.

    Parameters
    ----------
    folder : the session's folder
    record : its record
    lock : held lock, or None where the session is open for reading only
    problems : what was found wrong on opening, mended as far as it could be
    """

    def __init__(
        self,
        folder: Path,
        record: SessionRecord,
        lock: SessionLock | None,
        problems: tuple[Message, ...] = (),
    ) -> None:
        self.folder = folder
        self.problems = problems
        self._record = record
        self._lock = lock
        self._audit = None if lock is None else AuditLog(folder / AUDIT_NAME)
        self._names = file_names([row.battery_id for row in record.batteries])
        self._image_counts: dict[str, int] = {}
        self._mutex = threading.RLock()

    @classmethod
    def create(
        cls,
        root: Path,
        *,
        lot: Lot,
        language: Language,
        config: dict[str, Any],
        device: str,
        operator: str = "",
        station: str = "",
        models: Sequence[ModelProvenance] = (),
        version: str = __version__,
        battery_ids: Collection[str] | None = None,
        now: datetime | None = None,
    ) -> SessionStore:
        """Make a new session folder under ``root``, with every battery queued.

        Parameters
        ----------
        root : folder of sessions; made where it is missing
        lot : the lot that will be inspected
        operator, station, language : who, where, and the language of sentences
        config : snapshot of the configuration
        device, models, version : what judges; models may come later by `set_models`
        battery_ids : the batteries that will be inspected; all of the lot by default
        now : time of the start, for the run's id

        Raises
        ------
        SessionError
            If the folder cannot be written.
        """
        started = (now or datetime.now()).astimezone()
        chosen = [b for b in lot.batteries if battery_ids is None or b.battery_id in battery_ids]
        try:
            folder = claim_folder(root, started)
            record = SessionRecord(
                run_id=folder.name,
                status="pending",
                created_at=started,
                updated_at=started,
                total_images=sum(len(b.ct) + len(b.rgb) for b in chosen),
                processed_images=0,
                progress_percent=0.0,
                lot=lot_record(lot, language),
                operator=operator,
                station=station,
                language=language,
                version=version,
                device=device,
                config=to_jsonable_python(config),
                models=list(models),
                batteries=[queued_row(battery) for battery in chosen],
            )
            store = cls(folder, record, SessionLock(folder))
            write_atomic(folder / SESSION_NAME, record.model_dump_json(indent=2))
        except OSError as error:
            raise disk_error("session_write_failed", root, error) from error
        return store

    @classmethod
    def open(cls, folder: Path, *, read_only: bool = False) -> SessionStore:
        """Open a session, mending what a crash left; see `problems` for what was found.

        Parameters
        ----------
        folder : the session's folder
        read_only : take no lock and write nothing, as the history does

        Raises
        ------
        SessionError
            If there is no session, a newer program wrote it, or another program has it open.
        """
        if not is_session(folder):
            raise SessionError("session_missing", session=folder.name)
        lock = None if read_only else SessionLock(folder)
        try:
            found = recover(folder)
            store = cls(folder, found.record, lock, found.problems)
            if lock is not None:
                for part in (folder, folder / BATTERIES_NAME, store.evidence_dir):
                    part.mkdir(exist_ok=True)
                    remove_leftovers(part)
                if found.rebuilt and (folder / SESSION_NAME).exists():
                    # Of no use, but kept: it may hold what only a person can still read.
                    taken = len(list(folder.glob("session.broken*.json")))
                    (folder / SESSION_NAME).rename(folder / f"session.broken{taken + 1}.json")
                if found.changed:
                    store._update()
        except BaseException as error:
            if lock is not None:
                lock.release()
            if isinstance(error, OSError):
                raise disk_error("session_read_failed", folder, error) from error
            raise
        return store

    @property
    def record(self) -> SessionRecord:
        """The session as it stands; a frozen snapshot."""
        return self._record

    @property
    def read_only(self) -> bool:
        """True where nothing can be saved."""
        return self._lock is None

    @property
    def evidence_dir(self) -> Path:
        """Folder of the pictures."""
        return self.folder / EVIDENCE_NAME

    def close(self) -> None:
        """Let other programs open the session; nothing can be saved from here on."""
        with self._mutex:
            if self._lock is not None:
                self._lock.release()
            self._lock = self._audit = None

    def __enter__(self) -> SessionStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- batteries -------------------------------------------------------------------------

    def save_battery(self, result: BatteryResult) -> None:
        """Save a battery's result; a decision that was taken on it stays.

        Raises
        ------
        SessionError
            If the disk refuses or the session is open for reading only.
        """
        with self._mutex:
            self._writer()
            row = self._row(result.battery_id)
            # How many of its images ``processed_images`` counts already.
            before = self._image_counts.get(result.battery_id)
            if before is None:
                try:
                    earlier = self.load_battery(result.battery_id)
                except SessionError:
                    # Its file is damaged, which is why it is inspected again: as many as now.
                    earlier = result
                before = len(earlier.images) if earlier else 0
            summary = summarise(result, self._record.language, row.decision if row else None)
            if row is None:
                self._names = file_names([*self._names, result.battery_id])
            path = self._battery_path(result.battery_id)
            with self._disk():
                write_atomic(path, result.model_dump_json())
            self._image_counts[result.battery_id] = len(result.images)
            self._set_row(summary)
            processed = self._record.processed_images - before + len(result.images)
            self._update(
                processed_images=processed, total_images=max(self._record.total_images, processed)
            )

    def load_battery(self, battery_id: str) -> BatteryResult | None:
        """Return a battery's full result, or None where it was not inspected yet.

        Raises
        ------
        SessionError
            If its file cannot be read.
        """
        with self._mutex:
            if battery_id not in self._names:
                return None
            path = self._battery_path(battery_id)
            return read_battery(path) if path.exists() else None

    def remaining(self, lot: Lot) -> list[str]:
        """Return the ids, in the lot's order, of batteries that still have to be inspected.

        Failed and cancelled ones are among them, so that a resume tries them again.
        """
        states = {row.battery_id: row.state for row in self._record.batteries}
        # A rebuilt session has forgotten which batteries were chosen: all of them count.
        rebuilt = not self._record.lot.path
        return [
            b.battery_id
            for b in lot.batteries
            if states.get(b.battery_id, "queued" if rebuilt else "done") not in FINAL_STATES
        ]

    # -- session ---------------------------------------------------------------------------

    def mark(self, status: SessionStatus, error_message: str | None = None) -> None:
        """Set the session's status."""
        with self._mutex:
            self._update(status=status, error_message=error_message)

    def set_models(self, models: Sequence[ModelProvenance], device: str) -> None:
        """Record which models judge, on which device.

        Models that judged in an earlier run of the session stay: their results are in it.
        """
        with self._mutex:
            known = {(m.slot, m.sha256): m for m in (*self._record.models, *models)}
            self._update(models=list(known.values()), device=device)

    # -- decisions -------------------------------------------------------------------------

    def decide(self, battery_id: str, decision: Decision) -> BatterySummary:
        """Record the operator's decision on a battery and return its row.

        Raises
        ------
        SessionError
            If the battery is unknown, if a verdict is accepted that is not (any more) the
            station's, or if the disk refuses.
        """
        if decision.action == "undo":
            raise ValueError("an undo has a method of its own")
        with self._mutex:
            row = self._known_row(battery_id)
            if decision.is_outdated(row.kind):
                raise SessionError("session_accept_changed", battery=battery_id)
            at = decision.decided_at.astimezone()
            decision = decision.model_copy(update={"decided_at": at})
            return self._log(row, decision)

    def undo(self, battery_id: str, operator: str) -> BatterySummary:
        """Withdraw the decision on a battery, which is then undecided; return its row.

        Raises
        ------
        SessionError
            If there is no decision, or the disk refuses.
        """
        with self._mutex:
            row = self._known_row(battery_id)
            if row.decision is None:
                raise SessionError("session_nothing_to_undo", battery=battery_id)
            now = datetime.now().astimezone()
            undo = Decision(action="undo", kind=row.kind, operator=operator, decided_at=now)
            return self._log(row, undo)

    # -- writing ---------------------------------------------------------------------------

    def _log(self, row: BatterySummary, decision: Decision) -> BatterySummary:
        audit = self._writer()
        with self._disk():
            audit.append(row.battery_id, row.decision.kind if row.decision else row.kind, decision)
        standing = None if decision.action == "undo" else decision
        row = row.model_copy(update={"decision": standing})
        self._set_row(row)
        self._update()
        return row

    def _writer(self) -> AuditLog:
        if self._audit is None or self._lock is None:
            raise SessionError("session_not_writable", session=self.folder.name)
        self._lock.keep()
        return self._audit

    def _update(self, **changes: object) -> None:
        self._writer()
        record = self._record.model_copy(
            update={**changes, "updated_at": datetime.now().astimezone()}
        )
        share = record.processed_images / record.total_images if record.total_images else 0.0
        # A run may end without a result for every image, where a system was switched off.
        percent = 100.0 if record.status == "completed" else 100.0 * share
        self._record = record.model_copy(update={"progress_percent": percent})
        with self._disk():
            write_atomic(self.folder / SESSION_NAME, self._record.model_dump_json(indent=2))

    def _set_row(self, row: BatterySummary) -> None:
        rows = list(self._record.batteries)
        at = next((n for n, r in enumerate(rows) if r.battery_id == row.battery_id), len(rows))
        rows[at : at + 1] = [row]
        self._record = self._record.model_copy(update={"batteries": rows})

    def _row(self, battery_id: str) -> BatterySummary | None:
        return next((r for r in self._record.batteries if r.battery_id == battery_id), None)

    def _known_row(self, battery_id: str) -> BatterySummary:
        row = self._row(battery_id)
        if row is None:
            raise SessionError("session_battery_unknown", battery=battery_id)
        return row

    def _battery_path(self, battery_id: str) -> Path:
        return self.folder / BATTERIES_NAME / f"{self._names[battery_id]}.json"

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_error("session_write_failed", self.folder, error) from error


def open_to_read(folder: Path) -> SessionStore:
    """Open a session that somebody named, for a report or a comparison; nothing is written.

    Raises
    ------
    ReportError
        If the folder holds no session.
    SessionError
        If the session cannot be read.
    """
    if not is_session(folder):
        raise ReportError("report_session_missing", folder=str(folder))
    return SessionStore.open(folder, read_only=True)
