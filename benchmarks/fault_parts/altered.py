"""Change a finished session in each way, then ask the station what it thinks of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fault_parts.counts import Column, Report
from fault_parts.edits import EDITS, Session
from fault_parts.world import PARTS, World, ended

WRONG = 1
"""How `station audit verify` ends where something was altered."""


@dataclass(frozen=True)
class Whole:
    """The finished session before anything is changed, and what opening it shows."""

    session: Session
    shown: dict[str, Any]


def decided_session(world: World, reference: World) -> Whole:
    """Copy the reference's session with its station, and have people decide in it."""
    shutil.copytree(reference.folder, world.folder)
    run = world.run
    assert run is not None
    earlier = world.folder / "earlier"
    said = ended(world.start_python(PARTS / "decide.py", run, earlier))
    if said.code:
        raise RuntimeError(f"the session could not be decided: {said.text}")
    # Out of its place: what is put there instead of it is what the station meets.
    kept = world.folder / "whole" / run.name
    kept.parent.mkdir()
    run.rename(kept)
    (shown,) = world.shown(kept)
    if shown["seal"] != "sealed" or world.verify(kept).code:
        raise RuntimeError(f"the session is not sealed: {shown['seal_problems']}")
    return Whole(Session(kept, earlier, **json.loads(said.out)), shown)


def alter(world: World, whole: Whole, names: Sequence[str], report: Report) -> None:
    """Change copies of the session, each in one way, and look whether that is noticed."""
    known = whole.session
    places = [world.folder / "altered" / name / known.folder.name for name in names]
    for name, place in zip(names, places, strict=True):
        shutil.copytree(known.folder, place)
        EDITS[name](replace(known, folder=place))
    said = world.verify("--json", *places)
    if said.crashed or said.code != WRONG:
        wrong: list[tuple[Column, str]] = [("unnoticed", f"verify: {said.code}: {said.text}")]
        for name in names:
            report.add(f"edit: {name}", wrong)
        return
    for name, verified, after in zip(
        names, json.loads(said.out), world.shown(*places), strict=True
    ):
        report.add(f"edit: {name}", _wrong(verified, whole.shown, after))


def _wrong(
    verified: dict[str, Any], before: dict[str, Any], after: dict[str, Any]
) -> Iterator[tuple[Column, str]]:
    if verified["passed"] or verified["state"] != "altered":
        yield "unnoticed", f"verify says {verified['state']}"
    elif not verified["problems"] or not verified["problems"][0]["params"]:
        yield "unnoticed", f"verify names no place: {verified['problems'][:1]}"
    if "refused" in after:
        # Nothing is shown, with a sentence: nothing wrong is.
        return
    if after["seal"] != "altered" or not after["seal_problems"]:
        yield "unnoticed", f"opens as {after['seal']}: {after['seal_problems']}"
    for name, row in after["rows"].items():
        known = before["rows"].get(name)
        if known is None:
            yield "wrong normal", f"{name} is not of the session"
        elif row["kind"] == "normal" and known["kind"] != "normal":
            yield "wrong normal", f"{name} is shown as normal, it was {known['kind']}"
        elif row["final"] == "normal" and known["final"] != "normal":
            was_said = row["decision"] in known["earlier"]
            # A word that really was given and was taken back since: told as altered, above.
            if not was_said:
                yield "wrong normal", f"{name} counts as normal, it was {known['final']}"
    if after["count"] != len(after["rows"]):
        yield "wrong normal", "a battery has two rows"
