"""The people whom the station knows: their roles, their PINs or passwords, and who is locked out.

One file, ``users.json``. Each change of it goes into the station's log first, with the digest that
the file has after it: a file that was edited by hand is another than the log's last.
"""

from __future__ import annotations

import functools
import hashlib
import json
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock
from pydantic import Field, ValidationError

from inspection.atomic import write_atomic
from inspection.errors import PeopleError
from inspection.messages import Message
from inspection.paths import data_folder
from inspection.people.person import Person, Role
from inspection.people.roles import PeopleConfig
from inspection.results import Record
from inspection.seals.log import Event, StationLog

PEOPLE_NAME = "people"
USERS_NAME = "users.json"
SCHEMA_VERSION = 1
LONGEST_NAME = 80
LOCK_SECONDS = 10.0
"""For how long another program may be changing the users before that is told."""
LONGEST_SECRET = 128
FEWEST_SIGNS = 3
"""Different ones in a PIN or password: 111111 is the first that anybody tries."""


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


class UsersFile(Record):
    """``users.json``."""

    schema_version: int = SCHEMA_VERSION
    users: list[User] = Field(default_factory=list)


class UserStore:
    """Reads and changes the file of users; several programs may do so at once.

    Parameters
    ----------
    config : roles and limits
    log : the station's, in which each change is recorded
    folder : which holds it, and is made where it is missing; by default in the station's own data
    """

    def __init__(self, config: PeopleConfig, log: StationLog, folder: Path | None = None) -> None:
        self.path = (folder or data_folder() / PEOPLE_NAME) / USERS_NAME
        self._config = config
        self._log = log

    # -- reading ---------------------------------------------------------------------------

    def users(self) -> list[User]:
        """Return everybody, by name.

        Raises
        ------
        PeopleError
            If the file cannot be read or is damaged.
        """
        return sorted(self._read().users, key=lambda user: user.name.casefold())

    def may_manage(self, user: User) -> bool:
        """Return whether somebody may change users, also where nobody signs in yet."""
        return user.role in self._config.roles_of("users")

    def problem(self) -> Message | None:
        """Return what is to be told of a file that is not the one that the station wrote last."""
        logged = self._log.last("users")
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

    def _read(self) -> UsersFile:
        try:
            raw = self.path.read_bytes()
            version = json.loads(raw)["schema_version"]
            if isinstance(version, int) and version > SCHEMA_VERSION:
                raise PeopleError("users_newer", path=str(self.path))
            return UsersFile.model_validate_json(raw)
        except FileNotFoundError:
            return UsersFile()
        except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise PeopleError("users_damaged", path=str(self.path)) from error
        except OSError as error:
            problem = error.strerror or str(error)
            raise PeopleError("users_disk", path=str(self.path), problem=problem) from error

    # -- signing in ------------------------------------------------------------------------

    def sign_in(self, name: str, secret: str, new: str = "", *, purpose: str = "screen") -> Person:
        """Return the person whose PIN or password it is.

        Parameters
        ----------
        new : the PIN or password that takes the place of this one, as a temporary one needs
        purpose : what the log says it was for

        Raises
        ------
        PeopleError
            If it is wrong, tried too soon or too often, or is temporary and ``new`` is missing.
        """
        with self._changing() as users:
            user = _found(users, name)
            if user is None:
                _is_right(_nobodys_hash(), secret)
                # Without the name: what is typed there by mistake may be a PIN.
                self._log.append("sign_in_failed", None, known=False, purpose=purpose)
                raise PeopleError("sign_in_wrong")
            _refuse_early(user, self._config.throttle.wait_seconds)
            if not _is_right(user.secret, secret):
                self._fail(users, user, purpose)
            if user.temporary and not new:
                raise PeopleError("sign_in_renew", name=user.name)
            after: dict[str, object] = dict.fromkeys(("failed_at", "locked_until"))
            after["failures"] = 0
            if new:
                if _plain(new) == _plain(secret):
                    raise PeopleError("secret_same")
                after |= {"secret": self._hashed(new, user.name), "temporary": False}
            fresh = user.model_copy(update=after)
            if fresh == user:
                self._log.append("sign_in", user.person, purpose=purpose)
            else:
                self._write(_put(users, user, fresh), "sign_in", user.person, purpose=purpose)
            return user.person

    def _fail(self, users: UsersFile, user: User, purpose: str) -> None:
        """Count a wrong PIN, then refuse."""
        throttle, now = self._config.throttle, datetime.now(UTC)
        failures = user.failures + 1
        out = failures >= throttle.attempts
        until = now + timedelta(minutes=throttle.lock_minutes) if out else None
        after = {"failures": 0 if out else failures, "failed_at": now, "locked_until": until}
        fresh = user.model_copy(update=after)
        event: Event = "locked_out" if out else "sign_in_failed"
        self._write(_put(users, user, fresh), event, None, user=user.name, purpose=purpose)
        if out:
            _refuse_early(fresh, 0)
        raise PeopleError("sign_in_wrong")

    # -- changing --------------------------------------------------------------------------

    def add_first(self, name: str, secret: str) -> Person:
        """Add the first administrator, where the station knows nobody yet.

        Raises
        ------
        PeopleError
            If there are users, or the name or PIN will not do.
        """
        with self._changing() as users:
            if users.users:
                raise PeopleError("users_not_first")
            user = self._made(users, name, "administrator", secret, temporary=False)
            self._write(_with(users, user), "user_added", user.person, user=user.name,
                        role=user.role, first=True)  # fmt: skip
            return user.person

    def add(self, name: str, role: Role, secret: str, by: Person) -> None:
        """Add a user with a temporary PIN.

        Raises
        ------
        PeopleError
            If ``by`` may not, or the name is taken, or the name or PIN will not do.
        """
        with self._changing(by) as users:
            user = self._made(users, name, role, secret, temporary=True)
            self._write(_with(users, user), "user_added", by, user=user.name, role=role)

    def remove(self, name: str, by: Person) -> None:
        """Remove a user; what they decided keeps their name.

        Raises
        ------
        PeopleError
            If ``by`` may not, there is no such user, or nobody could add users any more.
        """
        with self._changing(by) as users:
            user = _known(users, name)
            self._write(self._kept(_put(users, user, None)), "user_removed", by, user=user.name)

    def set_role(self, name: str, role: Role, by: Person) -> None:
        """Give a user another role.

        Raises
        ------
        PeopleError
            As `remove`.
        """
        with self._changing(by) as users:
            user = _known(users, name)
            after = self._kept(_put(users, user, user.model_copy(update={"role": role})))
            self._write(after, "user_changed", by, user=user.name, role=role, before=user.role)

    def reset(self, name: str, secret: str, by: Person) -> None:
        """Give a user a temporary PIN, and end a lock-out.

        Raises
        ------
        PeopleError
            If ``by`` may not, there is no such user, or the PIN will not do.
        """
        with self._changing(by) as users:
            user = _known(users, name)
            after = {
                "secret": self._hashed(secret, user.name),
                "temporary": True,
                "failures": 0,
                "locked_until": None,
            }
            fresh = user.model_copy(update=after)
            self._write(_put(users, user, fresh), "pin_reset", by, user=user.name)

    def unlock(self, name: str, by: Person) -> None:
        """End a lock-out.

        Raises
        ------
        PeopleError
            If ``by`` may not, or there is no such user.
        """
        with self._changing(by) as users:
            user = _known(users, name)
            fresh = user.model_copy(update={"failures": 0, "locked_until": None})
            self._write(_put(users, user, fresh), "user_changed", by, user=user.name, unlocked=True)

    @contextmanager
    def _changing(self, by: Person | None = None) -> Iterator[UsersFile]:
        """Have the file for oneself; ``by`` must be one who may manage users."""
        try:
            # Hashes are nobody else's business.
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock"), LOCK_SECONDS, thread_local=False):
                users = self._read()
                if by is not None:
                    # By the role in the file: the person's may have changed since they signed in.
                    known = _found(users, by.name)
                    if known is None or not self.may_manage(known):
                        raise PeopleError("users_not_allowed", name=by.name)
                if (problem := self.problem()) is not None:
                    found = self._digest() or ""
                    self._log.append("users_altered", None, what=problem.code, found=found)
                yield users
        except OSError as error:
            problem_text = error.strerror or str(error)
            raise PeopleError("users_disk", path=str(self.path), problem=problem_text) from error

    def _write(
        self, users: UsersFile, event: Event, person: Person | None, **details: str | bool
    ) -> None:
        data = users.model_dump_json(indent=2).encode("utf-8")
        # The log first: a change that it does not know must not count.
        self._log.append(event, person, users=hashlib.sha256(data).hexdigest(), **details)
        write_atomic(self.path, data)

    def _kept(self, users: UsersFile) -> UsersFile:
        if not any(map(self.may_manage, users.users)):
            raise PeopleError("users_last")
        return users

    def _made(
        self, users: UsersFile, name: str, role: Role, secret: str, *, temporary: bool
    ) -> User:
        plain = " ".join(unicodedata.normalize("NFC", name).split())
        if not 0 < len(plain) <= LONGEST_NAME or not plain.isprintable():
            raise PeopleError("user_name_wrong", longest=LONGEST_NAME)
        if _found(users, plain) is not None:
            raise PeopleError("user_taken", name=plain)
        hashed = self._hashed(secret, plain)
        return User(
            name=plain, role=role, secret=hashed, temporary=temporary, added_at=datetime.now(UTC)
        )

    def _hashed(self, secret: str, name: str) -> str:
        plain = _plain(secret)
        shortest = self._config.shortest_secret
        if not shortest <= len(plain) <= LONGEST_SECRET:
            raise PeopleError("secret_length", shortest=shortest, longest=LONGEST_SECRET)
        if len(set(plain)) < FEWEST_SIGNS or plain.casefold() == _plain(name).casefold():
            raise PeopleError("secret_simple", fewest=FEWEST_SIGNS)
        return _hash(plain)


