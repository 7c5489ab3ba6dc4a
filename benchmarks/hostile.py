"""Give the station thousands of hostile inputs, and count what it makes of them.

Images, labels, tables, configurations, file names, bundles and zips are each given to the part
of the station that meets them, in processes of their own: a process that dies,
does not come back
within `HANG_S`, or takes more than its budget, is counted. Batteries with a defect whose images
were stored oddly,
damaged or repeated are judged by the ensemble with the bundled models: one of
them that is ``normal`` is wrong. Ends with 1 where any of the last four columns is not 0::

    python benchmarks/hostile.py --count 10000 --seed 1
    python benchmarks/hostile.py --count 500 --seed 3 --kinds image battery --keep failing

Memory is measured as Linux tells it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

# Before torch is imported: one thread a process, of which there are several.
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from builders.hostile import HostileInput, Outcome, look_at, make_input, numbers_of

from inspection.images.bounds import MEMORY_BYTES

HANG_S = 10.0
TRIES = 2
"""A busy moment of the machine is no hang: what is slow is tried a second time."""
OTHER_BUDGET = 512 << 20
"""Bytes that anything but an image may take beyond what the process has; torch included."""
SLACK = 64 << 20
COLUMNS = ("tried", "refused", "read", "tracebacks", "hangs", "over budget", "wrong normal")


@dataclass
class Report:
    """What was counted of each kind."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    slowest: dict[str, float] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    failing: list[tuple[str, int, str, str]] = field(default_factory=list)

    def add(
        self, kind: str, number: int, column: str, made: str, found: Outcome, peak: int
    ) -> None:
        """Count an input."""
        counts = self.counts.setdefault(kind, Counter())
        counts.update(["tried", column])
        self.slowest[kind] = max(self.slowest.get(kind, 0.0), found.seconds)
        self.peak[kind] = max(self.peak.get(kind, 0), peak)
        if column in COLUMNS[3:]:
            self.failing.append((kind, number, made, f"{column}: {found.said}"))

    def as_markdown(self) -> str:
        """Return the table."""
        head = ("input", *COLUMNS, "slowest s", "peak MiB")
        lines = [f"| {' | '.join(head)} |", f"|---{'|---:' * (len(head) - 1)}|"]
        total: Counter[str] = sum(self.counts.values(), Counter())
        rows = [*self.counts.items(), ("all", total)]
        for kind, counts in rows:
            slowest = self.slowest.get(kind, max(self.slowest.values(), default=0.0))
            peak = self.peak.get(kind, max(self.peak.values(), default=0))
            cells = [kind, *(str(counts[column]) for column in COLUMNS)]
            lines.append(f"| {' | '.join(cells)} | {slowest:.1f} | {peak >> 20} |")
        return "\n".join(lines)


def work(pipe: Connection, seed: int, folder: Path) -> None:
    """Look at what is asked for, until the pipe is closed. Runs in a process of its own."""
    import torch

    torch.set_num_threads(1)
    # What would eat the machine ends as a MemoryError here.
    resource.setrlimit(resource.RLIMIT_DATA, (8 << 30, 8 << 30))
    judge = None
    place = folder / "input"
    while (asked := pipe.recv()) is not None:
        kind, number = asked
        if kind == "battery" and judge is None:
            from builders.hostile_batteries import Judge

            judge = Judge(folder.parent / "batteries")
        found = _made(kind, number, seed, judge)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        path = found.write(place)
        size = sum(len(data) for data in found.files.values() if isinstance(data, bytes))
        before = _forget_peak()
        pipe.send(found.made)
        if judge is not None and kind == "battery":
            outcome = _judged(judge, place)
        else:
            outcome = look_at(found, path, folder)
        pipe.send((outcome, _memory("VmHWM") - before, size))
    if judge is not None:
        judge.close()


def _made(kind: str, number: int, seed: int, judge: object) -> HostileInput:
    if kind != "battery":
        return make_input(kind, number, seed)
    from builders.hostile_batteries import Judge, hostile_battery

    assert isinstance(judge, Judge)
    made, files = hostile_battery(Random(f"{seed} {kind} {number}"), judge.defective)
    return HostileInput(kind, number, made, {f"B1/{name}": files[name] for name in files}, "")


