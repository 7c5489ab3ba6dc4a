"""Ctrl-C and SIGTERM: a run ends between two steps, and says how it goes on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TrainingInterrupted(Exception):
    """The run was asked to end.

    Parameters
    ----------
    epochs : finished epochs, which the checkpoint holds
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        super().__init__(f"interrupted after {epochs} epochs")


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C or SIGTERM sets; a second Ctrl-C interrupts at once.

    Outside the main thread, where Python cannot handle signals, nothing sets it.
    """
    asked = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        # The second time the step itself hangs, or takes too long for whoever waits.
        if number == signal.SIGINT and asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
