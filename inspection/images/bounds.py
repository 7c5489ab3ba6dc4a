"""What one file, and all that is decoded at one time, may take."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from inspection.errors import ImageError

MAX_FILE_BYTES = 1 << 29
# A real slice has 16 million pixels.
MAX_PIXELS = 200_000_000
_HEAD_BYTES = 4096
MEMORY_BYTES = 1 << 30
"""What all threads of the process may take for decoding at one time."""


def read_regular_file(path: Path, check: Callable[[bytes], object]) -> bytes:
    """Return a file's bytes.

    Parameters
    ----------
    check : looks at the first bytes; what it raises spares reading the rest

    Raises
    ------
    ImageError
        If it is gone, cannot be opened, is a pipe, a device or a socket, whose end may never come,
        or is too large for one image.
    """
    try:
        # Looked at before it is opened: opening a pipe or a tape is felt at its other end.
        _refuse_special(path, path.stat())
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            found = os.fstat(file.fileno())
            _refuse_special(path, found)
            if found.st_size > MAX_FILE_BYTES:
                megabytes = found.st_size >> 20
                raise ImageError("image_file_too_large", name=path.name, megabytes=megabytes)
            check(file.read(min(found.st_size, _HEAD_BYTES)))
            file.seek(0)
            return file.read(found.st_size)
    except FileNotFoundError as error:
        raise ImageError("image_missing", name=path.name) from error
    except OSError as error:
        problem = error.strerror or str(error)
        raise ImageError("image_unreadable", name=path.name, problem=problem) from error


def _refuse_special(path: Path, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise ImageError("image_not_a_file", name=path.name)


class MemoryBudget:
    """Bytes handed out to threads: who finds too few left waits for the others.

    A thread that holds some is never made to wait, so that two that both ask for more cannot wait
    for each other; it asks for the difference only.

    Parameters
    ----------
    total : bytes
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._left = total
        self._change = threading.Condition()
        self._own = threading.local()

    @contextmanager
    def hold(self, needed: int) -> Iterator[None]:
        """Wait until so many bytes are free, and take them while the block runs."""
        before: int = getattr(self._own, "held", 0)
        more = max(0, needed - before)
        with self._change:
            if not before:
                self._change.wait_for(lambda: self._left >= more)
            self._left -= more
        self._own.held = before + more
        try:
            yield
        finally:
            self._own.held = before
            with self._change:
                self._left += more
                self._change.notify_all()


memory = MemoryBudget(MEMORY_BYTES)
"""The one of the process."""
