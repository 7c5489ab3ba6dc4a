"""A second process that has a session: it writes, lets go, or dies, as a test tells it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
from inspection.session.store import SessionStore
from inspection.results import BatteryResult, Verdict

def saved(battery, kind):
    verdict = Verdict(kind=kind)
    store.save_battery(BatteryResult(battery_id=battery, state="done", verdict=verdict))

store = SessionStore.open(Path(sys.argv[1]))
print("held", flush=True)
for line in sys.stdin:
    order, *words = line.split()
    if order == "close":
        store.close()
    elif order == "mark":
        store.mark(words[0])
    elif order == "save":
        saved(*words)
    print("did", flush=True)
"""


class SessionHolder:
    """Gives orders to the process; each returns once it is carried out."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    @property
    def pid(self) -> int:
        return self.process.pid

    def save(self, battery_id: str, kind: str = "normal") -> None:
        self._order(f"save {battery_id} {kind}")

    def mark(self, status: str) -> None:
        self._order(f"mark {status}")

    def close(self) -> None:
        self._order("close")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _order(self, line: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "did\n"


@contextmanager
def held_elsewhere(folder: Path) -> Iterator[SessionHolder]:
    """Have another process hold a session."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield SessionHolder(process)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
