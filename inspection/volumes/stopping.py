"""Reading that nobody waits for any more ends soon: a window is closed, a run is cancelled.

To lay out a large volume, or to pass through it, takes ten seconds and more. Whoever asks says what
would end it, for everything that its thread reads meanwhile; what reads looks at every plane.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

_LOOK_SECONDS = 0.05

Stopped = Callable[[], bool]
Result = TypeVar("Result")


class ReadingStopped(Exception):
    """What was being read is not wanted any more; nothing is wrong with it."""


class _Asked(threading.local):
    stopped: Stopped | None = None


_asked = _Asked()


@contextmanager
def until(stopped: Stopped) -> Iterator[None]:
    """Have what this thread reads raise `ReadingStopped` soon after ``stopped`` says so.

    Parameters
    ----------
    stopped : asked often, from this thread; what ends the outer of two ends the inner, too
    """
    outer = _asked.stopped
    _asked.stopped = stopped if outer is None else lambda: stopped() or outer()
    try:
        yield
    finally:
        _asked.stopped = outer


def read_until(stopped: Stopped, work: Callable[[], Result]) -> Result:
    """Return what ``work`` reads; raises as `until` says."""
    with until(stopped):
        return work()


def go_on() -> None:
    """Raise `ReadingStopped` where this thread's reading is not wanted any more."""
    if _asked.stopped is not None and _asked.stopped():
        raise ReadingStopped


@contextmanager
def held(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock; the wait for it ends as reading does."""
    while not lock.acquire(timeout=_LOOK_SECONDS):
        go_on()
    try:
        yield
    finally:
        lock.release()
