"""A session from before sessions were sealed, completed from its files. Reads only.

Nothing in it can be vouched for: what its files say is believed, and told where they contradict
each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from inspection.atomic import battery_file_name
from inspection.errors import SessionError
from inspection.messages import Message
from inspection.results import BatteryResult
from inspection.seals.chain import ChainScan
from inspection.seals.strict_json import load_strict
from inspection.session.audit import AuditEntry, audit_entries
from inspection.session.files import (
    BATTERIES_NAME,
    RUN_ID_FORMAT,
    SESSION_NAME,
    file_names,
    read_battery,
    summarise,
)
from inspection.session.record import BatterySummary, Decision, LotRecord, SessionRecord
from inspection.session.story import SessionStory


def recover_unsealed(
    folder: Path, stored: SessionRecord | None, scan: ChainScan
) -> tuple[SessionStory, list[Message]]:
    """Complete a session from its batteries and its audit log, and say what was found wrong.

    Parameters
    ----------
    stored : what ``session.json`` holds; None where it is of no use
    scan : of the log
    """
    if stored is not None:
        record, problems = _with_late_batteries(folder, stored)
        record, contradictions = _against_files(folder, record)
        problems += contradictions
    else:
        record, problems = rebuilt(folder)
    entries = audit_entries(scan.lines)
    if scan.broken_line is not None:
        line: dict[str, str | int | float] = {"line": scan.broken_line}
        problems.append(Message(code="session_audit_broken", params=line))
    if scan.broken_line is None or stored is None:
        rows, unlogged = _replayed(record.batteries, entries)
        record = record.model_copy(update={"batteries": rows})
        problems += unlogged
    return SessionStory(record, entries), problems


def rebuilt(folder: Path) -> tuple[SessionRecord, list[Message]]:
    """Make the record anew from the batteries, and say what is lost.

    Lot, operator, station, configuration and models stood in ``session.json`` alone.
    """
    results, problems = _read_batteries(folder)
    try:
        created_at = datetime.strptime(folder.name[:15], RUN_ID_FORMAT).astimezone()
    except ValueError:
        created_at = datetime.fromtimestamp(folder.stat().st_mtime).astimezone()
    lost = Message(code="session_rebuilt", params={"count": len(results)})
    images = sum(len(result.images) for result in results)
    record = SessionRecord(
        run_id=folder.name,
        status="failed",
        created_at=created_at,
        updated_at=datetime.now().astimezone(),
        total_images=images,
        processed_images=images,
        progress_percent=0.0,
        # The station's language was lost as well.
        error_message=f"{lost.text('en')} / {lost.text('ko')}",
        lot=LotRecord(path="", name="", batteries=0, pairs=0),
        version="",
        device="",
        config={},
        batteries=[summarise(result, "en") for result in results],
    )
    return record, [lost, *problems]


def _with_late_batteries(
    folder: Path, record: SessionRecord
) -> tuple[SessionRecord, list[Message]]:
    """Add batteries that were written after ``session.json`` was, by a program killed between."""
    limit = (folder / SESSION_NAME).stat().st_mtime_ns
    results, problems = _read_batteries(folder, not_before=limit)
    rows = {row.battery_id: row for row in record.batteries}
    late = {}
    for result in results:
        before = rows.get(result.battery_id)
        row = summarise(result, record.language, before.decision if before else None)
        if row != before:
            late[result.battery_id] = row
    if not late:
        return record, problems
    # Which of their images were counted already cannot be told: count them all again.
    processed = sum(len(result.images) for result in _read_batteries(folder)[0])
    changes = {
        "batteries": list((rows | late).values()),
        "processed_images": processed,
        "total_images": max(record.total_images, processed),
    }
    return record.model_copy(update=changes), problems


def _against_files(folder: Path, record: SessionRecord) -> tuple[SessionRecord, list[Message]]:
    """Hold each row against its battery's file, which was written with it.

    One of the two was changed where they give different verdicts. Which one nobody can tell, so
    the file's holds, unless it is the one that would clear the battery.
    """
    names = file_names([row.battery_id for row in record.batteries])
    rows, problems = [], []
    for row in record.batteries:
        path = folder / BATTERIES_NAME / f"{names[row.battery_id]}.json"
        try:
            verdict = load_strict(path.read_bytes())["verdict"]
            told = verdict["kind"], verdict.get("defect_type")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Told where the battery is looked at or inspected again.
            told = row.kind, row.defect_type
        if told != (row.kind, row.defect_type):
            params: dict[str, str | int | float] = {"battery": row.battery_id}
            problems.append(Message(code="session_row_contradicted", params=params))
            if told[0] != "normal":
                row = summarise(read_battery(path), record.language, row.decision)
        rows.append(row)
    return record.model_copy(update={"batteries": rows}), problems


def _replayed(
    rows: Sequence[BatterySummary], entries: Sequence[AuditEntry]
) -> tuple[list[BatterySummary], list[Message]]:
    """Bring every row's decision to what the audit log says.

    The log is written first, so it is never behind. A row with a decision that the log does
    not know means that the log lost lines: the decision is kept, and said.
    """
    logged: dict[str, list[Decision | None]] = {}
    for entry in entries:
        undone = entry.decision.action == "undo"
        logged.setdefault(entry.battery_id, []).append(None if undone else entry.decision)
    known = {row.battery_id for row in rows}
    uninspected = [
        BatterySummary(battery_id=battery_id, state="queued", kind="not_inspected")
        for battery_id in logged
        if battery_id not in known
    ]
    replayed, problems = [], []
    for row in [*rows, *uninspected]:
        decisions = logged.get(row.battery_id, [])
        if row.decision is not None and row.decision not in decisions:
            params: dict[str, str | int | float] = {"battery": row.battery_id}
            problems.append(Message(code="session_decision_unlogged", params=params))
            replayed.append(row)
        else:
            last = decisions[-1] if decisions else None
            replayed.append(row.model_copy(update={"decision": last}))
    return replayed, problems


def _read_batteries(
    folder: Path, not_before: int | None = None
) -> tuple[list[BatteryResult], list[Message]]:
    """Read the batteries' files, or those written at a time (ns) or later."""
    results: list[BatteryResult] = []
    problems: list[Message] = []
    for path in sorted((folder / BATTERIES_NAME).glob("[!.]*.json")):
        if not_before is not None and path.stat().st_mtime_ns < not_before:
            continue
        try:
            results.append(read_battery(path))
        except SessionError as error:
            problems.append(error.message)
    # Ids that are their own file names first: each then gets back the name that it has.
    results.sort(key=lambda r: (battery_file_name(r.battery_id) != r.battery_id, r.battery_id))
    return results, problems
