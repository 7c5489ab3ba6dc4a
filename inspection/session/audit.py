"""The append-only log of operator decisions; every line carries the hash of the one before."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from inspection.atomic import sync_folder
from inspection.results import Kind, Record
from inspection.session.record import Decision

GENESIS = "0" * 64
"""Stands for the hash of the line before the first."""


class AuditEntry(Record):
    """One line of ``audit.jsonl``; ``hash`` covers every other field, ``previous`` included."""

    sequence: int = Field(ge=1)
    previous: str
    at: datetime
    operator: str = Field(min_length=1)
    battery_id: str
    action: Literal["accept", "override", "undo"]
    kind_before: Kind
    kind_after: Kind
    reason: str = ""
    comment: str = ""
    hash: str


@dataclass(frozen=True, slots=True)
class AuditScan:
    """What a log holds.

    Parameters
    ----------
    entries : the entries up to the first broken line
    broken_line : the first line (1-based) that does not fit the chain, or None
    torn : bytes after the last line end, left by a writer that was killed; empty where none
    """

    entries: tuple[AuditEntry, ...]
    broken_line: int | None
    torn: bytes


def scan_audit(path: Path) -> AuditScan:
    """Read a log and check its chain; a log that does not exist yet is an empty one.

    A log cut off at a line end fits: the chain cannot know of later lines. A session's decisions
    are compared with the log for that reason when it is opened.
    """
    if not path.exists():
        return AuditScan((), None, b"")
    *lines, torn = path.read_bytes().split(b"\n")
    entries: list[AuditEntry] = []
    previous = GENESIS
    for number, line in enumerate(lines, start=1):
        try:
            content = json.loads(line)
            entry = AuditEntry.model_validate_json(line)
        except (ValueError, RecursionError):
            return AuditScan(tuple(entries), number, torn)
        claimed = content.pop("hash")
        fits = entry.sequence == len(entries) + 1 and entry.previous == previous
        if not fits or claimed != _digest(content):
            return AuditScan(tuple(entries), number, torn)
        entries.append(entry)
        previous = entry.hash
    return AuditScan(tuple(entries), None, torn)


class AuditLog:
    """A log that is open for appending by its one writer.

    Opening it puts the remains of a killed append aside, into ``audit.torn``, so that the log
    goes on after its last whole line.

    Parameters
    ----------
    path : ``audit.jsonl``; made by the first append
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scan = scan_audit(path)
        self._sequence, self._hash = len(self.scan.entries), GENESIS
        if self.scan.broken_line is not None:
            # A broken log stays as it is, and says so for ever; new lines chain to whatever its
            # last line is, so that at least they can be checked.
            lines = path.read_bytes().split(b"\n")[:-1]
            self._sequence, self._hash = len(lines), hashlib.sha256(lines[-1]).hexdigest()
        elif self.scan.entries:
            self._hash = self.scan.entries[-1].hash
        if self.scan.torn:
            with path.with_suffix(".torn").open("ab") as file:
                file.write(self.scan.torn + b"\n")
                file.flush()
                os.fsync(file.fileno())
            with path.open("rb+") as log:
                log.truncate(log.seek(-len(self.scan.torn), os.SEEK_END))
                log.flush()
                os.fsync(log.fileno())

    def append(self, battery_id: str, kind_before: Kind, decision: Decision) -> AuditEntry:
        """Write one decision and return once it is on the disk.

        Raises
        ------
        OSError
            If the disk refuses; the log is then as before.
        """
        entry = AuditEntry(
            sequence=self._sequence + 1,
            previous=self._hash,
            at=decision.decided_at,
            operator=decision.operator,
            battery_id=battery_id,
            action=decision.action,
            kind_before=kind_before,
            kind_after=decision.kind,
            reason=decision.reason,
            comment=decision.comment,
            hash="",
        )
        content = entry.model_dump(mode="json", exclude={"hash"})
        entry = entry.model_copy(update={"hash": _digest(content)})
        self._write(_canonical({**content, "hash": entry.hash}) + b"\n")
        self._sequence, self._hash = entry.sequence, entry.hash
        return entry

    def _write(self, line: bytes) -> None:
        # Unbuffered: a buffer would try its half-written line again when the file is closed.
        with self.path.open("ab", buffering=0) as file:
            size = file.tell()
            try:
                if file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                # The next append must not continue half a line.
                file.truncate(size)
                raise
        if size == 0:
            sync_folder(self.path.parent)


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(content)).hexdigest()


def _canonical(content: dict[str, Any]) -> bytes:
    """Sorted keys, no spaces, UTF-8: the same content always gives the same bytes."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8")
