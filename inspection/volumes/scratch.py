"""The room on a disk where volumes are laid out anew: bounded, announced, removed at the end.

Every process has a folder of its own, locked as long as it lives; folders whose lock is free were
left behind by a process that was killed, and are removed by the next one.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from inspection.messages import Message

GIB = 1 << 30
_NAME = "battery-station-volumes"
_OURS = re.compile("[0-9a-f]{32}")
_SPARE_BYTES = GIB
"""What the disk keeps free whatever is allowed."""

_log = logging.getLogger(__name__)


class Scratch:
    """A file in the scratch folder."""

    def __init__(self, room: _Room, path: Path, size: int) -> None:
        self.path = path
        self._room = room
        self._size = size

    def remove(self) -> None:
        """Remove the file; its room may be used again."""
        self.path.unlink(missing_ok=True)
        self._room.give_back(self._size)
        self._size = 0


class _Room:
    """The process's folder, made when something first needs it."""

    def __init__(self) -> None:
        self.parent: Path | None = None
        self.most_bytes = 40 * GIB
        self.announce: Callable[[Message], None] = lambda message: _log.info("%s", message.text())
        self._lock = threading.Lock()
        self._used = 0
        self._folder: Path | None = None
        self._held: FileLock | None = None

    def take(self, name: str, size: int) -> Scratch | None:
        gigabytes = round(size / GIB, 1)
        with self._lock:
            try:
                folder = self._folder or self._make()
                free = shutil.disk_usage(folder).free - _SPARE_BYTES
            except OSError as error:
                _log.warning("no scratch folder: %s", error)
                return None
            if self._used + size > self.most_bytes or size > free:
                params = {"name": name, "gigabytes": gigabytes, "folder": str(folder)}
                self.announce(Message(code="volume_scratch_full", params=params))
                return None
            self._used += size
        params = {"name": name, "gigabytes": gigabytes, "folder": str(folder)}
        self.announce(Message(code="volume_scratch", params=params))
        return Scratch(self, folder / f"{uuid4().hex}.columns", size)

    def give_back(self, size: int) -> None:
        with self._lock:
            self._used -= size

    def _make(self) -> Path:
        usual, on_disk = Path(tempfile.gettempdir()), Path("/var/tmp")
        if usual == Path("/tmp") and os.access(on_disk, os.W_OK):
            # What lies in /tmp takes memory on many a Linux system.
            usual = on_disk
        user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
        parent = (self.parent or usual) / f"{_NAME}{user}"
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if parent.is_symlink() or (user and parent.stat().st_uid != os.getuid()):
            raise PermissionError(f"{parent} is not this user's")
        _remove_left_behind(parent)
        self._folder = parent / uuid4().hex
        self._folder.mkdir(mode=0o700)
        self._held = FileLock(self._folder / "lock")
        self._held.acquire(timeout=0)
        atexit.register(self.remove)
        return self._folder

    def remove(self) -> None:
        """Remove the process's folder."""
        with self._lock:
            folder, held = self._folder, self._held
            self._folder = self._held = None
        if held is not None:
            held.release()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_left_behind(parent: Path) -> None:
    for folder in parent.iterdir():
        if not _OURS.fullmatch(folder.name):
            continue
        try:
            with FileLock(folder / "lock", timeout=0):
                pass
        except (OSError, Timeout):
            continue
        shutil.rmtree(folder, ignore_errors=True)


_room = _Room()


def configure(
    folder: Path | None = None,
    most_bytes: int | None = None,
    announce: Callable[[Message], None] | None = None,
) -> None:
    """Say where the scratch folder is, what it may take, and who is told when it is used.

    Parameters
    ----------
    folder : by default the system's folder for temporary files, on a disk
    announce : by default the log
    """
    _room.parent = folder
    if most_bytes is not None:
        _room.most_bytes = most_bytes
    if announce is not None:
        _room.announce = announce


def reserve(path: Path, size: int, owner: object) -> Scratch | None:
    """Return a place for ``size`` bytes of a volume, or None where there is no room.

    Parameters
    ----------
    path : of the volume, whose name is told
    owner : when it has gone, so has the file
    """
    place = _room.take(path.name, size)
    if place is not None:
        weakref.finalize(owner, place.remove)
    return place


def remove_all() -> None:
    """Remove everything that this process has in the scratch folder."""
    _room.remove()
