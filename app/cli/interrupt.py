"""Ctrl-C as a wish to stop, so that what is begun is ended properly."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cancel_on_interrupt(cancel: threading.Event) -> Iterator[None]:
    """Let Ctrl-C set ``cancel`` rather than end the program where it stands."""
    previous = signal.signal(signal.SIGINT, lambda *_: cancel.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
