"""The last line of the station's log, kept outside of it: a log alone cannot show a cut end."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field, ValidationError

from inspection.atomic import write_atomic
from inspection.record_base import Record
from inspection.seals.chain import ChainPlace, digest_of
from inspection.seals.keys import (
    StationKey,
    fingerprint,
    is_signed,
    station_fingerprint,
    trusted_fingerprints,
)
from inspection.seals.strict_json import load_strict


class LogHead(Record):
    """What the file holds; the signature covers number and hash of the line."""

    sequence: int = Field(ge=1)
    hash: str
    key: str
    signature: str


def write_head(path: Path, place: ChainPlace, key: StationKey) -> None:
    """Keep where the log ends now.

    Raises
    ------
    OSError
        If the disk refuses; the file is then as before.
    """
    signature = key.sign(_digest(place.sequence, place.hash))
    head = LogHead(sequence=place.sequence, hash=place.hash, key=key.public, signature=signature)
    write_atomic(path, head.model_dump_json())


def read_head(path: Path) -> ChainPlace | None:
    """Return where the log ended when it was last written; None where nothing vouches for it."""
    try:
        content = load_strict(path.read_bytes())
        head = LogHead.model_validate_json(json.dumps(content))
        known = fingerprint(head.key) in trusted_fingerprints() | station_fingerprint()
    except (OSError, ValidationError, ValueError):
        return None
    signed = known and is_signed(head.key, _digest(head.sequence, head.hash), head.signature)
    return ChainPlace(head.sequence, head.hash) if signed else None


def _digest(sequence: int, line: str) -> str:
    return digest_of({"log_head": line, "sequence": sequence})
