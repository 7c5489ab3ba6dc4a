"""``users.json``: the people whom the station knows, and the log that knows the file.

A change is staged beside the file, then told to the station's log with the digest that the file
is about to have, then put in place. A kill leaves either a staged file that the log does not know,
which is no change, or one that it knows, which the next program puts in place. Any other file than
the log's last was changed outside of the station.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock
from pydantic import Field, ValidationError

from inspection.atomic import TEMPORARY, put_in_place, remove_leftovers, stage
from inspection.errors import PeopleError
from inspection.messages import Message
from inspection.people.person import Person, Role
from inspection.record_base import Record
from inspection.seals.log import Event, StationLog

SCHEMA_VERSION = 1
LONGEST_NAME = 80
LOCK_SECONDS = 10.0
"""For how long another program may be changing the users before that is told."""
DIGEST, BEFORE = "users", "users_before"
"""Details of the log's lines: the digest of the file after a change, and before it."""


class User(Record):
    """A person with a role; ``secret`` is the argon2 hash of the PIN or password.

    ``temporary`` is a PIN that somebody else gave: it only serves to choose another.
    """

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    role: Role
    secret: str
    temporary: bool = False
    failures: int = Field(default=0, ge=0)
    failed_at: datetime | None = None
    locked_until: datetime | None = None
    added_at: datetime

    @property
    def person(self) -> Person:
        """The user as the records name them."""
        return Person(name=self.name, role=self.role)

    @property
    def locked_out(self) -> bool:
        """True after too many wrong PINs, until the time is over."""
        return self.locked_until is not None and datetime.now(UTC) < self.locked_until


class Users(Record):
    """What ``users.json`` holds."""

    schema_version: int = SCHEMA_VERSION
    users: list[User] = Field(default_factory=list)

    def find(self, name: str) -> User | None:
        """Return the user of a name, however it is spaced and in whichever case."""
        wanted = plain_name(name).casefold()
        return next((user for user in self.users if user.name.casefold() == wanted), None)

    def known(self, name: str) -> User:
        """Return the user of a name.

        Raises
        ------
        PeopleError
            If there is none.
        """
        user = self.find(name)
        if user is None:
            raise PeopleError("user_unknown", name=name)
        return user

    def having(self, user: User) -> Users:
        """Return them with one more."""
        return self.model_copy(update={"users": [*self.users, user]})

    def put(self, old: User, fresh: User | None) -> Users:
        """Return them with a user in the place of another, or nobody in it."""
        kept = [fresh if user is old else user for user in self.users]
        return self.model_copy(update={"users": [user for user in kept if user is not None]})


def plain_name(name: str) -> str:
    """Return a name as it is kept."""
    return " ".join(unicodedata.normalize("NFC", name).split())


class UsersFile:
    """Reads and replaces the file; several programs may do so at once."""

    def __init__(self, path: Path, log: StationLog) -> None:
        self.path = path
        self._log = log

    def read(self) -> Users:
        """Return what the file holds, a change that a kill has kept from it included.

        Raises
        ------
        PeopleError
            If it cannot be read or is damaged.
        """
        if any(self._staged()):
            with self.alone() as users:
                return users
        return self._read()

    def problem(self) -> Message | None:
        """Return what is to be told of a file that is not the one that the station wrote last.

        Raises
        ------
        PeopleError
            If the disk refuses.
        """
        if self._difference() is None:
            return None
        # Another program may just have been changing it.
        with self._locked():
            return self._difference()

    @contextmanager
    def alone(self) -> Iterator[Users]:
        """Have the file for oneself, a change that a kill has kept from it put in place.

        Raises
        ------
        PeopleError
            If it is damaged, the disk refuses, or another program keeps it to itself.
        """
        with self._locked():
            yield self._read()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            # Hashes are nobody else's business.
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock"), LOCK_SECONDS, thread_local=False):
                self._finish()
                yield
        except OSError as error:
            raise self._refused(error) from error

    def tell_foreign(self) -> None:
        """Put into the log that the file is another than the station's; only while alone."""
        if (problem := self._difference()) is not None:
            found = self._digest() or ""
            self._log.append("users_altered", None, what=problem.code, found=found)

    def write(
        self, users: Users, event: Event, person: Person | None, **details: str | bool
    ) -> None:
        """Put others in the place of the users; only while alone.

        Raises
        ------
        SealError
            If the log does not take it; nothing is changed then.
        OSError
            If the disk refuses.
        """
        data = users.model_dump_json(indent=2).encode("utf-8")
        staged = stage(self.path, data)
        told = {DIGEST: hashlib.sha256(data).hexdigest(), BEFORE: self._digest() or ""}
        try:
            # The log first: a change that it does not know must not count.
            self._log.append(event, person, **told, **details)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise
        put_in_place(staged, self.path)
        remove_leftovers(self.path.parent)

    def _finish(self) -> None:
        """Put in place what a kill after the log's line has kept from it."""
        staged = list(self._staged())
        line = next(self._log.newest(DIGEST), None) if staged else None
        if line is None:
            return
        known, before = line.content[DIGEST], line.content.get(BEFORE)
        # What was edited since then is not written over: it has to be told.
        if before is not None and (self._digest() or "") != before:
            return
        for path in staged:
            if hashlib.sha256(path.read_bytes()).hexdigest() == known:
                put_in_place(path, self.path)
                return

    def _staged(self) -> Iterator[Path]:
        return self.path.parent.glob(f".{self.path.name}.*{TEMPORARY}")

    def _difference(self) -> Message | None:
        logged = self._log.last(DIGEST)
        found = self._digest()
        if logged == found:
            return None
        code = "users_gone" if found is None else "users_altered"
        return Message(code=code, params={"path": str(self.path)})

    def _digest(self) -> str | None:
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        except FileNotFoundError:
            return None

    def _read(self) -> Users:
        try:
            raw = self.path.read_bytes()
            version = json.loads(raw)["schema_version"]
            if isinstance(version, int) and version > SCHEMA_VERSION:
                raise PeopleError("users_newer", path=str(self.path))
            return Users.model_validate_json(raw)
        except FileNotFoundError:
            return Users()
        except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise PeopleError("users_damaged", path=str(self.path)) from error
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> PeopleError:
        problem = error.strerror or str(error)
        return PeopleError("users_disk", path=str(self.path), problem=problem)
