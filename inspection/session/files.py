"""What a session folder holds on the disk: names, reading, migration."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspection.atomic import (
    battery_file_name,
    hashed_file_name,
)
from inspection.errors import SessionError
from inspection.messages import Message
from inspection.results import BatteryResult
from inspection.seals.strict_json import load_strict
from inspection.session.lock import HOLDER_NAME, Holder, holder_of
from inspection.session.record import (
    SCHEMA_VERSION,
    BatterySummary,
    Decision,
    SessionRecord,
)

SESSION_NAME = "session.json"
BATTERIES_NAME = "batteries"
EVIDENCE_NAME = "evidence"
AUDIT_NAME = "audit.jsonl"
RUN_ID_FORMAT = "%Y%m%d_%H%M%S"

MIGRATIONS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (
    # What version 2 added is empty in a session from before it.
    lambda raw: {**raw, "schema_version": 2},
)
"""The step at index n turns a ``session.json`` of schema version n + 1 into version n + 2."""


class SessionUnreadableError(SessionError):
    """``session.json`` is torn or altered; the folder's other files can rebuild most of it."""


def file_names(battery_ids: Sequence[str]) -> dict[str, str]:
    """Return every battery's file name, different even where the file system ignores case."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for battery_id in battery_ids:
        name = battery_file_name(battery_id)
        if name.casefold() in taken:
            name = hashed_file_name(battery_id, name)
        taken.add(name.casefold())
        names[battery_id] = name
    return names


def is_session(folder: Path) -> bool:
    """True where a folder holds a session, or what a damaged one can be rebuilt from.

    Raises
    ------
    SessionError
        If it is another account's alone: whether it is one cannot be seen.
    """
    try:
        if (folder / SESSION_NAME).is_file() or (folder / AUDIT_NAME).is_file():
            return True
        return any((folder / BATTERIES_NAME).glob("*.json"))
    except PermissionError as error:
        raise disk_error("session_read_failed", folder, error) from error


def read_record(folder: Path) -> SessionRecord:
    """Read ``session.json``, brought to the present schema version.

    Raises
    ------
    SessionUnreadableError
        If it is missing, torn, or not a session.
    SessionError
        If a newer program wrote it, or the disk refuses.
    """
    try:
        raw = load_strict((folder / SESSION_NAME).read_bytes())
        if isinstance(raw["schema_version"], int) and raw["schema_version"] > SCHEMA_VERSION:
            version = raw["schema_version"]
            raise SessionError("session_newer", session=folder.name, version=version)
        record = SessionRecord.model_validate_json(json.dumps(migrated(raw)))
        if len({row.battery_id for row in record.batteries}) != len(record.batteries):
            raise ValueError("a battery comes twice")
        return record
    except (ValueError, KeyError, TypeError, RecursionError, FileNotFoundError) as error:
        raise SessionUnreadableError("session_unreadable", session=folder.name) from error
    except OSError as error:
        raise disk_error("session_read_failed", folder, error) from error


def migrated(raw: dict[str, Any]) -> dict[str, Any]:
    """Return what a session holds, brought to the present schema version."""
    for migrate in MIGRATIONS[raw["schema_version"] - 1 :]:
        raw = migrate(raw)
    return raw


def read_battery(path: Path) -> BatteryResult:
    """Read one file of ``batteries/``.

    Raises
    ------
    SessionError
        If it cannot be read or is not a battery's result.
    """
    try:
        content = path.read_bytes()
        load_strict(content)
        return BatteryResult.model_validate_json(content)
    except ValueError as error:
        raise SessionError("session_battery_unreadable", name=path.name) from error
    except OSError as error:
        raise disk_error("session_read_failed", path, error) from error


def summarise(
    result: BatteryResult, language: str, decision: Decision | None = None
) -> BatterySummary:
    """Return a battery's row of ``session.json``; reasons become sentences."""
    # Numpy, which it brings, is not needed to read a session.
    from inspection.agreement.battery import in_conflict

    verdict = result.verdict
    return BatterySummary(
        battery_id=result.battery_id,
        ct_id=result.ct_id,
        rgb_id=result.rgb_id,
        state=result.state,
        kind=verdict.kind,
        defect_type=verdict.defect_type,
        fused_score=verdict.fused_score,
        cnn_prob=verdict.cnn_prob,
        ae_score=verdict.ae_score,
        ct_ae_score=verdict.ct_ae_score,
        reasons=[reason.text(language) for reason in verdict.reasons],
        conflict=in_conflict(result),
        seconds=result.seconds,
        decision=decision,
    )


def disk_error(code: str, path: Path, error: OSError) -> SessionError:
    """Return the error of a session whose disk refused."""
    return SessionError(code, name=path.name, problem=error.strerror or str(error))


@dataclass(frozen=True, slots=True)
class SessionListing:
    """A session folder as the history shows it.

    Parameters
    ----------
    problem : why ``record`` is None
    holder : the process that writes it now; None where nobody does
    """

    folder: Path
    run_id: str
    record: SessionRecord | None
    problem: Message | None = None
    holder: Holder | None = None

    @property
    def live(self) -> bool:
        """True while another process writes it: it is then neither idle nor to be resumed."""
        return self.holder is not None and not self.holder.mine


def list_sessions(root: Path) -> list[SessionListing]:
    """Return the sessions under a folder, newest first; damaged ones with their reason."""
    if not root.is_dir():
        return []
    listings = []
    for folder in sorted(root.iterdir(), reverse=True):
        record, problem = None, None
        try:
            if not (folder.is_dir() and is_session(folder)):
                continue
            record = read_record(folder)
        except SessionError as error:
            problem = error.message
        listings.append(SessionListing(folder, folder.name, record, problem, holder_of(folder)))
    return listings


Glance = tuple[tuple[str, Holder | None], ...]
"""The folders under one of sessions, each with the process that writes it."""


def glance(root: Path) -> Glance:
    """Return which sessions there are and who writes them, without reading any.

    Asked only where somebody says so: of two hundred folders on a share hardly one is written.
    """
    if not root.is_dir():
        return ()
    told = {left.parent.name for left in root.glob(f"*/{HOLDER_NAME}")}
    names = sorted(folder.name for folder in root.iterdir() if folder.is_dir())
    return tuple((name, holder_of(root / name) if name in told else None) for name in names)
