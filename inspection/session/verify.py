"""Compare a session's files with its chain, and its chain with what the station's log knows.

Reads only. What a kill leaves between two writes is completed, anything else is told: the chain
was written first, so whatever it does not know was not written by the station.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inspection.errors import SessionError
from inspection.messages import Message
from inspection.seals.chain import ChainLine, ChainScan, scan_chain
from inspection.seals.keys import fingerprint, station_fingerprint, trusted_fingerprints
from inspection.session.audit import SESSION
from inspection.session.differences import differences
from inspection.session.files import (
    AUDIT_NAME,
    SESSION_NAME,
    SessionUnreadableError,
    is_session,
    read_record,
)
from inspection.session.heads import is_there, known_head, lost_decisions, sealing_since
from inspection.session.lock import holder_of
from inspection.session.record import SCHEMA_VERSION, Decision, SessionRecord, final_kind
from inspection.session.seal import SealReport, SealState
from inspection.session.sealed_files import battery_digests, compare_files
from inspection.session.story import BEGINNINGS, Finding, SessionStory, distrusted
from inspection.session.unsealed import rebuilt, recover_unsealed

LOOK_S, LOOKS = 0.2, 5
"""A session that is being written may be seen between two writes: it is looked at again."""


@dataclass(slots=True)
class Examined:
    """A session as its chain and its files together tell it.

    Parameters
    ----------
    story : what holds
    seal : what can be vouched for
    problems : what else was found wrong
    scan : of the chain
    finding : what the files show and the chain does not tell yet
    staged : files that a kill kept from their place, by the file whose place it is
    outdated : True where ``session.json`` is not what the story tells
    keep : True where ``session.json`` has to be kept aside, since nobody could make it again
    """

    story: SessionStory
    seal: SealReport
    problems: list[Message]
    scan: ChainScan
    finding: Finding = field(default_factory=Finding)
    staged: dict[Path, Path] = field(default_factory=dict)
    outdated: bool = False
    keep: bool = False


def verify_session(folder: Path) -> SealReport:
    """Return what can be vouched for of a session.

    Raises
    ------
    SessionError
        If there is no session, a newer program wrote it, or it cannot be read.
    """
    if not is_session(folder):
        raise SessionError("session_missing", session=str(folder))
    return examine(folder, second_look=True).seal


def examine(folder: Path, *, second_look: bool = False) -> Examined:
    """Read a session and check all of it.

    Parameters
    ----------
    second_look : where something is wrong, look again a moment later: it may be being written

    Raises
    ------
    SessionError
        If a newer program wrote it, or the disk refuses.
    """
    found = _examine(folder)
    looks = 0
    while second_look and found.seal.state == "altered" and looks < LOOKS:
        if looks and holder_of(folder) is None:
            break
        time.sleep(LOOK_S)
        found, looks = _examine(folder), looks + 1
    return found


def _examine(folder: Path) -> Examined:
    # In this order: whatever is written meanwhile, the chain knows what was read before it.
    stored: SessionRecord | None = None
    try:
        stored = read_record(folder)
    except SessionUnreadableError:
        stored = None
    files = battery_digests(folder)
    scan = scan_chain(folder / AUDIT_NAME)
    signed = next((line for line in scan.lines if line.key), None)
    replaced = _against_the_log(folder, stored, signed, scan)
    torn = [Message(code="session_audit_torn")] if scan.torn else []
    if signed is None and not replaced and (stored is None or stored.head is None):
        story, problems = recover_unsealed(folder, stored, scan)
        outdated = stored is None or stored != story.record
        problems += [*torn, *_seal_missing(story.record)]
        seal = SealReport("unsealed", tuple(problems), lines=len(scan.lines))
        keep = stored is None
        return Examined(story, seal, problems, scan, outdated=outdated, keep=keep)

    lines, problems = _own_lines(scan, _beginning(folder, scan))
    problems = [*scan.problems, *problems]
    story = SessionStory()
    if not any(line.event in BEGINNINGS for line in lines):
        problems.append(Message(code="seal_chain_gone", params={"name": AUDIT_NAME}))
        story = SessionStory(_doubted(stored or rebuilt(folder)[0]))
    told, broken = _replayed(folder, story, lines, stored)
    problems += broken
    lost = bool(problems) or bool(replaced)
    finding = Finding()
    keep = False
    if stored is None:
        keep = (folder / SESSION_NAME).exists()
        # A kill right after the first line leaves none.
        if keep or len(scan.lines) > 1:
            problems.append(Message(code="seal_record_damaged", params={"name": SESSION_NAME}))
    elif told is None or stored != told:
        keep = True
        if told is None and stored.head is not None and stored.head not in _hashes(scan):
            problems.append(Message(code="seal_chain_cut", params={"name": AUDIT_NAME}))
            lost = True
        problems += differences(stored, told or story.record, exact=told is not None)
        unlogged = _unlogged(stored, story)
        problems += [
            Message(code="session_decision_unlogged", params={"battery": battery_id})
            for battery_id in unlogged
        ]
        if lost:
            # One that speaks against its battery still counts, since the chain has lost lines.
            kept = {i: d for i, d in unlogged.items() if d.kind != "normal"}
            finding = finding.model_copy(update={"decisions": kept})
    if lost and story.began is not None:
        graver = _graver(story, lost_decisions(folder, folder.name, story.began, _hashes(scan)))
        problems += [
            Message(code="seal_decision_restored", params={"battery": battery_id})
            for battery_id in graver
        ]
        finding = finding.model_copy(update={"decisions": finding.decisions | graver})
    staged, foreign, wrong = compare_files(folder, story, files)
    problems += wrong + replaced
    problems += [p for p in story.found if p not in problems]
    new = [p for p in problems if p not in story.found]
    failed = [i for i in foreign if (row := story.row(i)) and row != distrusted(row)]
    finding = finding.model_copy(update={"problems": new, "failed": failed})
    began = story.sequence
    story.take_finding(finding, began)
    seal = _seal(scan, lines, problems, story)
    outdated = stored is None or stored != story.record
    return Examined(story, seal, torn, scan, finding, staged, outdated, keep)


def _seal(
    scan: ChainScan, lines: Sequence[ChainLine], problems: Sequence[Message], story: SessionStory
) -> SealReport:
    keys = tuple(dict.fromkeys(fingerprint(line.key) for line in lines if line.key))
    late = _seal_missing(story.record) if story.adopted_at is not None else []
    told = (*problems, *late, *scan.clock)
    if problems:
        return SealReport("altered", told, keys, len(scan.lines), story.adopted_at)
    if not trusted_fingerprints().issuperset(keys):
        return SealReport("unknown_key", told, keys, len(scan.lines), story.adopted_at)
    state: SealState = "unsealed" if story.adopted_at is not None else "sealed"
    return SealReport(state, told, keys, len(scan.lines), story.adopted_at)


def _seal_missing(record: SessionRecord) -> list[Message]:
    """Return what is to be told of a session without a seal that is younger than the seals here.

    It is no proof: another station, or a program that was set back, may have made it.
    """
    since = sealing_since()
    if since is None or record.created_at < since:
        return []
    made, sealed = (f"{at.astimezone():%Y-%m-%d %H:%M}" for at in (record.created_at, since))
    return [Message(code="seal_missing", params={"made": made, "since": sealed})]


def _beginning(folder: Path, scan: ChainScan) -> str | None:
    """Return the hash of the session's first signed line, from the station's log if it is gone."""
    first = next((line for line in scan.lines if line.key), None)
    if first is not None and first.event in BEGINNINGS:
        return first.hash
    known = known_head(folder, folder.name, None)
    return known.began if known else None


def _own_lines(scan: ChainScan, beginning: str | None) -> tuple[list[ChainLine], list[Message]]:
    """Leave out other sessions' lines, and what an unknown key has put behind the station's own.

    Before them such lines count: then a session was made elsewhere and goes on here.
    """
    known = trusted_fingerprints() | station_fingerprint()
    lines: list[ChainLine] = []
    problems: list[Message] = []
    own = False
    for line in scan.lines:
        if line.key and line.hash != beginning and line.content.get(SESSION) != beginning:
            where: dict[str, str | int | float] = {"name": AUDIT_NAME, "line": line.sequence}
            problems.append(Message(code="seal_line_strange", params=where))
            continue
        if line.key and fingerprint(line.key) in known:
            own = True
        elif own:
            params: dict[str, str | int | float] = {
                "name": AUDIT_NAME,
                "line": line.sequence,
                "key": fingerprint(line.key),
            }
            problems.append(Message(code="seal_line_foreign", params=params))
            continue
        lines.append(line)
    return lines, problems


def _replayed(
    folder: Path, story: SessionStory, lines: Sequence[ChainLine], stored: SessionRecord | None
) -> tuple[SessionRecord | None, list[Message]]:
    """Take every line; return what ``session.json`` should say, and lines that say nothing."""
    told: SessionRecord | None = None
    problems: list[Message] = []
    for line in lines:
        try:
            if line.event in BEGINNINGS:
                version = line.content["record"]["schema_version"]
                if version > SCHEMA_VERSION:
                    raise SessionError("session_newer", session=folder.name, version=version)
            story.take(line)
        except (ValueError, KeyError, TypeError, AttributeError):
            where: dict[str, str | int | float] = {"name": AUDIT_NAME, "line": line.sequence}
            problems.append(Message(code="seal_line_unknown", params=where))
            continue
        if stored is None:
            continue
        if line.hash == stored.head:
            told = story.record
        elif stored.head is None and line.event in BEGINNINGS:
            # A kill between the first line and the file that names it.
            told = story.record.model_copy(update={"head": None})
    return told, problems


def _against_the_log(
    folder: Path, stored: SessionRecord | None, signed: ChainLine | None, scan: ChainScan
) -> list[Message]:
    began = signed.hash if signed else None
    names = dict.fromkeys([folder.name, *([stored.run_id] if stored else [])])
    for name in names:
        known = known_head(folder, name, began)
        if known is None:
            continue
        if known.began != began:
            params: dict[str, str | int | float] = {"lines": known.place.sequence}
            return [Message(code="seal_replaced", params=params)]
        copied = known.folder != folder.resolve() and is_there(known.folder)
        if known.place.hash in _hashes(scan) or copied:
            # A copy is as old as it is: what goes on is where it was made from.
            continue
        # The log may know a line that was written after the chain was read.
        if known.place.hash not in _hashes(scan_chain(folder / AUDIT_NAME)):
            params = {"known": known.place.sequence, "lines": scan.place.sequence}
            return [Message(code="seal_set_back", params=params)]
    return []


def _unlogged(stored: SessionRecord, story: SessionStory) -> dict[str, Decision]:
    logged: dict[str, list[Decision]] = {}
    for entry in story.entries:
        logged.setdefault(entry.battery_id, []).append(entry.decision)
    return {
        row.battery_id: row.decision
        for row in stored.batteries
        if row.decision is not None and row.decision not in logged.get(row.battery_id, [])
    }


def _graver(story: SessionStory, decisions: Mapping[str, Decision]) -> dict[str, Decision]:
    """Return the decisions without which a battery would pass as normal."""
    found = {}
    for battery_id, decision in decisions.items():
        row = story.row(battery_id)
        if row is None or final_kind(row.kind, row.decision) != "normal":
            continue
        left = row.kind if decision.action == "undo" else decision.kind
        if left != "normal":
            found[battery_id] = decision
    return found


def _doubted(record: SessionRecord) -> SessionRecord:
    """Return a record for which no chain speaks: nothing in it counts for a battery."""
    rows = []
    for row in record.batteries:
        decision = row.decision if row.decision and row.decision.kind != "normal" else None
        rows.append(distrusted(row).model_copy(update={"decision": decision, "earlier": []}))
    return record.model_copy(update={"batteries": rows})


def _hashes(scan: ChainScan) -> set[str]:
    return {line.hash for line in scan.lines}
