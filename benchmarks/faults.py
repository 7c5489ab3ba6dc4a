"""Do to the station what a factory does to it, and count what is lost or goes unnoticed.

Programs are killed at random moments, disks are full, shares go away or are slow, several
programs and accounts want the same session, and finished sessions are changed by somebody who has
no key. Each fault meets the real program in a process of its own, on a small synthetic lot that
was inspected once without any. Ends with 1 where any of the last three columns is not 0::

    python benchmarks/faults.py --kills 100 --seed 1
    python benchmarks/faults.py --short
    python benchmarks/faults.py --only edit disk --json

``lost``: what was told or acknowledged is not there afterwards, or the session's end is not that
of the undisturbed run. ``unnoticed``: a fault or a change was not told, told by a traceback, or a
session that nobody changed counts as altered. ``wrong normal``: a battery is shown as normal that
is not. What cannot be tried on this system is said under the table.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from random import Random

from fault_parts import disk, places
from fault_parts.altered import alter, decided_session
from fault_parts.counts import Column, Report
from fault_parts.edits import EDITS
from fault_parts.kills import HEADLESS, WINDOW, kill_headless, kill_window
from fault_parts.small_disk import can_mount
from fault_parts.world import LOT, LOT_SEED, Reference, World

ALL_SYSTEMS = "ensemble,vlm,vlg"
KILLS_A_SESSION = 5
WINDOW_SHARE = 0.4
SHORT_KILLS = 3
SHORT_DISKS = ("battery file", "people", "report", "backup")

Case = tuple[str, Callable[[], None]]


class Bench:
    """The faults that are asked for, on worlds in one folder."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        self.report = Report()
        self._folder = folder
        self._arguments = arguments
        self._random = Random(arguments.seed)
        self._numbers = iter(range(10_000))
        self._lot = folder / "lot"
        # One system in the short form: the others only take longer to load.
        self._systems = "ensemble" if arguments.short else ALL_SYSTEMS
        self._whole = self._world("ensemble")
        made = self._whole.station("lot", self._lot, *LOT, "--seed", LOT_SEED)
        if made.code:
            raise RuntimeError(made.text)
        self._reference = Reference.of(self._whole)
        self._mount_problem = can_mount(folder)

    def _world(self, systems: str) -> World:
        folder = self._folder / f"{next(self._numbers):03d}"
        return World(folder, self._lot, systems, self._folder / "cache")

    def cases(self) -> Iterator[Case]:
        """Yield what is to be done, the longest first."""
        yield from self._kills()
        yield from self._places()
        yield from self._disks()
        yield from self._edits()

    def _kills(self) -> Iterator[Case]:
        kills = SHORT_KILLS if self._arguments.short else self._arguments.kills
        with_all = self._reference
        if self._systems != "ensemble" and self._wanted("kill"):
            with_all = Reference.of(self._world(self._systems))
        windows = round(WINDOW_SHARE * kills)
        for fault, kill, count in (
            (HEADLESS, kill_headless, kills - windows),
            (WINDOW, kill_window, windows),
        ):
            for first in range(0, count, KILLS_A_SESSION):
                asked = min(KILLS_A_SESSION, count - first)
                random = Random(self._random.random())
                yield fault, partial(self._kill, kill, with_all, random, asked)

    def _kill(
        self,
        kill: Callable[[World, Reference, Random, int, Report], int],
        reference: Reference,
        random: Random,
        asked: int,
    ) -> None:
        # A session may be whole before it was killed so often: another one takes the rest.
        while asked > 0:
            asked -= kill(self._world(self._systems), reference, random, asked, self.report)

    def _places(self) -> Iterator[Case]:
        if self._arguments.short:
            return
        alone: dict[str, Callable[[World, Reference], places.Wrong]] = {
            "lot gone and back, headless": places.lot_gone_headless,
            "lot gone and back, window": places.lot_gone_window,
            "share made slow": places.slow_share,
            "two writers": places.two_writers,
            "lock deleted while held": places.lock_deleted,
            "clock set back": places.clock_back,
        }
        after: dict[str, Callable[[World, Reference, World], places.Wrong]] = {
            "sessions read-only": places.read_only,
            "another user": places.another_user,
        }
        reasons = {"sessions read-only": self._mount_problem if os.geteuid() == 0 else ""}
        if os.geteuid() != 0:
            reasons["another user"] = "only root can be somebody else"
        elif not places.others_can_run():
            reasons["another user"] = "another account cannot run this Python"
        if shutil.which("gcc") is None:
            reasons["clock set back"] = "there is no compiler for a clock of its own"
        for fault, alone_case in alone.items():
            yield fault, partial(self._count, fault, alone_case, reasons.get(fault, ""))
        for fault, after_case in after.items():
            case = partial(_after, after_case, self._whole)
            yield fault, partial(self._count, fault, case, reasons.get(fault, ""))

    def _disks(self) -> Iterator[Case]:
        written: dict[str, Callable[[World, Reference], places.Wrong]] = {
            "battery file": disk.battery_file,
            "chain line": disk.chain_line,
            "session.json": disk.session_file,
            "evidence": disk.evidence,
            "station log": disk.station_log,
            "settings": disk.settings,
            "key": disk.key,
            "people": disk.people,
            "report": partial(_after, disk.report_files, self._whole),
            "backup": partial(_after, disk.backup, self._whole),
        }
        chosen = SHORT_DISKS if self._arguments.short else tuple(written)
        for place in chosen:
            fault = f"disk full: {place}"
            yield fault, partial(self._count, fault, written[place], self._mount_problem)

    def _edits(self) -> Iterator[Case]:
        if not self._wanted("edit"):
            return
        world = self._world("ensemble")
        session = decided_session(world, self._whole)
        names = [name for name in EDITS if self._wanted(f"edit: {name}")]
        # Several in one process, where time is short.
        step = len(names) if self._arguments.short else 1
        for first in range(0, len(names), step):
            chosen = names[first : first + step]
            yield f"edit: {', '.join(chosen)}", partial(alter, world, session, chosen, self.report)

    def _count(
        self, fault: str, case: Callable[[World, Reference], places.Wrong], reason: str
    ) -> None:
        if reason:
            self.report.skip(fault, reason)
        else:
            self.report.add(fault, list(case(self._world("ensemble"), self._reference)))

    def _wanted(self, fault: str) -> bool:
        only = self._arguments.only
        return not only or any(word in fault or fault in word for word in only)

    def run(self) -> None:
        """Do everything that is asked for, several at a time."""
        with ThreadPoolExecutor(self._arguments.workers) as pool:
            for fault, case in self.cases():
                if self._wanted(fault):
                    pool.submit(self._safely, fault, case)

    def _safely(self, fault: str, case: Callable[[], None]) -> None:
        started = time.monotonic()
        try:
            case()
        except Exception:  # noqa: BLE001 - a fault that could not be tried is no fault withstood
            wrong: list[tuple[Column, str]] = [("unnoticed", traceback.format_exc(limit=-3))]
            self.report.add(fault, wrong)
        print(f"{time.monotonic() - started:5.0f} s  {fault}", file=sys.stderr, flush=True)


def _after(
    case: Callable[[World, Reference, World], places.Wrong],
    whole: World,
    world: World,
    reference: Reference,
) -> places.Wrong:
    return case(world, reference, whole)


def main() -> int:
    """Do the faults, print the table, and return 1 where something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--short", action="store_true", help="a minute's worth, one system")
    parser.add_argument("--only", nargs="*", default=[], help="words of the faults to be tried")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true", help="print JSON in the table's place")
    parser.add_argument("--keep", type=Path, help="folder for everything, which then stays")
    arguments = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        # Another account has to be let through to a session that is open to it.
        folder.chmod(0o755)
        bench = Bench(folder, arguments)
        bench.run()
    report = bench.report
    print(json.dumps(report.as_json(), indent=2) if arguments.json else report.as_markdown())
    seconds = time.monotonic() - started
    for line in (
        *report.skipped,
        f"Seed {arguments.seed}, {os.cpu_count()} cores, {seconds:.0f} s.",
    ):
        print(line, file=sys.stderr if arguments.json else sys.stdout)
    for line in report.failing:
        print(line, file=sys.stderr)
    return 1 if report.failing else 0


if __name__ == "__main__":
    sys.exit(main())
