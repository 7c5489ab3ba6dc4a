"""Who let which model judge, and on which evidence: ``releases.jsonl`` beside the models.

A chain of signed lines, as the station's log is. Before a model is swapped in, a line says so;
after it, another one is the release. What is found in use and is not the last release was brought
in another way, or by a program that was killed between the two.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from inspection.errors import SealError
from inspection.messages import Message
from inspection.modelstore.folders import ModelFolders
from inspection.modelstore.release_records import ReleaseLine
from inspection.results import ReleaseMark
from inspection.seals.chain import Chain, ChainLine, scan_chain
from inspection.seals.keys import (
    fingerprint,
    station_fingerprint,
    station_key,
    trusted_fingerprints,
)

RELEASES_NAME = "releases.jsonl"
Event = Literal["begun", "release", "rollback"]
EVENTS: tuple[Event, ...] = ("begun", "release", "rollback")
Condition = Literal["unreleased", "released", "unrecorded", "altered"]


@dataclass(frozen=True, slots=True)
class Release:
    """A line of the record, with when it was written and its hash."""

    event: Event
    at: datetime
    hash: str
    line: ReleaseLine

    @property
    def mark(self) -> ReleaseMark:
        """What a session keeps of it."""
        signed = self.line.signed_by
        return ReleaseMark(
            released_at=self.at,
            by=self.line.by,
            signed_by=signed.name if signed else None,
            hash=self.hash,
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether the model in a slot is the one that was released for it.

    Parameters
    ----------
    condition : ``unreleased`` where the record does not know the slot, ``unrecorded`` where it
        knows another model, ``altered`` where it is not as it was written
    release : the last one of the slot
    problem : what is to be told
    """

    condition: Condition
    release: Release | None = None
    problem: Message | None = None


def read_releases(folder: Path) -> tuple[list[Release], tuple[Message, ...]]:
    """Return the lines of a models folder's record, oldest first, and what is wrong with it.

    Raises
    ------
    SealError
        If the file cannot be read.
    """
    path = folder / RELEASES_NAME
    try:
        scan = scan_chain(path)
    except OSError as error:
        problem = error.strerror or str(error)
        raise SealError("releases_unreadable", path=str(path), problem=problem) from error
    known = trusted_fingerprints() | station_fingerprint()
    problems = list(scan.problems)
    found = []
    for line in scan.lines:
        if fingerprint(line.key) not in known:
            # A key of somebody's own signs anything.
            params = {"path": str(path), "line": line.sequence}
            problems.append(Message(code="release_foreign", params=params))
            continue
        try:
            found.append(_read(line))
        except ValueError:
            params = {"name": path.name, "line": line.sequence}
            problems.append(Message(code="seal_line_altered", params=params))
    return found, tuple(problems)


def _read(line: ChainLine) -> Release:
    # Through JSON: tuples were written as lists.
    content = ReleaseLine.model_validate_json(json.dumps(line.content))
    if line.event not in EVENTS:
        raise ValueError(f"{line.event} is no event of a release")
    return Release(line.event, line.at, line.hash, content)


def standing_of(models: ModelFolders, slot: str, sha256: str) -> Standing:
    """Return how the model of a slot stands to the record of the folder that models go to.

    Raises
    ------
    SealError
        If the record cannot be read.
    """
    lines, problems = read_releases(models.install)
    of_slot = [release for release in lines if release.line.slot == slot]
    last = last_of(lines, slot)
    if problems:
        return Standing("altered", last, problems[0])
    if last is not None and last.line.sha256 == sha256:
        return Standing("released", last)
    begun = bool(of_slot) and of_slot[-1].event == "begun" and of_slot[-1].line.sha256 == sha256
    if last is None and not begun:
        return Standing("unreleased")
    params: dict[str, str | int | float] = {"slot": slot}
    if begun:
        return Standing("unrecorded", last, Message(code="release_interrupted", params=params))
    assert last is not None
    params |= {"name": last.line.name, "sha256": last.line.sha256[:12]}
    return Standing("unrecorded", last, Message(code="release_other", params=params))


def release_of(models: ModelFolders, slot: str, sha256: str) -> ReleaseMark | None:
    """Return by whom a model was released; None where it was not, or nothing vouches for it."""
    try:
        standing = standing_of(models, slot, sha256)
    except SealError:
        return None
    if standing.condition != "released" or standing.release is None:
        return None
    return standing.release.mark


def write_line(folder: Path, event: Event, line: ReleaseLine) -> None:
    """Append to a models folder's record; return once it is on the disk.

    Raises
    ------
    SealError
        If the disk refuses, or the station's key cannot be read; nothing is written.
    """
    path = folder / RELEASES_NAME
    try:
        Chain.open(path, station_key()).append(event, line.model_dump(mode="json"))
    except OSError as error:
        problem = error.strerror or str(error)
        raise SealError("releases_not_written", path=str(path), problem=problem) from error


def last_of(lines: Sequence[Release], slot: str) -> Release | None:
    """Return the last release or rollback of a slot."""
    done = (r for r in reversed(lines) if r.line.slot == slot and r.event != "begun")
    return next(done, None)
