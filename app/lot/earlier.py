"""Which session of a lot is on offer while none is open, and what is to be asked of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.tasks import TaskPool
from inspection.messages import Message
from inspection.records import Lot
from inspection.session.files import SessionListing
from inspection.session.prints import changed_in
from inspection.session.record import SessionRecord
from inspection.session.store import FINAL_STATES, SessionStore


@dataclass(frozen=True, slots=True)
class Offer:
    """A session that was found of the lot that is open.

    Parameters
    ----------
    unfinished : True where it can be gone on with
    """

    listing: SessionListing
    unfinished: bool


def offer_of(listings: Sequence[SessionListing], root: Path) -> Offer | None:
    """Return which of a lot's sessions is offered: one that is being written, else with work in it.

    An empty one that is newer hides neither results nor decisions.

    Parameters
    ----------
    listings : newest first
    root : the lot's folder
    """
    own = [one for one in listings if one.record and Path(one.record.lot.path) == root]
    found = (
        next((one for one in own if one.live), None)
        or next((one for one in own if one.record and _has_work(one.record)), None)
        or next(iter(own), None)
    )
    if found is None or found.record is None:
        return None
    left = any(row.state not in FINAL_STATES for row in found.record.batteries)
    # What another process inspects is neither left over nor to be gone on with.
    return Offer(found, left and not found.live)


def _has_work(record: SessionRecord) -> bool:
    return any(row.state != "queued" or row.decision or row.earlier for row in record.batteries)


class OfferedSession(QObject):
    """Which session of the lot that was opened is on offer, and what waits to know it."""

    found = Signal(object, bool)
    """Its listing; True where it can be gone on with. Told once of each."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.known = True
        self.offer: Offer | None = None
        self._waiting: Callable[[], None] | None = None
        # What was told: which session, live, unfinished.
        self._told: tuple[str, bool, bool] | None = None

    @property
    def awaited(self) -> bool:
        """True where something waits to know it."""
        return self._waiting is not None

    def expect(self) -> None:
        """Another lot was opened, and its sessions are not known yet."""
        self.known, self.offer, self._waiting, self._told = False, None, None, None

    def wait(self, then: Callable[[], None]) -> None:
        """Go on with ``then``, in the place of what waited before, once it is known."""
        self._waiting = then

    def decline(self) -> None:
        """Have none on offer, whatever sessions there are."""
        self.known, self.offer = True, None

    def take(self, listings: Sequence[SessionListing], root: Path) -> None:
        """Take the sessions that there are; tell which is on offer, unless something waits."""
        self.known, self.offer = True, offer_of(listings, root)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting()
        elif self.offer is not None:
            listing, unfinished = self.offer.listing, self.offer.unfinished
            # Lists come by themselves as well: what was asked once is not asked again.
            told, self._told = self._told, (listing.run_id, listing.live, unfinished)
            if told != self._told:
                self.found.emit(listing, unfinished)


class OtherJudges(QObject):
    """Asks before other models or another policy judge the rest of a session; once each."""

    asked = Signal(object)
    """What is other, as Messages."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._agreed: set[tuple[str, ...]] = set()
        self._waiting: tuple[tuple[str, ...], Callable[[], None]] | None = None

    def ask(self, run_id: str, others: Sequence[Message], then: Callable[[], None]) -> None:
        """Go on with ``then`` where nothing is other, or once it was agreed to."""
        key = (run_id, *(message.model_dump_json() for message in others))
        if not others or key in self._agreed:
            then()
            return
        self._waiting = key, then
        self.asked.emit(tuple(others))

    def agree(self) -> None:
        """Go on with what waited for it."""
        if self._waiting is not None:
            key, then = self._waiting
            self._waiting = None
            self._agreed.add(key)
            then()


class ChangedImages(QObject):
    """Looks, beside everything else, for images that changed since a session was inspected."""

    found = Signal(object)
    """Messages that name them."""

    def __init__(self, pool: TaskPool, parent: QObject) -> None:
        super().__init__(parent)
        self._pool = pool
        self._stop = threading.Event()

    def look(self, store: SessionStore, lot: Lot) -> None:
        """Look at the images of a session that was opened."""
        self.stop()
        self._stop = stop = threading.Event()

        def done(messages: list[Message]) -> None:
            if messages and not stop.is_set():
                self.found.emit(tuple(messages))

        work = partial(changed_in, store, lot, stop.is_set)
        # What cannot be read is told where the session is.
        self._pool.submit(work, done, lambda _error: None)

    def stop(self) -> None:
        """Look no further."""
        self._stop.set()
