"""kill -9 at random moments: what was said before is there after, and the end is as ever."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from random import Random
from typing import Any

from fault_parts.counts import Column, Report
from fault_parts.window_said import WindowSaid, write_settings
from fault_parts.world import PARTS, PATIENCE_S, Reference, World, has_traceback

HEADLESS = "kill -9, headless"
WINDOW = "kill -9, window"
CHANGES = 24
"""A kill follows one of so many changes on the disk."""
BETWEEN_S = 0.03
"""And hits somewhere within so long after it: between two writes, more often than not."""
LAST_LINES = 12
"""Of what a program that failed has said on stderr, for the report: a traceback's end."""
LONGEST_S = 12.0
"""The others come at any time up to this."""
TIMED = 0.35
POLL_S = 0.001

Moment = Callable[[subprocess.Popen[str]], None]


class Watched:
    """A program whose lines are kept.

    Parameters
    ----------
    moment : waits for a moment of the run, at which the program is killed unless ``kill`` is False
    """

    def __init__(
        self, process: subprocess.Popen[str], moment: Moment | None = None, *, kill: bool = True
    ) -> None:
        self.lines: list[str] = []
        self._errors: deque[str] = deque(maxlen=LAST_LINES)
        readers = [
            threading.Thread(target=self._read, args=(stream, also))
            for stream, also in ((process.stdout, None), (process.stderr, self._errors))
        ]
        for reader in readers:
            reader.start()
        if moment is not None:
            moment(process)
            if kill:
                process.kill()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            self.lines.append("it did not come back")
        for reader in readers:
            reader.join()
        self.code = process.wait()

    @property
    def killed(self) -> bool:
        """True where the program still ran when the kill came."""
        return self.code == -9

    @property
    def failed(self) -> bool:
        """True where it ended by itself, and not well."""
        return self.code not in (0, -9) or any(map(has_traceback, self.lines))

    @property
    def end(self) -> str:
        """How it ended, for a report: its exit code, and the last that it said on stderr."""
        return f"exit code {self.code}: {' / '.join(self._errors) or 'nothing on stderr'}"

    def _read(self, stream: Any, also: deque[str] | None) -> None:
        with stream:
            for line in stream:
                if also is not None:
                    also.append(line.rstrip("\n"))
                # A line that was cut was not said.
                if line.endswith("\n"):
                    self.lines.append(line.rstrip("\n"))


def kill_headless(
    world: World, reference: Reference, random: Random, kills: int, report: Report
) -> int:
    """Kill inspections of one session and resume it, until it is whole; return the kills."""
    done = 0
    acknowledged: set[str] = set()
    while True:
        run = Watched(world.start_inspect(), _moment(world, random) if done < kills else None)
        # One word a line for each battery that is through.
        acknowledged |= {line.split(" ", 1)[0] for line in run.lines} & reference.rows.keys()
        if run.killed:
            done += 1
            report.add(HEADLESS, _after_kill(world, reference, acknowledged))
            continue
        wrong = reference.differs(world)
        if run.failed:
            wrong = iter([("lost", f"cannot go on: {run.end}")])
        report.add(HEADLESS, wrong, tried=0)
        return done


def kill_window(
    world: World, reference: Reference, random: Random, kills: int, report: Report
) -> int:
    """Kill windows that inspect and decide, and open the session anew; return the kills."""
    done = 0
    said = WindowSaid()
    write_settings(world, world.systems)
    while True:
        script = [PARTS / "window.py", world.lot, world.sessions]
        process = world.start_python(*script, str(random.randrange(1 << 30)))
        run = Watched(process, _moment(world, random) if done < kills else None)
        said.take(run.lines)
        if run.killed:
            done += 1
            wrong = [*_after_kill(world, reference, said.verdicts), *said.lost(world)]
            report.add(WINDOW, wrong)
            continue
        wrong = [*reference.differs(world), *said.lost(world)]
        if run.failed:
            wrong = [("lost", f"the window failed: {run.end}")]
        report.add(WINDOW, wrong, tried=0)
        return done


def _after_kill(
    world: World, reference: Reference, acknowledged: Collection[str]
) -> Iterator[tuple[Column, str]]:
    if world.run is None:
        if acknowledged:
            yield "lost", "the session is gone"
        return
    (found,) = world.shown(world.run)
    if "refused" in found:
        yield "lost", f"cannot be opened after a kill: {found['refused']}"
        return
    for name in sorted(acknowledged):
        row = found["rows"].get(name)
        if row is None or row["state"] != "done":
            yield "lost", f"{name} was told and is {row and row['state']}"
        elif row["kind"] != reference.rows[name]["kind"]:
            yield "lost", f"{name} was told as {reference.rows[name]['kind']}, is {row['kind']}"
    yield from reference.wrong_normals(found)
    if found["seal"] != "sealed":
        yield "unnoticed", f"after a kill it is {found['seal']}: {found['seal_problems']}"


def _moment(world: World, random: Random) -> Moment:
    """Return what waits for a random moment of a run."""
    seconds = random.uniform(0.0, LONGEST_S)
    if random.random() < TIMED:
        return lambda process: _wait(process, seconds)
    changes, more = random.randint(1, CHANGES), random.uniform(0.0, BETWEEN_S)

    def after_changes(process: subprocess.Popen[str]) -> None:
        before, seen, until = _disk(world), 0, time.monotonic() + PATIENCE_S
        while process.poll() is None and seen < changes and time.monotonic() < until:
            time.sleep(POLL_S)
            now = _disk(world)
            seen, before = seen + (now != before), now
        time.sleep(more)

    return after_changes


def _wait(process: subprocess.Popen[str], seconds: float) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def _disk(world: World) -> list[int]:
    """Return what changes whenever a session is written to."""
    times: list[int] = []
    if (run := world.run) is not None:
        for part in (run, run / "batteries", run / "audit.jsonl"):
            with suppress(OSError):
                times.append(part.stat().st_mtime_ns)
    return times
