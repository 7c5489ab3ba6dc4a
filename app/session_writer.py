"""The open session as the window sees it: every read and write in one thread, in order."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.workers import TaskPool
from inspection.errors import SessionError
from inspection.messages import Language
from inspection.records import Lot
from inspection.results import (
    BatteryResult,
    BatterySummary,
    Decision,
    ModelProvenance,
    SessionRecord,
    SessionStatus,
)
from inspection.run.events import Said
from inspection.session.store import SessionStore, list_sessions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Opening:
    """A session that is being opened (made, where ``folder`` is None), and what comes after."""

    folder: Path | None
    thens: list[Callable[[SessionStore], None]]


class SessionWriter(QObject):
    """Holds the one open SessionStore.

    What cannot be written is kept and offered again: neither a result nor a decision is dropped
    because a disk is full.
    """

    opened = Signal(object)
    loaded = Signal(str, object)
    decided = Signal(object)
    listed = Signal(object)
    unsaved_changed = Signal(object)
    """The error that keeps things from being saved, or None once all is saved."""
    failed = Signal(object)

    def __init__(self, sessions_dir: Path, parent: QObject) -> None:
        super().__init__(parent)
        self.sessions_dir = sessions_dir
        self._pool = TaskPool(1, "session", self)
        self._store: SessionStore | None = None
        self._opening: _Opening | None = None
        self._held_up = False
        self._unsaved_results: dict[str, BatteryResult] = {}
        self._unsaved_decisions: dict[str, Decision | None] = {}
        self._refused: set[str] = set()
        self._operator = ""

    # -- opening ---------------------------------------------------------------------------

    def create(
        self,
        lot: Lot,
        *,
        operator: str,
        station: str,
        language: Language,
        config: dict[str, Any],
        device: str,
        version: str,
        then: Callable[[SessionStore], None],
    ) -> None:
        """Make a new session, close the one before, and go on with ``then``."""
        work = partial(
            SessionStore.create,
            self.sessions_dir,
            lot=lot,
            operator=operator,
            station=station,
            language=language,
            config=config,
            device=device,
            models=[],
            version=version,
        )
        self._replace(None, work, then)

    def open(self, folder: Path, then: Callable[[SessionStore], None]) -> None:
        """Open a saved session, for reading only where another program has it."""
        self._replace(folder, partial(_open, folder), then)

    def _replace(
        self,
        folder: Path | None,
        work: Callable[[], SessionStore],
        then: Callable[[SessionStore], None],
    ) -> None:
        if self._opening is not None:
            # A key pressed twice must not make two sessions; any other order comes too early.
            if self._opening.folder == folder:
                self._opening.thens.append(then)
            return
        self.close()
        self._opening = opening = _Opening(folder, [then])
        self._pool.submit(
            work, partial(self._on_opened, opening), partial(self._on_not_opened, opening)
        )

    def _on_opened(self, opening: _Opening, store: SessionStore) -> None:
        if opening is not self._opening:
            # Closed before it was open: let other programs have it.
            self._pool.submit(store.close, _ignore, self.failed.emit)
            return
        self._opening = None
        self._store = store
        self.opened.emit(store.record)
        for then in opening.thens:
            then(store)

    def _on_not_opened(self, opening: _Opening, error: Exception) -> None:
        if opening is self._opening:
            self._opening = None
        self.failed.emit(error)

    def close(self) -> None:
        """Close the session after what is still to be written."""
        self._opening = None
        if self._store is not None:
            self._pool.submit(self._store.close, _ignore, self.failed.emit)
        self._store = None
        self._unsaved_results.clear()
        self._unsaved_decisions.clear()
        self._refused.clear()
        self.unsaved_changed.emit(None)

    def shut_down(self) -> None:
        """Write everything that waits, close the session and end the thread."""
        store = self._store
        if store is not None:
            self._pool.submit(store.close, _ignore, self.failed.emit)
        self._store = None
        self._pool.close(finish=True)

    def list_sessions(self) -> None:
        """Look for saved sessions; `listed` brings them."""
        self._pool.submit(
            partial(list_sessions, self.sessions_dir), self.listed.emit, self.failed.emit
        )

    # -- the open session ------------------------------------------------------------------

    @property
    def record(self) -> SessionRecord | None:
        """The open session's record, or None."""
        return self._store.record if self._store else None

    @property
    def folder(self) -> Path | None:
        """The open session's folder, or None."""
        return self._store.folder if self._store else None

    @property
    def read_only(self) -> bool:
        """True where the open session belongs to another program."""
        return self._store is not None and self._store.read_only

    @property
    def unsaved(self) -> tuple[str, ...]:
        """Batteries whose result or decision is not on the disk."""
        return tuple({**self._unsaved_results, **self._unsaved_decisions})

    @property
    def held_up(self) -> bool:
        """True while the disk refuses what has to be saved; closing the session would lose it."""
        return self._held_up and bool(self.unsaved)

    def remaining(self, lot: Lot) -> list[str]:
        """Return the batteries that still have to be inspected."""
        if self._store is None:
            return [battery.battery_id for battery in lot.batteries]
        return self._store.remaining(lot)

    def load(self, battery_id: str) -> None:
        """Read a battery's full result; `loaded` brings it, None where there is none."""
        store = self._store
        waiting = self._unsaved_results.get(battery_id)
        if waiting is not None or store is None:
            self.loaded.emit(battery_id, waiting)
            return
        self._pool.submit(
            partial(store.load_battery, battery_id),
            partial(self.loaded.emit, battery_id),
            self.failed.emit,
        )

    def recall(self, then: Callable[[Said], None]) -> None:
        """Read what systems have said of the session's batteries, and go on with ``then``.

        Not called where the session is closed in the meantime.
        """
        store = self._store
        if store is not None:
            waiting = dict(self._unsaved_results)
            self._pool.submit(
                partial(_said_in, store, waiting),
                partial(self._on_recalled, store, then),
                self.failed.emit,
            )

    def _on_recalled(self, store: SessionStore, then: Callable[[Said], None], said: Said) -> None:
        if store is self._store:
            then(said)

    def save(self, result: BatteryResult) -> None:
        """Save a battery's result."""
        store = self._store
        if store is None or store.read_only:
            return
        self._unsaved_results[result.battery_id] = result
        self._pool.submit(
            partial(store.save_battery, result),
            partial(self._on_saved, result),
            self._on_refused,
        )

    def mark(self, status: SessionStatus, error: str | None = None) -> None:
        """Set the session's status."""
        store = self._store
        if store is not None and not store.read_only:
            self._pool.submit(partial(store.mark, status, error), _ignore, self._on_refused)

    def set_models(self, models: list[ModelProvenance], device: str) -> None:
        """Record which models judge."""
        store = self._store
        if store is not None and not store.read_only:
            self._pool.submit(partial(store.set_models, models, device), _ignore, self._on_refused)

    # -- decisions -------------------------------------------------------------------------

    def decide(self, battery_id: str, decision: Decision) -> None:
        """Save a decision."""
        self._unsaved_decisions[battery_id] = decision
        self._write_decision(battery_id, decision)

    def undo(self, battery_id: str, operator: str) -> None:
        """Withdraw a decision; one that was never saved is just forgotten."""
        if battery_id in self._refused:
            self._forget_decision(battery_id)
            self._tell_unsaved(None)
            return
        self._operator = operator
        self._unsaved_decisions[battery_id] = None
        self._write_decision(battery_id, None)

    def retry(self) -> None:
        """Write again whatever the disk refused."""
        for result in tuple(self._unsaved_results.values()):
            self.save(result)
        for battery_id, decision in tuple(self._unsaved_decisions.items()):
            self._write_decision(battery_id, decision)

    def _write_decision(self, battery_id: str, decision: Decision | None) -> None:
        store = self._store
        if store is None:
            return
        work: Callable[[], BatterySummary]
        if decision is None:
            work = partial(store.undo, battery_id, self._operator)
        else:
            work = partial(store.decide, battery_id, decision)
        self._pool.submit(
            work,
            partial(self._on_decided, battery_id, decision),
            partial(self._on_decision_refused, battery_id, decision),
        )

    def _on_decided(
        self, battery_id: str, decision: Decision | None, summary: BatterySummary
    ) -> None:
        self._refused.discard(battery_id)
        if self._unsaved_decisions.get(battery_id, decision) is decision:
            self._unsaved_decisions.pop(battery_id, None)
        self.decided.emit(summary)
        self._tell_unsaved(None)

    def _on_decision_refused(
        self, battery_id: str, decision: Decision | None, error: Exception
    ) -> None:
        if _is_disk(error):
            self._refused.add(battery_id)
            self._tell_unsaved(error)
            return
        # Refused for a reason that trying again would not mend: the operator is told.
        self._forget_decision(battery_id)
        self.failed.emit(error)

    def _forget_decision(self, battery_id: str) -> None:
        """Let the row go back to what is saved."""
        self._unsaved_decisions.pop(battery_id, None)
        self._refused.discard(battery_id)
        record = self.record
        for row in record.batteries if record else ():
            if row.battery_id == battery_id:
                self.decided.emit(row)

    def _on_saved(self, result: BatteryResult, _nothing: None) -> None:
        if self._unsaved_results.get(result.battery_id) is result:
            del self._unsaved_results[result.battery_id]
        self._tell_unsaved(None)

    def _on_refused(self, error: Exception) -> None:
        if _is_disk(error):
            self._tell_unsaved(error)
        else:
            self.failed.emit(error)

    def _tell_unsaved(self, error: Exception | None) -> None:
        if error is not None or not self.unsaved:
            self._held_up = error is not None
            self.unsaved_changed.emit(error)


def _open(folder: Path) -> SessionStore:
    try:
        return SessionStore.open(folder)
    except SessionError as error:
        if error.message.code != "session_locked":
            raise
    return SessionStore.open(folder, read_only=True)


def _said_in(store: SessionStore, waiting: dict[str, BatteryResult]) -> Said:
    # Imported in the session's thread, as what it brings is not needed to paint the window.
    from inspection.run.assemble import said_before
    from inspection.run.said import Spoken

    said = {}
    for row in store.record.batteries:
        result = waiting.get(row.battery_id) or _readable(store, row.battery_id)
        if result is not None:
            said[row.battery_id] = Spoken(said_before(result))
    return said


def _readable(store: SessionStore, battery_id: str) -> BatteryResult | None:
    try:
        return store.load_battery(battery_id)
    except SessionError as error:
        # Its file is damaged: the battery is inspected as if nothing had been said of it.
        log.warning("%s is inspected again: %s", battery_id, error)
        return None


def _is_disk(error: Exception) -> bool:
    return isinstance(error, SessionError) and error.message.code == "session_write_failed"


def _ignore(_value: object) -> None:
    """Nothing is left to do in the window."""
