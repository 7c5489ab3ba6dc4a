"""What happens around the station: shares, disks, clocks, and other processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from fault_parts.counts import Column
from fault_parts.kills import Watched
from fault_parts.window_said import WindowSaid, write_settings
from fault_parts.world import PARTS, Reference, World, ended

Wrong = Iterator[tuple[Column, str]]
AWAY_S = 4.0
NOBODY = 65534


def with_own_lot(world: World) -> World:
    """Return the world with a copy of the lot that can be taken away."""
    lot = world.folder / world.lot.name
    shutil.copytree(world.lot, lot)
    return replace(world, lot=lot)


def first_battery(process: subprocess.Popen[str], reference: Reference) -> None:
    """Wait until a battery is through."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.split(" ", 1)[0] in reference.rows:
            return


@contextmanager
def stopped(process: subprocess.Popen[str]) -> Iterator[None]:
    """Hold a program where it is: a small lot would be through before anything is done to it."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@contextmanager
def away(lot: Path, during: subprocess.Popen[str] | None = None) -> Iterator[None]:
    """Have a share that is gone; before a program that runs comes to what it would read next."""
    gone = lot.with_name(f"{lot.name} gone")
    with stopped(during) if during else nullcontext():
        lot.rename(gone)
    try:
        yield
    finally:
        gone.rename(lot)


def lot_gone_headless(world: World, reference: Reference) -> Wrong:
    """The lot is gone in the middle of a run and comes back, then is gone at its beginning."""
    world = with_own_lot(world)
    process = world.start_inspect()
    first_battery(process, reference)
    with away(world.lot, process):
        time.sleep(AWAY_S)
        assert world.run is not None
        (found,) = world.shown(world.run)
        for name, row in found.get("rows", {}).items():
            if row["state"] == "done" and row["kind"] == "not_inspected":
                yield "lost", f"{name} is done without having been inspected"
    said = ended(process)
    if said.crashed:
        yield "unnoticed", f"the lot was gone: {said.text}"
    elif "lot" not in said.err.casefold():
        yield "unnoticed", f"that the lot was gone is not told: {said.text}"
    with away(world.lot):
        said = world.inspect()
    if said.crashed or said.code != 2:
        yield "unnoticed", f"a lot that is not there ends with {said.code}: {said.text}"
    again = world.inspect()
    if again.code:
        yield "lost", f"does not go on: {again.text}"
    yield from reference.differs(world)


def lot_gone_window(world: World, reference: Reference) -> Wrong:
    """The lot is gone while a window inspects it, and comes back."""
    world = with_own_lot(world)
    write_settings(world, world.systems)
    process = world.start_python(PARTS / "window.py", world.lot, world.sessions, "1")
    seen = WindowSaid()

    def take_away(_process: subprocess.Popen[str]) -> None:
        while process.poll() is None and not any(world.sessions.glob("*/batteries/[!.]*.json")):
            time.sleep(0.01)
        with away(world.lot, process):
            time.sleep(AWAY_S)

    run = Watched(process, take_away, kill=False)
    seen.take(run.lines)
    if run.failed:
        yield "lost", f"the window failed: {run.end}"
    if not seen.told:
        yield "unnoticed", "that the lot was gone is not told"
    yield from seen.lost(world)
    yield from reference.differs(world)


def slow_share(world: World, reference: Reference) -> Wrong:
    """Every file of the lot takes its time."""
    world = with_own_lot(world)
    paths = os.pathsep.join((str(PARTS / "slow_share"), world.env["PYTHONPATH"]))
    world = replace(world, more={"PYTHONPATH": paths, "FAULTS_SLOW": str(world.lot)})
    said = world.inspect()
    if said.code or said.crashed:
        yield "lost", f"a slow share: {said.text}"
    yield from reference.differs(world)


def read_only(world: World, reference: Reference, done: World) -> Wrong:
    """The folder of sessions may only be read."""
    shutil.copytree(done.folder, world.folder)
    run = world.run
    assert run is not None
    with _unwritable(world.sessions):
        for resume in (False, True):
            said = world.inspect(resume=resume)
            if said.crashed or said.code != 2:
                yield "unnoticed", f"sessions that may only be read: {said.code}: {said.text}"
        out = world.folder / "report"
        report = world.station("report", run, "--out", out, "--formats", "csv,json")
        if report.code or report.crashed:
            yield "lost", f"no report of a session that may only be read: {report.text}"
    yield from reference.differs(world)


def two_writers(world: World, reference: Reference) -> Wrong:
    """A second program wants to write what the first is writing; a third reads."""
    yield from _second_writer(world, reference, lambda _run: None)


def lock_deleted(world: World, reference: Reference) -> Wrong:
    """Somebody deletes the files of the lock while a program holds it."""

    def delete(run: Path) -> None:
        for name in (".lock", ".holder.json"):
            (run / name).unlink(missing_ok=True)

    yield from _second_writer(world, reference, delete)


def _second_writer(world: World, reference: Reference, meddle: Callable[[Path], None]) -> Wrong:
    process = world.start_inspect()
    first_battery(process, reference)
    run = world.run
    assert run is not None
    with stopped(process):
        meddle(run)
        (found,) = world.shown(run)
        if "refused" in found:
            yield "lost", f"cannot be read while it is written: {found['refused']}"
        yield from reference.wrong_normals(found)
        second = world.inspect()
        decided = ended(world.start_python(PARTS / "decide.py", run, world.folder / "earlier"))
    said = ended(process)
    if second.crashed or second.code != 2:
        yield "unnoticed", f"a second writer ends with {second.code}: {second.text}"
    if decided.code == 0:
        yield "unnoticed", "a second program could decide"
    if said.code or said.crashed:
        yield "lost", f"the first writer was disturbed: {said.text}"
    yield from reference.differs(world)


def others_can_run() -> bool:
    """Return whether another account reaches the interpreter."""
    try:
        done = subprocess.run([sys.executable, "-c", ""], user=NOBODY, check=False)
    except PermissionError:
        return False
    return done.returncode == 0


def another_user(world: World, reference: Reference, done: World) -> Wrong:
    """A session of another account, first closed to it, then open to be read."""
    shutil.copytree(done.folder, world.folder)
    run = world.run
    assert run is not None
    world.folder.chmod(0o755)
    for folder in (world.data, world.folder / "nobody"):
        folder.mkdir(exist_ok=True)
        os.chown(folder, NOBODY, NOBODY)
    theirs = replace(world, more={"STATION_DATA": str(world.folder / "nobody")})
    how = {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
    (found,) = theirs.shown(run, **how)
    if "refused" not in found:
        yield "unnoticed", "another account's session is open to everybody"
    elif "Traceback" in found["refused"]:
        yield "unnoticed", f"a session that is closed to an account: {found['refused']}"
    subprocess.run(["chmod", "-R", "a+rX", str(world.sessions)], check=True)
    (found,) = theirs.shown(run, **how)
    if "refused" in found:
        yield "lost", f"cannot be read by another account: {found['refused']}"
    yield from reference.wrong_normals(found)
    decided = ended(
        theirs.start_python(PARTS / "decide.py", run, world.folder / "nobody" / "e", **how)
    )
    if decided.code == 0:
        yield "unnoticed", "another account could decide"
    yield from reference.differs(world)


def clock_back(world: World, reference: Reference) -> Wrong:
    """The clock is set back by a day between a run and the rest of it."""
    library = world.folder / "clock.so"
    world.folder.mkdir(parents=True, exist_ok=True)
    build = ["gcc", "-shared", "-fPIC", "-O2", "-o", str(library), str(PARTS / "clock_back.c")]
    subprocess.run(build, check=True)
    process = world.start_inspect()
    first_battery(process, reference)
    process.kill()
    process.communicate()
    back = replace(world, more={"LD_PRELOAD": str(library)})
    said = back.inspect()
    if said.code or said.crashed:
        yield "lost", f"after the clock was set back: {said.text}"
    for column, told in reference.differs(world):
        # That lines are older than those before them is to be told, and is.
        if column != "unnoticed":
            yield column, told
    assert world.run is not None
    verified = world.verify(world.run)
    if verified.code != 1:
        yield "unnoticed", f"verify ends with {verified.code}: {verified.text}"


@contextmanager
def _unwritable(folder: Path) -> Iterator[None]:
    """Have a folder that may only be read; for root, whom no mode keeps out, it is mounted so."""
    if os.geteuid() != 0:
        modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
        for path, mode in modes.items():
            path.chmod(mode & 0o555)
        yield
        for path, mode in modes.items():
            path.chmod(mode)
        return
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)