def _judged(judge: object, lot: Path) -> Outcome:
    from builders.hostile_batteries import Judge

    assert isinstance(judge, Judge)
    started = time.monotonic()
    try:
        kind = judge.verdict_of(lot)
        result = {"normal": "wrong normal", "review": "refused", "not_inspected": "refused"}
        return Outcome(result.get(kind, "read"), kind, time.monotonic() - started)
    except Exception as error:  # noqa: BLE001 - what is counted here
        said = f"{type(error).__name__}: {str(error)[:300]}"
        return Outcome("error", said, time.monotonic() - started)


def _memory(name: str) -> int:
    """Return a figure of this process in bytes: ``VmRSS`` now, ``VmHWM`` at most."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(text.partition(f"{name}:")[2].split()[0]) << 10


def _forget_peak() -> int:
    """Have the peak begin again at what the process has now, which is returned."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return _memory("VmRSS")


class Worker:
    """A process that looks at inputs, and is ended where it does not come back."""

    def __init__(self, seed: int, folder: Path) -> None:
        self._seed = seed
        self._folder = folder
        folder.mkdir(parents=True)
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=work, args=(other, self._seed, self._folder))
        self._process.start()
        other.close()

    def look(self, kind: str, number: int) -> tuple[str, str, Outcome, int]:
        """Return the column that an input counts in, how it was made, what was said, and bytes."""
        made, column = "", ""
        for _ in range(TRIES):
            try:
                self._pipe.send((kind, number))
                made = self._pipe.recv()
                if self._pipe.poll(HANG_S):
                    outcome, peak, size = self._pipe.recv()
                    return _column(kind, outcome, peak, size), made, outcome, peak
                column, said = "hangs", f"longer than {HANG_S:g} s"
            except EOFError:
                self._process.join()
                column, said = "tracebacks", f"the process ended with {self._process.exitcode}"
            self._process.kill()
            self._process.join()
            self._start()
            if column == "tracebacks":
                break
        return column, made, Outcome("error", said, HANG_S), 0

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join()


def _column(kind: str, outcome: Outcome, peak: int, size: int) -> str:
    budget = (MEMORY_BYTES if kind in ("image", "battery") else OTHER_BUDGET) + 2 * size + SLACK
    if outcome.result == "error":
        return "tracebacks"
    return "over budget" if peak > budget else outcome.result


def look_at_all(asked: Iterable[tuple[str, int]], seed: int, workers: int, folder: Path) -> Report:
    """Look at inputs in several processes."""
    report, lock = Report(), threading.Lock()
    waiting = iter(list(asked))
    done = Counter[str]()

    def drive(name: str) -> None:
        worker = Worker(seed, folder / name)
        while True:
            with lock:
                task = next(waiting, None)
            if task is None:
                worker.close()
                return
            column, made, outcome, peak = worker.look(*task)
            with lock:
                report.add(*task, column, made, outcome, peak)
                done[task[0]] += 1
                if sum(done.values()) % 200 == 0:
                    print(dict(done), len(report.failing), "failing", file=sys.stderr, flush=True)

    threads = [threading.Thread(target=drive, args=(f"worker {n}",)) for n in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return report


def processor() -> str:
    """Return the processor's name."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    name = text.partition("model name\t: ")[2].splitlines()
    return f"{name[0] if name else 'unknown'}, {os.cpu_count()} cores"


def main() -> int:
    """Look, print the table, and return 1 where something failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=list(numbers_of(100)))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, help="folder for what failed")
    arguments = parser.parse_args()
    started = time.monotonic()
    numbers = numbers_of(arguments.count)
    asked = [(kind, number) for kind in arguments.kinds for number in numbers[kind]]
    with tempfile.TemporaryDirectory() as folder:
        if "battery" in arguments.kinds:
            from builders.hostile_batteries import write_batteries

            write_batteries(Path(folder) / "batteries")
        report = look_at_all(asked, arguments.seed, arguments.workers, Path(folder))
    print(report.as_markdown())
    print(
        f"\nSeed {arguments.seed}, {processor()}, {time.monotonic() - started:.0f} s.", flush=True
    )
    for kind, number, made, said in report.failing:
        print(f"{kind} {number} ({made}): {said}", file=sys.stderr)
        if arguments.keep and kind != "battery":
            place = arguments.keep / f"{kind}-{arguments.seed}-{number}"
            place.mkdir(parents=True, exist_ok=True)
            make_input(kind, number, arguments.seed).write(place)
    return 1 if report.failing else 0


if __name__ == "__main__":
    sys.exit(main())