def _plain(secret: str) -> str:
    # One keyboard writes a Korean syllable as one letter, another as three.
    return unicodedata.normalize("NFKC", secret)


@functools.cache
def _nobodys_hash() -> str:
    """Return the hash of no PIN: to refuse an unknown name takes as long as a wrong PIN."""
    return _hash("")


def _hash(plain: str) -> str:
    # The window is painted before anybody signs in.
    from argon2 import PasswordHasher

    return PasswordHasher().hash(plain)


def _is_right(hashed: str, secret: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return PasswordHasher().verify(hashed, _plain(secret)[: LONGEST_SECRET + 1])
    except (VerificationError, InvalidHashError):
        return False


def _refuse_early(user: User, wait_seconds: float) -> None:
    """Refuse a person who is locked out, or was wrong a moment ago."""
    now = datetime.now(UTC)
    if user.locked_out and user.locked_until is not None:
        minutes = max(1, round((user.locked_until - now).total_seconds() / 60))
        raise PeopleError("sign_in_locked", name=user.name, minutes=minutes)
    if user.failed_at is not None and user.failures:
        waited = (now - user.failed_at).total_seconds()
        wait = wait_seconds * 2 ** (user.failures - 1)
        # A clock that was set back must not keep anybody out.
        if 0 <= waited < wait:
            raise PeopleError("sign_in_soon", seconds=max(1, round(wait - waited)))


def _found(users: UsersFile, name: str) -> User | None:
    wanted = " ".join(unicodedata.normalize("NFC", name).split()).casefold()
    return next((user for user in users.users if user.name.casefold() == wanted), None)


def _known(users: UsersFile, name: str) -> User:
    user = _found(users, name)
    if user is None:
        raise PeopleError("user_unknown", name=name)
    return user


def _with(users: UsersFile, user: User) -> UsersFile:
    return users.model_copy(update={"users": [*users.users, user]})


def _put(users: UsersFile, old: User, fresh: User | None) -> UsersFile:
    """Return the file with a user in the place of another, or in nobody's place."""
    kept = [fresh if user is old else user for user in users.users]
    return users.model_copy(update={"users": [user for user in kept if user is not None]})
