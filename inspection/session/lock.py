"""Who writes a session: one process at a time, whatever becomes of the files that say so.

The system's own locks decide, since they end with their process: on the folder itself, which
nobody can delete under its holder, and on ``.lock``, for file systems that lock no folders and
for programs from before there was more. ``.holder.json`` tells who it is.
"""

from __future__ import annotations

import errno
import getpass
import logging
import os
import platform
import sys
import time
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import NoReturn, Self

from pydantic import ValidationError

from inspection.atomic import create_file, write_atomic
from inspection.errors import SessionError
from inspection.record_base import Record

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

log = logging.getLogger(__name__)

LOCK_NAME = ".lock"
HOLDER_NAME = ".holder.json"
PATIENCE_S = 0.4
"""How long a lock is tried for: whoever only looks has it for a moment."""
PAUSE_S = 0.02
START_TOLERANCE_S = 2.0
"""By how much a process may seem to have started at another time, where the clock was set."""
HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
WRITTEN = ("session.json", "audit.jsonl", "batteries", "evidence", LOCK_NAME)
"""What a writer writes to; of another account's session some or all of it is out of reach."""


class Holder(Record):
    """The process that writes a session; an older program is known by nothing but its lock.

    ``started`` is when the process began, in seconds since 1970: a later one may have its ``pid``.
    ``place`` is the number of the session's folder on its disk: a copy of it is held by nobody.
    """

    host: str = ""
    pid: int = 0
    started: float = 0.0
    user: str = ""
    program: str = ""
    since: datetime | None = None
    place: int = 0

    @property
    def mine(self) -> bool:
        """True where it is this very process."""
        return (self.host, self.pid) == (platform.node(), os.getpid())

    @property
    def told(self) -> dict[str, str]:
        """What sentences say of it: user, computer, program, since when."""
        since = f"{self.since.astimezone():%Y-%m-%d %H:%M}" if self.since else ""
        host = self.host
        return {"user": self.user, "host": host, "program": self.program, "since": since}

    @property
    def alive(self) -> bool:
        """True where it is a process of this computer that runs."""
        # Not needed by a session that nobody holds.
        import psutil

        if self.host != platform.node():
            return False
        try:
            process = psutil.Process(self.pid)
            began: float = process.create_time()
            ended: bool = process.status() == psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False
        return not ended and abs(began - self.started) < START_TOLERANCE_S


class SessionHeldError(SessionError):
    """Another process writes the session; ``holder`` says which."""

    holder: Holder


class SessionForeignError(SessionError):
    """The session's files are not this account's to write."""


def holder_of(folder: Path) -> Holder | None:
    """Return the process that writes a session now, None where nobody does."""
    told = None
    with suppress(OSError, ValidationError):
        said = Holder.model_validate_json((folder / HOLDER_NAME).read_bytes())
        told = said if said.place == folder.stat().st_ino else None
    if _is_locked(folder):
        return told or Holder()
    if told is None or told.mine:
        return None
    if told.host == platform.node():
        # The lock is free and the process is not gone: its lock file was deleted, on a file
        # system that locks nothing else.
        return told if told.alive else None
    # Of another computer's process only its lock can tell; where the file is gone, nothing can.
    return None if (folder / LOCK_NAME).exists() else told


class SessionLock:
    """The right to write a session, held from the making of this object until `release`.

    It may be taken in one thread and released in another.

    Parameters
    ----------
    folder : the session's folder

    Raises
    ------
    SessionHeldError
        If another process has it.
    SessionForeignError
        If this account may not write there.
    OSError
        If the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._on_folder: int | None = None
        self._on_file: int | None = None
        parts = (folder, *(folder / name for name in WRITTEN))
        if not all(os.access(part, os.W_OK) for part in parts if part.exists()):
            raise SessionForeignError("session_foreign", session=folder.name)
        until = time.monotonic() + PATIENCE_S
        while (other := holder_of(folder)) is not None or not self._take():
            if time.monotonic() > until:
                _refuse(folder, other)
            time.sleep(PAUSE_S)
        self._tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.release()

    def keep(self) -> None:
        """Put back what was deleted of the lock; called before each write.

        Raises
        ------
        SessionHeldError
            If another process took the session after the lock's file was deleted.
        """
        path = self._folder / LOCK_NAME
        try:
            if self._on_file is None or not _same_file(self._on_file, path):
                old, self._on_file = self._on_file, None
                if old is not None:
                    os.close(old)
                self._on_file = _locked(path, os.O_RDWR | os.O_CREAT)
            if not (self._folder / HOLDER_NAME).exists():
                self._tell()
        except BlockingIOError:
            _refuse(self._folder, holder_of(self._folder))
        except OSError as error:
            # The lock on the folder holds on; what else the disk refuses, the write will tell.
            log.warning("the lock of %s cannot be renewed: %s", self._folder.name, error)

    def release(self) -> None:
        """Let other processes write the session."""
        with suppress(OSError):
            (self._folder / HOLDER_NAME).unlink(missing_ok=True)
        self._let_go()

    def _take(self) -> bool:
        try:
            if sys.platform != "win32":
                self._on_folder = _locked(self._folder, os.O_RDONLY)
            self._on_file = _locked(self._folder / LOCK_NAME, os.O_RDWR | os.O_CREAT)
        except BlockingIOError:
            self._let_go()
            return False
        except OSError as error:
            self._let_go()
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise SessionForeignError("session_foreign", session=self._folder.name) from error
            raise
        return True

    def _tell(self) -> None:
        """Say in a file who has the lock; a full disk is no reason not to have it."""
        import psutil

        holder = Holder(
            host=platform.node(),
            pid=os.getpid(),
            started=psutil.Process().create_time(),
            user=_user(),
            program=Path(sys.argv[0]).stem or "python",
            since=datetime.now().astimezone(),
            place=self._folder.stat().st_ino,
        )
        try:
            write_atomic(self._folder / HOLDER_NAME, holder.model_dump_json())
        except OSError as error:
            log.warning("%s cannot say who writes it: %s", self._folder.name, error)

    def _let_go(self) -> None:
        for descriptor in (self._on_file, self._on_folder):
            if descriptor is not None:
                os.close(descriptor)
        self._on_file = self._on_folder = None


def _locked(path: Path, flags: int, *, share: bool = False) -> int | None:
    """Open and lock; None where the file system locks no such thing.

    Raises
    ------
    BlockingIOError
        If another process has locked it.
    OSError
        If it cannot be opened.
    """
    descriptor = create_file(path, flags) if flags & os.O_CREAT else os.open(path, flags)
    try:
        if sys.platform == "win32":
            # There is no shared lock here; whoever only looks lets go at once.
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            kind = fcntl.LOCK_SH if share else fcntl.LOCK_EX
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in HELD:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(path)) from error
        return None
    return descriptor


def _is_locked(folder: Path) -> bool:
    parts = [folder / LOCK_NAME] if sys.platform == "win32" else [folder, folder / LOCK_NAME]
    for part in parts:
        try:
            descriptor = _locked(part, os.O_RDONLY, share=True)
        except BlockingIOError:
            return True
        except OSError:
            # Not there, or not this account's to read: then the other one tells.
            continue
        if descriptor is not None:
            os.close(descriptor)
    return False


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _refuse(folder: Path, holder: Holder | None) -> NoReturn:
    if holder is None or holder.since is None:
        error = SessionHeldError("session_locked", session=folder.name)
    else:
        error = SessionHeldError("session_held", session=folder.name, **holder.told)
    error.holder = holder or Holder()
    raise error


@cache
def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # An account without a name, as in a container.
        return str(os.getuid()) if sys.platform != "win32" else ""
