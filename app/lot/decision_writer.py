"""Decisions on their way to the disk; none is dropped because the disk is full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QObject, Signal

from app.tasks import TaskPool
from inspection.errors import SessionError
from inspection.people.person import Person
from inspection.session.image_words import ImageWord
from inspection.session.record import BatterySummary, Decision
from inspection.session.store import SessionStore


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A decision that is not on the disk: who took it, and what writes it."""

    by: str
    work: Callable[[], BatterySummary]


class DecisionWriter(QObject):
    """Writes decisions into the session that is open.

    Parameters
    ----------
    pool : the session's thread
    """

    decided = Signal(object)
    """The row of a battery as it is on the disk, after a decision or once one is taken back."""
    kept = Signal(str)
    """A battery whose decision the disk refuses; it is offered again."""
    forgotten = Signal(object)
    """The row of a battery as it was, since a decision on it is not to be saved."""
    taken_back = Signal(str)
    """A battery whose decision was taken back."""
    image_said = Signal(object)
    """A person's word on one image that is on the disk."""
    settled = Signal(object)
    """None where something was saved or given up, else the error of a disk that refuses."""
    failed = Signal(object)

    def __init__(self, pool: TaskPool, parent: QObject) -> None:
        super().__init__(parent)
        self._pool = pool
        self._store: SessionStore | None = None
        self._waiting: dict[str, _Waiting] = {}
        # Of which the disk has refused those, in the order of deciding.
        self._refused: dict[str, None] = {}

    def use(self, store: SessionStore | None) -> None:
        """Write into another session; nothing waits for the one before any more."""
        self._store = store
        self._waiting.clear()
        self._refused.clear()

    @property
    def unsaved(self) -> tuple[str, ...]:
        """Batteries whose decision is not on the disk."""
        return tuple(self._waiting)

    def decide(self, battery_id: str, decision: Decision, *, change: bool) -> None:
        """Save a decision, or one that takes the place of another."""
        store = self._store
        if store is not None:
            write = store.change if change else store.decide
            work = partial(write, battery_id, decision)
            self._write(battery_id, _Waiting(decision.operator, work))

    def undo(self, person: Person) -> None:
        """Take back a person's own last decision; one that was never saved is just forgotten."""
        store = self._store
        unsaved = [name for name in self._refused if self._waiting[name].by == person.name]
        if unsaved:
            self._forget(unsaved[-1])
            self.settled.emit(None)
            self.taken_back.emit(unsaved[-1])
        elif store is not None:
            # Not offered again where the disk refuses: the decision stands, and is not lost.
            self._pool.submit(
                partial(store.undo, person), partial(self._on_undone, store), self.failed.emit
            )

    def image_words(self, battery_id: str) -> tuple[ImageWord, ...]:
        """Return what people say of a battery's single images."""
        return self._store.image_words(battery_id) if self._store else ()

    def say_of_image(self, battery_id: str, image: str, person: Person, *, normal: bool) -> None:
        """Save that a person calls an image normal, or takes it back."""
        if self._store is not None:
            work = partial(self._store.confirm_image, battery_id, image, person, normal=normal)
            # Not offered again where the disk refuses: it is told, and shown as it stands.
            self._pool.submit(work, self.image_said.emit, self.failed.emit)

    def retry(self) -> None:
        """Write again whatever the disk refused."""
        for battery_id, waiting in tuple(self._waiting.items()):
            self._write(battery_id, waiting)

    def _write(self, battery_id: str, waiting: _Waiting) -> None:
        self._waiting[battery_id] = waiting
        self._pool.submit(
            waiting.work,
            partial(self._on_decided, waiting),
            partial(self._on_refused, battery_id, waiting),
        )

    def _on_decided(self, waiting: _Waiting, summary: BatterySummary) -> None:
        if self._waiting.get(summary.battery_id) is waiting:
            self._refused.pop(summary.battery_id, None)
            del self._waiting[summary.battery_id]
            self.decided.emit(summary)
            self.settled.emit(None)

    def _on_refused(self, battery_id: str, waiting: _Waiting, error: Exception) -> None:
        if self._waiting.get(battery_id) is not waiting:
            return
        if is_disk(error):
            self._refused[battery_id] = None
            self.kept.emit(battery_id)
            self.settled.emit(error)
            return
        # Refused for a reason that trying again would not mend: the person is told.
        self._forget(battery_id)
        self.failed.emit(error)

    def _forget(self, battery_id: str) -> None:
        """Let the row go back to what is saved."""
        self._waiting.pop(battery_id, None)
        self._refused.pop(battery_id, None)
        for row in self._store.record.batteries if self._store else ():
            if row.battery_id == battery_id:
                self.forgotten.emit(row)

    def _on_undone(self, store: SessionStore, summary: BatterySummary) -> None:
        if store is self._store:
            self.decided.emit(summary)
            self.taken_back.emit(summary.battery_id)


def is_disk(error: Exception) -> bool:
    """Return whether the disk refuses, so that trying again may help."""
    return isinstance(error, SessionError) and error.message.code == "session_write_failed"
