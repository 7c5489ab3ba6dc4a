"""Who may sign in: roles, PINs or passwords, wrong ones, and who is locked out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inspection.errors import PeopleError
from inspection.messages import Message
from inspection.paths import data_folder
from inspection.people.person import Person, Role
from inspection.people.pins import checked_hash, is_right, nobodys_hash, plain_secret
from inspection.people.roles import PeopleConfig
from inspection.people.users_file import LONGEST_NAME, User, Users, UsersFile, plain_name
from inspection.seals.log import Event, StationLog

PEOPLE_NAME = "people"
USERS_NAME = "users.json"


class UserStore:
    """Knows the people of the station and changes who they are; several programs may do so at once.

    Parameters
    ----------
    config : roles and limits
    log : the station's, in which each change is recorded
    folder : which holds the file, and is made where it is missing; by default in the station's data
    """

    def __init__(self, config: PeopleConfig, log: StationLog, folder: Path | None = None) -> None:
        self.path = (folder or data_folder() / PEOPLE_NAME) / USERS_NAME
        self._file = UsersFile(self.path, log)
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
        return sorted(self._file.read().users, key=lambda user: user.name.casefold())

    def may_manage(self, user: User) -> bool:
        """Return whether somebody may change users, also where nobody signs in yet."""
        return user.role in self._config.roles_of("users")

    def problem(self) -> Message | None:
        """Return what is to be told of a file that is not the one that the station wrote last."""
        return self._file.problem()

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
            user = users.find(name)
            if user is None:
                is_right(nobodys_hash(), secret)
                # Without the name: what is typed there by mistake may be a PIN.
                self._log.append("sign_in_failed", None, known=False, purpose=purpose)
                raise PeopleError("sign_in_wrong")
            user = self._bounded(users, user, purpose)
            _refuse_early(user, self._config.throttle.wait_seconds)
            if not is_right(user.secret, secret):
                self._fail(users, user, purpose)
            if user.temporary and not new:
                raise PeopleError("sign_in_renew", name=user.name)
            after: dict[str, object] = dict.fromkeys(("failed_at", "locked_until"))
            after["failures"] = 0
            if new:
                if plain_secret(new) == plain_secret(secret):
                    raise PeopleError("secret_same")
                after |= {"secret": self._hashed(new, user.name), "temporary": False}
            fresh = user.model_copy(update=after)
            if fresh == user:
                self._log.append("sign_in", user.person, purpose=purpose)
            else:
                self._file.write(users.put(user, fresh), "sign_in", user.person, purpose=purpose)
            return user.person

    def _bounded(self, users: Users, user: User, purpose: str) -> User:
        """Let a lock-out that a wrong clock has made too long begin anew."""
        longest = datetime.now(UTC) + timedelta(minutes=self._config.throttle.lock_minutes)
        if user.locked_until is None or user.locked_until <= longest:
            return user
        fresh = user.model_copy(update={"locked_until": longest})
        kept = users.put(user, fresh)
        self._file.write(kept, "locked_out", None, user=user.name, purpose=purpose, shortened=True)
        return fresh

    def _fail(self, users: Users, user: User, purpose: str) -> None:
        """Count a wrong PIN, then refuse."""
        throttle, now = self._config.throttle, datetime.now(UTC)
        failures = user.failures + 1
        out = failures >= throttle.attempts
        until = now + timedelta(minutes=throttle.lock_minutes) if out else None
        after = {"failures": 0 if out else failures, "failed_at": now, "locked_until": until}
        fresh = user.model_copy(update=after)
        event: Event = "locked_out" if out else "sign_in_failed"
        self._file.write(users.put(user, fresh), event, None, user=user.name, purpose=purpose)
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
            self._file.write(users.having(user), "user_added", user.person, user=user.name,
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
            self._file.write(users.having(user), "user_added", by, user=user.name, role=role)

    def remove(self, name: str, by: Person) -> None:
        """Remove a user; what they decided keeps their name.

        Raises
        ------
        PeopleError
            If ``by`` may not, there is no such user, or nobody could add users any more.
        """
        with self._changing(by) as users:
            user = users.known(name)
            self._file.write(self._kept(users.put(user, None)), "user_removed", by, user=user.name)

    def set_role(self, name: str, role: Role, by: Person) -> None:
        """Give a user another role.

        Raises
        ------
        PeopleError
            As `remove`.
        """
        with self._changing(by) as users:
            user = users.known(name)
            after = self._kept(users.put(user, user.model_copy(update={"role": role})))
            self._file.write(after, "user_changed", by, user=user.name, role=role, before=user.role)

    def reset(self, name: str, secret: str, by: Person) -> None:
        """Give a user a temporary PIN, and end a lock-out.

        Raises
        ------
        PeopleError
            If ``by`` may not, there is no such user, or the PIN will not do.
        """
        with self._changing(by) as users:
            user = users.known(name)
            after = {
                "secret": self._hashed(secret, user.name),
                "temporary": True,
                "failures": 0,
                "locked_until": None,
            }
            fresh = user.model_copy(update=after)
            self._file.write(users.put(user, fresh), "pin_reset", by, user=user.name)

    def unlock(self, name: str, by: Person) -> None:
        """End a lock-out.

        Raises
        ------
        PeopleError
            If ``by`` may not, or there is no such user.
        """
        with self._changing(by) as users:
            user = users.known(name)
            fresh = user.model_copy(update={"failures": 0, "locked_until": None})
            self._file.write(
                users.put(user, fresh), "user_changed", by, user=user.name, unlocked=True
            )

    @contextmanager
    def _changing(self, by: Person | None = None) -> Iterator[Users]:
        """Have the file for oneself; ``by`` must be one who may manage users."""
        with self._file.alone() as users:
            if by is not None:
                # By the role in the file: the person's may have changed since they signed in.
                known = users.find(by.name)
                if known is None or not self.may_manage(known):
                    raise PeopleError("users_not_allowed", name=by.name)
            self._file.tell_foreign()
            yield users

    def _kept(self, users: Users) -> Users:
        if not any(map(self.may_manage, users.users)):
            raise PeopleError("users_last")
        return users

    def _made(self, users: Users, name: str, role: Role, secret: str, *, temporary: bool) -> User:
        plain = plain_name(name)
        if not 0 < len(plain) <= LONGEST_NAME or not plain.isprintable():
            raise PeopleError("user_name_wrong", longest=LONGEST_NAME)
        if users.find(plain) is not None:
            raise PeopleError("user_taken", name=plain)
        hashed = self._hashed(secret, plain)
        return User(
            name=plain, role=role, secret=hashed, temporary=temporary, added_at=datetime.now(UTC)
        )

    def _hashed(self, secret: str, name: str) -> str:
        return checked_hash(secret, name, self._config.shortest_secret)


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
