"""The open session as the window sees it: every read and write in one thread, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Signal

from app.folders import opened_folder
from app.lot.decision_writer import DecisionWriter, is_disk
from app.tasks import TaskPool
from inspection.errors import SessionError
from inspection.messages import Message
from inspection.people.person import Person
from inspection.records import Lot
from inspection.results import BatteryResult, ModelProvenance
from inspection.run.plan import end_session
from inspection.session.creating import create_session
from inspection.session.files import list_sessions
from inspection.session.lock import SessionForeignError, SessionHeldError
from inspection.session.record import Meaning, SessionRecord
from inspection.session.seal import SealReport
from inspection.session.store import SessionStore

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class _OpenedSession:
    """A session that is open; ``kept_out`` says why it is so for reading only."""

    store: SessionStore
    kept_out: SessionError | None = None


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
    signed = Signal(object)
    listed = Signal(object)
    unsaved_changed = Signal(object)
    """The error that keeps things from being saved, or None once all is saved."""
    failed = Signal(object)

    def __init__(self, sessions_dir: Path) -> None:
        super().__init__()
        self.sessions_dir = sessions_dir
        self._pool = TaskPool(1, "session", self)
        self.decisions = DecisionWriter(self._pool, self)
        self.decisions.settled.connect(self._tell_unsaved)
        self.decisions.failed.connect(self.failed)
        self._store: SessionStore | None = None
        self.kept_out: SessionError | None = None
        """Why the open session is so for reading only; None where it can be written."""
        self._opening: _Opening | None = None
        self._held_up = False
        self._unsaved_results: dict[str, BatteryResult] = {}
        self._end: Callable[[], None] | None = None

    # -- opening ---------------------------------------------------------------------------

    def create(self, then: Callable[[SessionStore], None], **start: Any) -> None:
        """Make a new session, close the one before, and go on with ``then``.

        Parameters
        ----------
        start : as `create_session` takes it
        """

        def work() -> _OpenedSession:
            return _OpenedSession(create_session(self.sessions_dir, **start))

        self._replace(None, work, then)

    def open(self, folder: Path, then: Callable[[SessionStore], None]) -> None:
        """Open a saved session, for reading only where another program has it."""
        self._replace(folder, partial(_open, folder), then)

    def _replace(
        self,
        folder: Path | None,
        work: Callable[[], _OpenedSession],
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

    def _on_opened(self, opening: _Opening, opened: _OpenedSession) -> None:
        store = opened.store
        if opening is not self._opening:
            # Closed before it was open: let other programs have it.
            self._pool.submit(store.close, None, self.failed.emit)
            return
        self._opening = None
        self._store, self.kept_out = store, opened.kept_out
        self.decisions.use(store)
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
            self._pool.submit(self._store.close, None, self.failed.emit)
        self._store = self._end = self.kept_out = None
        self._unsaved_results.clear()
        self.decisions.use(None)
        self.unsaved_changed.emit(None)

    def shut_down(self) -> None:
        """Write everything that waits, close the session and end the thread."""
        if self._store is not None:
            self._pool.submit(self._store.close, None, self.failed.emit)
        self._store = None
        self._pool.close(finish=True)

    def list_sessions(self) -> None:
        """Look for saved sessions; `listed` brings them."""
        self._pool.submit(
            partial(list_sessions, self.sessions_dir), self.listed.emit, self._on_not_listed
        )

    def _on_not_listed(self, error: Exception) -> None:
        self.failed.emit(error)
        # Whoever waits to know of earlier sessions need not wait any longer.
        self.listed.emit([])

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
        """True where another program or account has the open session."""
        return self._store is not None and self._store.read_only

    def take_reading(self, store: SessionStore) -> None:
        """Go on with a newer reading of the session that another program writes."""
        if self.read_only and self.folder == store.folder:
            self._store = store
            self.decisions.use(store)

    @property
    def problems(self) -> tuple[Message, ...]:
        """What was found wrong with the open session's files."""
        return self._store.problems if self._store else ()

    @property
    def seal(self) -> SealReport | None:
        """What could be vouched for when the open session was opened, or None."""
        return self._store.seal if self._store else None

    @property
    def unsaved(self) -> tuple[str, ...]:
        """Batteries whose result or decision is not on the disk."""
        return tuple(dict.fromkeys((*self._unsaved_results, *self.decisions.unsaved)))

    def digest_of(self, battery_id: str) -> str | None:
        """Return the digest of a battery's file; None while a newer result waits to be written."""
        if self._store is None or battery_id in self._unsaved_results:
            return None
        rows = self._store.record.batteries
        return next((row.digest for row in rows if row.battery_id == battery_id), None)

    @property
    def held_up(self) -> bool:
        """True while the disk refuses what has to be saved; closing the session would lose it."""
        return self._held_up and bool(self.unsaved)

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

    def read(
        self,
        work: Callable[[SessionStore, Mapping[str, BatteryResult]], Read],
        then: Callable[[Read], None],
    ) -> None:
        """Read the session in its own thread, after what waits to be written.

        Parameters
        ----------
        work : given the session, and the results that the disk has refused
        then : called with what it returns, unless the session was closed in the meantime
        """
        store = self._store
        if store is None:
            return

        def go_on(found: Read) -> None:
            if store is self._store:
                then(found)

        waiting = dict(self._unsaved_results)
        self._pool.submit(partial(work, store, waiting), go_on, self.failed.emit)

    def save(self, result: BatteryResult) -> None:
        """Save a battery's result."""
        if self._store is not None and not self._store.read_only:
            self._unsaved_results[result.battery_id] = result
            self._write(partial(self._store.save_battery, result), partial(self._on_saved, result))

    def begin_run(self) -> None:
        """Mark the session as being inspected."""
        self._end = None
        if self._store is not None:
            self._write(partial(self._store.mark, "processing"))

    def end_run(self, lot: Lot, *, cancelled: bool, stopped: Message | None = None) -> None:
        """Set the status that the session has after a run; ``stopped`` is why it was stopped."""
        if self._store is not None:
            self._end = partial(end_session, self._store, lot, cancelled=cancelled, stopped=stopped)
            self._write(self._end)

    def set_models(self, models: Sequence[ModelProvenance], device: str) -> None:
        """Record which models judge."""
        if self._store is not None:
            self._write(partial(self._store.set_models, models, device))

    def _write(
        self, work: Callable[[], object], done: Callable[[object], None] | None = None
    ) -> None:
        if not self.read_only:
            self._pool.submit(work, done, self._on_refused)

    def sign(self, meaning: Meaning, person: Person) -> None:
        """Sign the session; `signed` brings the signature."""
        if self._store is not None and not self.read_only:
            work = partial(self._store.sign, meaning, person)
            self._pool.submit(work, self.signed.emit, self.failed.emit)

    def retry(self) -> None:
        """Write again whatever the disk refused."""
        for result in tuple(self._unsaved_results.values()):
            self.save(result)
        if self._end is not None:
            # It was set while results were missing, or not at all.
            self._write(self._end)
        self.decisions.retry()

    def _on_saved(self, result: BatteryResult, _nothing: None) -> None:
        if self._unsaved_results.get(result.battery_id) is result:
            del self._unsaved_results[result.battery_id]
        self._tell_unsaved(None)

    def _on_refused(self, error: Exception) -> None:
        if is_disk(error):
            self._tell_unsaved(error)
        else:
            self.failed.emit(error)

    def _tell_unsaved(self, error: Exception | None) -> None:
        if error is not None or not self.unsaved:
            self._held_up = error is not None
            self.unsaved_changed.emit(error)


def _open(folder: Path) -> _OpenedSession:
    if folder.is_relative_to(opened_folder()):
        # What is decided on a copy in a cache would be lost with it.
        copied = SessionError("session_packed_copy", session=folder.name)
        return _OpenedSession(SessionStore.open(folder, read_only=True), copied)
    try:
        return _OpenedSession(SessionStore.open(folder))
    except (SessionHeldError, SessionForeignError) as error:
        return _OpenedSession(SessionStore.open(folder, read_only=True), error)
