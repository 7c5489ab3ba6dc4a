"""A disk that is full, at each place that the station writes to."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from fault_parts.counts import Column
from fault_parts.kills import Watched
from fault_parts.small_disk import PAGE, SmallDisk
from fault_parts.window_said import WindowSaid, write_settings
from fault_parts.world import PARTS, Reference, Said, World

FULL = "No space left on device"
MOST_LINES = 3
"""What is done without is told where it is missed, which may be at a run's begin and its end."""
PIN = "482915"

Wrong = Iterator[tuple[Column, str]]


def begun(world: World, reference: Reference) -> Path:
    """Inspect until the first battery is through, and kill; return the session."""
    process = world.start_inspect()
    assert process.stderr is not None
    for line in process.stderr:
        if line.split(" ", 1)[0] in reference.rows:
            break
    process.kill()
    process.communicate()
    assert world.run is not None
    return world.run


def _refused(said: Said, what: str, *, ends: bool = True) -> Wrong:
    """Say what is wrong with how a full disk was told: a line that says so, and no traceback.

    Parameters
    ----------
    ends : False where the program does without what it could not write
    """
    lines = [line for line in said.err.splitlines() if FULL in line]
    if said.crashed:
        yield "unnoticed", f"{what}: {said.text}"
    elif not lines:
        yield "unnoticed", f"{what}: not told: {said.text}"
    elif len(lines) > MOST_LINES:
        yield "unnoticed", f"{what}: told in {len(lines)} lines: {said.text}"
    elif ends and said.code == 0:
        yield "unnoticed", f"{what}: ends as if nothing were wrong: {said.text}"


def _while_inspecting(
    world: World, reference: Reference, place: Callable[[Path], SmallDisk]
) -> Wrong:
    run = begun(world, reference)
    with place(run) as disk:
        said = world.inspect()
        yield from _refused(said, "inspect")
        (found,) = world.shown(run)
        for name in [line.split(" ", 1)[0] for line in said.err.splitlines()]:
            row = found.get("rows", {}).get(name)
            if row is not None and row["state"] not in ("done", "failed"):
                yield "lost", f"{name} was told and is {row['state']}"
        yield from reference.wrong_normals(found)
        disk.give_room()
        again = world.inspect()
        if again.crashed or again.code:
            yield "lost", f"does not go on when there is room: {again.text}"
    yield from reference.differs(world)


def battery_file(world: World, reference: Reference) -> Wrong:
    """The disk of the batteries' files."""
    return _while_inspecting(world, reference, lambda run: SmallDisk(run / "batteries"))


def evidence(world: World, reference: Reference) -> Wrong:
    """The disk of the pictures."""
    return _while_inspecting(world, reference, lambda run: SmallDisk(run / "evidence"))


def chain_line(world: World, reference: Reference) -> Wrong:
    """The disk of the session's chain."""
    # A line that still fits into the file's last block is written: a later one is not.
    return _while_inspecting(world, reference, lambda run: SmallDisk(run / "audit.jsonl"))


def session_file(world: World, reference: Reference) -> Wrong:
    """The disk of ``session.json``, which takes no more than a block of the chain."""
    roomy = ("batteries", "evidence")
    return _while_inspecting(world, reference, lambda run: SmallDisk(run, PAGE, roomy))


def _at_start(world: World, reference: Reference, place: Path, *, ends: bool) -> Wrong:
    with SmallDisk(place) as disk:
        said = world.inspect()
        yield from _refused(said, "inspect", ends=ends)
        disk.give_room()
        again = world.inspect()
        if again.crashed or again.code:
            yield "lost", f"does not go on when there is room: {again.text}"
        yield from reference.differs(world)


def key(world: World, reference: Reference) -> Wrong:
    """The disk of the station's key, before there is one."""
    return _at_start(world, reference, world.data / "keys", ends=True)


def station_log(world: World, reference: Reference) -> Wrong:
    """The disk of the station's log, before its first line."""
    return _at_start(world, reference, world.data / "log", ends=False)


def settings(world: World, reference: Reference) -> Wrong:
    """The disk of the window's settings."""
    seen = WindowSaid()
    write_settings(world, "ensemble")
    with SmallDisk(world.settings) as disk:
        script = [PARTS / "window.py", world.lot, world.sessions, "1"]
        run = Watched(world.start_python(*script))
        seen.take(run.lines)
        if run.failed:
            yield "lost", f"the window failed: {run.end}"
        if not any(FULL in told for told in seen.told):
            yield "unnoticed", f"the settings: told {seen.told}"
        yield from seen.lost(world)
        disk.give_room()
    yield from reference.differs(world)


def _written_elsewhere(world: World, source: World, what: list[str | Path], out: Path) -> Wrong:
    shutil.copytree(source.folder, world.folder)
    with SmallDisk(out.parent) as disk:
        yield from _refused(world.station(*what), str(what[0]))
        whole = [
            path for path in out.parent.rglob("*") if path.is_file() and path.name != "ballast"
        ]
        for path in whole:
            if not path.name.startswith("."):
                yield "unnoticed", f"{path.name} looks as if it were whole"
        disk.give_room()
        said = world.station(*what)
        if said.crashed or said.code:
            yield "lost", f"{what[0]} does not go on when there is room: {said.text}"


def report_files(world: World, _reference: Reference, done: World) -> Wrong:
    """The disk that a report is written to."""
    assert done.run is not None
    out = world.folder / "out" / "report"
    return _written_elsewhere(
        world, done, ["report", world.sessions / done.run.name, "--out", out], out
    )


def backup(world: World, _reference: Reference, done: World) -> Wrong:
    """The disk that a backup is written to."""
    out = world.folder / "out" / "station.zip"
    return _written_elsewhere(world, done, ["backup", out, "--session-dir", world.sessions], out)


def people(world: World, _reference: Reference) -> Wrong:
    """The disk of the users."""
    world.data.mkdir(parents=True)
    with SmallDisk(world.data / "people") as disk:
        yield from _refused(_add_user(world), "users add")
        disk.give_room()
        said = _add_user(world)
        if said.crashed or said.code:
            yield "lost", f"no user can be added when there is room: {said.text}"
    listed = world.station("users", "list")
    if "Kim" not in listed.out:
        yield "lost", f"the user is not there: {listed.text}"


def _add_user(world: World) -> Said:
    return world.station("users", "add", "Kim", typed=f"{PIN}\n{PIN}\n")
