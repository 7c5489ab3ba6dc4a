"""Who is at the station, what they may do, and what waits until somebody is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal

from app.tasks import TaskPool
from app.wording import role_text
from inspection.errors import PeopleError
from inspection.messages import Message
from inspection.people.person import Person
from inspection.people.roles import Deed, PeopleConfig
from inspection.people.users import UserStore
from inspection.seals.log import Event, StationLog

Refused = Callable[[Exception], None]
AFTER_PAINT_MS = 50
"""Until the start is recorded: to sign a line imports so much that the first paint would wait."""


class People(QObject):
    """The person at the station.

    Without sign-in the operator is named. With it nobody is there until somebody signs in, and
    nobody once the screen is locked; what runs goes on.

    Parameters
    ----------
    config : whether people sign in, and which roles may do what
    users : whom the station knows
    log : the station's
    name : of the operator, where nobody signs in; empty where it is not known yet
    """

    changed = Signal()
    """Another person, or none."""
    handed_over = Signal()
    """Another person than before; what the one had begun is not the other's."""
    needed = Signal()
    """Something waits for the operator's name."""
    named = Signal(str)
    altered = Signal(object)
    """What is to be told of the file of users or the log, changed by another than the station."""
    failed = Signal(object)

    def __init__(
        self, config: PeopleConfig, users: UserStore, log: StationLog, name: str, parent: QObject
    ) -> None:
        super().__init__(parent)
        self.config = config
        self.users = users
        self._log = log
        # In a thread, since a PIN is made to be slow to check; one, since the log has an order.
        self._pool = TaskPool(1, "people", self)
        self._current = Person(name=name) if name and not config.sign_in else None
        self._before: Person | None = None
        self._waiting: Callable[[], None] | None = None
        self._starting: Callable[[], list[Message]] | None = None
        self._painted = QTimer(self, singleShot=True, interval=AFTER_PAINT_MS)
        self._painted.timeout.connect(self._record_start)

    # -- who is there ----------------------------------------------------------------------

    @property
    def current(self) -> Person | None:
        """Who decides; None where nobody is named or signed in."""
        return self._current

    @property
    def before(self) -> Person | None:
        """Who was there until the screen was locked."""
        return self._before

    @property
    def locked(self) -> bool:
        """True where somebody has to sign in before anything is shown."""
        return self.config.sign_in and self._current is None

    def may(self, deed: Deed) -> bool:
        """Return whether the person at the station may do something."""
        return self.config.allows(self._current, deed)

    def why_not(self, deed: Deed) -> Message | None:
        """Return why something may not be done; None where it may."""
        if self.may(deed):
            return None
        if self._current is None or self._current.role is None:
            return Message(code="not_signed_in")
        return Message(code="not_allowed", params={"role": role_text(self._current.role)})

    # -- without sign-in -------------------------------------------------------------------

    def with_person(self, then: Callable[[], None]) -> None:
        """Go on with ``then`` once it is known who decides; dropped where no name is given."""
        if self._current is not None:
            then()
        elif not self.config.sign_in:
            self._waiting = then
            self.needed.emit()

    def name(self, name: str) -> None:
        """Name the operator, then go on with what waited for it."""
        before, self._current = self._current, Person(name=name.strip())
        self.named.emit(self._current.name)
        self._on_person(before)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting()

    def forget(self) -> None:
        """Drop what waited for the operator's name."""
        self._waiting = None

    # -- with sign-in ----------------------------------------------------------------------

    def sign_in(self, name: str, secret: str, new: str, refused: Refused) -> None:
        """Let somebody take the station over; ``refused`` gets the error where it is not theirs."""
        self._record_start()
        work = partial(self.users.sign_in, name, secret, new)
        self._pool.submit(work, self._on_signed_in, refused)

    def begin(self, name: str, secret: str, refused: Refused) -> None:
        """Make the first administrator, who is there then."""
        self._record_start()
        self._pool.submit(partial(self.users.add_first, name, secret), self._on_signed_in, refused)

    def confirm(
        self, name: str, secret: str, new: str, then: Callable[[Person], None], refused: Refused
    ) -> None:
        """Have a second person vouch for what the one at the station is about to decide."""
        first = self._current

        def work() -> Person:
            person = self.users.sign_in(name, secret, new, purpose="second_person")
            if first is None or person.name == first.name:
                raise PeopleError("second_same", name=person.name)
            if not self.config.allows(person, "confirm"):
                raise PeopleError("second_not_allowed", name=person.name)
            return person

        self._pool.submit(work, then, refused)

    def sign_again(self, secret: str, then: Callable[[], None], refused: Refused) -> None:
        """Have the person at the station show that it is still them; without sign-in it is."""
        if self._current is None or not self.config.sign_in:
            then()
            return
        work = partial(self.users.sign_in, self._current.name, secret, purpose="signature")
        self._pool.submit(work, lambda _person: then(), refused)

    def change_pin(
        self, secret: str, new: str, then: Callable[[Person], None], refused: Refused
    ) -> None:
        """Give the person at the station another PIN or password."""
        if self._current is not None:
            name = self._current.name
            work = partial(self.users.sign_in, name, secret, new, purpose="new_pin")
            self._pool.submit(work, then, refused)

    def lock(self, why: str = "locked") -> None:
        """Leave the station to nobody until somebody signs in."""
        if not self.config.sign_in or self._current is None:
            return
        self.record("sign_out", why=why)
        self._before, self._current = self._current, None
        self.changed.emit()

    def _on_signed_in(self, person: Person) -> None:
        before = self._current or self._before
        self._current, self._before = person, None
        self._on_person(before)

    def _on_person(self, before: Person | None) -> None:
        now = self._current
        if before is not None and now is not None and before.name != now.name:
            self.record("hand_over", before=before.name)
            self.handed_over.emit()
        self.changed.emit()

    # -- the station's log -----------------------------------------------------------------

    def record(self, event: Event, **details: object) -> None:
        """Write a line of the station's log, in the name of the person who is there."""
        self._record_start()
        work = partial(self._log.append, event, self._current, **details)
        self._pool.submit(work, None, self._on_failed)

    def start(self, version: str, policy: dict[str, str]) -> None:
        """Record that the window was opened, and what is not as it was at the last start.

        Parameters
        ----------
        policy : digest of each part of what verdicts and rights follow from
        """

        def work() -> list[Message]:
            found = self._log.lost_since_start()
            before = self._log.last("policy")
            if before is not None and before != policy:
                names = sorted(before.keys() | policy.keys())
                changed = [name for name in names if before.get(name) != policy.get(name)]
                self._log.append("policy_changed", None, parts=changed)
            self._log.append("start", None, version=version, policy=policy)
            users = self.users.problem() if self.config.sign_in else None
            return [*found, *([users] if users else [])]

        self._starting = work
        self._painted.start()

    def _record_start(self) -> None:
        """Record the start, if that waits: before anything else, and before the window closes."""
        self._painted.stop()
        work, self._starting = self._starting, None
        if work is not None:
            self._pool.submit(work, self._on_started, self._on_failed)

    def _on_started(self, problems: list[Message]) -> None:
        for problem in problems:
            self.altered.emit(problem)

    def shut_down(self) -> None:
        """Write what waits, and end the thread."""
        self._record_start()
        self.lock("closed")
        self._pool.close(finish=True)

    def _on_failed(self, error: Exception) -> None:
        self.failed.emit(error)
