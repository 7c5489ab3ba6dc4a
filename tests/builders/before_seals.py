"""Sessions as they were written before sessions were sealed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from inspection.seals.chain import START, ChainPlace, canonical, digest_of, scan_chain
from inspection.session.audit import audit_entries

DECISION = ("action", "kind", "reason", "comment", "operator", "decided_at")


def make_unsealed(folder: Path) -> None:
    """Turn a session into one from before, which the station's log does not know either."""
    strip_seal(folder)
    data = Path(os.environ["STATION_DATA"])
    shutil.rmtree(data / "log", ignore_errors=True)
    (data / "log_head.json").unlink(missing_ok=True)


def strip_seal(folder: Path) -> None:
    """Write a session as the program of version 1 would have."""
    path = folder / "session.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    for name in ("head", "signatures"):
        record.pop(name, None)
    for row in record["batteries"]:
        row.pop("digest", None)
        row.pop("earlier", None)
        if row["decision"]:
            row["decision"] = {name: row["decision"][name] for name in DECISION}
    path.write_text(json.dumps(record | {"schema_version": 1}), encoding="utf-8")
    log = folder / "audit.jsonl"
    place, text = START, b""
    for entry in audit_entries(scan_chain(log).lines):
        line, place = old_line(
            place,
            at=entry.decision.decided_at.isoformat(),
            operator=entry.decision.operator,
            battery_id=entry.battery_id,
            action=entry.decision.action,
            kind_before=entry.kind_before,
            kind_after=entry.decision.kind,
            reason=entry.decision.reason,
            comment=entry.decision.comment,
        )
        text += line + b"\n"
    log.write_bytes(text)


def old_line(place: ChainPlace, **content: Any) -> tuple[bytes, ChainPlace]:
    """Return a line of the old log, and where it goes on."""
    hashed = {"sequence": place.sequence + 1, "previous": place.hash, **content}
    digest = digest_of(hashed)
    return canonical({**hashed, "hash": digest}), ChainPlace(place.sequence + 1, digest)
