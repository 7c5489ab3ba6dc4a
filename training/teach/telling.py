"""What a teaching tells while it goes on, and how it is asked to stop."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from inspection.atomic import write_atomic
from inspection.messages import Message
from inspection.modelstore.teaching import CANCEL_NAME, PROGRESS_NAME, Stage, TeachEvent

LOOK_SECONDS = 0.3
WRITE_SECONDS = 1.0


class Teller:
    """Tells where a teaching is: a JSON line on stdout, and the last one in a file.

    Parameters
    ----------
    folder : of the teaching
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / PROGRESS_NAME
        self._lock = threading.Lock()
        self._stage: Stage | None = None
        self._began = self._written = 0.0

    def tell(self, stage: Stage, done: int = 0, total: int = 0) -> None:
        """Tell how much of a stage is done."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began = stage, now
        left = (now - self._began) / done * (total - done) if done else None
        self._say(TeachEvent(stage=stage, done=done, total=total, seconds_left=left))

    def end(self, stage: Stage, error: Message | None = None) -> None:
        """Tell that nothing more comes."""
        self._written = 0.0
        self._say(TeachEvent(stage=stage, error=error))

    def _say(self, event: TeachEvent) -> None:
        # In ASCII: a console or pipe need not be in UTF-8.
        line = json.dumps(event.model_dump(mode="json"))
        with self._lock:
            # Whoever listened may have gone, and the run is to survive that; so is a full disk,
            # of which the result will tell.
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
            if time.monotonic() - self._written >= WRITE_SECONDS:
                self._written = time.monotonic()
                with contextlib.suppress(OSError):
                    write_atomic(self._file, line + "\n")


@contextlib.contextmanager
def stopped_on_request(folder: Path, *, attached: bool) -> Iterator[None]:
    """Raise KeyboardInterrupt in the main thread once somebody wants the teaching to stop.

    Asked for by SIGTERM or by a file `CANCEL_NAME`; with `attached` also by the end of stdin,
    which comes with the end of the process that started this one.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    over = threading.Event()

    def ask() -> None:
        if not over.is_set():
            # Handled in the main thread: by the training loop between two steps, else at once.
            signal.raise_signal(signal.SIGTERM)

    def watch_folder() -> None:
        while not over.wait(LOOK_SECONDS):
            if (folder / CANCEL_NAME).exists():
                ask()
                return

    def watch_parent() -> None:
        # Not `sys.stdin` itself, whose lock this thread would hold when the interpreter ends.
        while os.read(0, 1):
            pass
        ask()

    before = signal.signal(signal.SIGTERM, on_signal)
    threading.Thread(target=watch_folder, daemon=True).start()
    if attached:
        threading.Thread(target=watch_parent, daemon=True).start()
    try:
        yield
    finally:
        over.set()
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def epochs_told(teller: Teller, log: Path, epochs: int) -> Iterator[None]:
    """Tell how many epochs a run has done, by the lines of its log."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_SECONDS):
            with contextlib.suppress(OSError), log.open(encoding="utf-8", newline="") as file:
                teller.tell("training", min(epochs, sum(1 for _ in csv.DictReader(file))), epochs)

    teller.tell("training", 0, epochs)
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
