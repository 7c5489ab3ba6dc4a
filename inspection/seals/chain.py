"""Signed lines that each carry the hash of the one before: what was written cannot be rewritten.

A line is JSON with sorted keys and no spaces. Its hash covers everything but itself and the
signature; the signature covers the hash. Lines from before there were signatures are read as
well, as long as none with one comes before them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import AwareDatetime, Field

from inspection.atomic import create_file, sync_folder
from inspection.messages import Message
from inspection.record_base import Record
from inspection.seals.keys import StationKey, is_signed
from inspection.seals.strict_json import load_strict

GENESIS = "0" * 64
"""Stands for the hash of the line before the first."""
CLOCK_SLACK = timedelta(seconds=5)
"""Clocks are set by so much all the time; a line that is older than the one before is told."""
OLD_EVENT = "before_seals"
"""The event of a line from before lines were signed; its content is all of the line."""
_TAIL_BYTES = 1 << 16


class ChainLine(Record):
    """One line; ``key`` is the public key whose ``signature`` covers ``hash``, both base64."""

    sequence: int = Field(ge=1)
    previous: str
    at: AwareDatetime
    event: str = Field(min_length=1)
    content: dict[str, Any] = Field(default_factory=dict)
    key: str
    hash: str
    signature: str


class ChainPlace(NamedTuple):
    """Where a chain goes on: after the line of this number and hash."""

    sequence: int
    hash: str


START = ChainPlace(0, GENESIS)


@dataclass(frozen=True, slots=True)
class ChainScan:
    """What a chain holds.

    Parameters
    ----------
    lines : those that are as they were written, each once, also after one that is not
    problems : where the chain is broken, in its order
    clock : lines that are older than the one before
    torn : bytes after the last line end, left by a writer that was killed; empty where none
    place : where it goes on
    """

    lines: tuple[ChainLine, ...]
    problems: tuple[Message, ...]
    clock: tuple[Message, ...]
    torn: bytes
    place: ChainPlace

    @property
    def broken_line(self) -> int | None:
        """The first line (1-based) that is not as it was written; None where all are."""
        return int(self.problems[0].params["line"]) if self.problems else None


def scan_chain(path: Path, after: ChainPlace = START) -> ChainScan:
    """Read a chain and check every line; one that does not exist yet is empty.

    A chain whose end was cut off at a line end fits: what else knows its length is compared with
    it, a session's file and the station's log.

    Parameters
    ----------
    after : what the first line follows, where the chain began in another file
    """
    if not path.exists():
        return ChainScan((), (), (), b"", after)
    *texts, torn = path.read_bytes().split(b"\n")
    lines: list[ChainLine] = []
    problems: list[Message] = []
    clock: list[Message] = []
    place: ChainPlace | None = after
    for number, text in enumerate(texts, start=1):
        where: dict[str, str | int | float] = {"name": path.name, "line": number}
        try:
            line = parse_line(text)
        except ValueError:
            problems.append(Message(code="seal_line_altered", params=where))
            # What follows can no longer be told from what should: it is checked by itself.
            place = None
            continue
        if line.event == OLD_EVENT and any(known.key for known in lines):
            problems.append(Message(code="seal_line_unsigned", params=where))
        elif line.event != OLD_EVENT and not is_signed(line.key, line.hash, line.signature):
            problems.append(Message(code="seal_signature_wrong", params=where))
        else:
            if place is not None and (line.sequence - 1, line.previous) != place:
                problems.append(Message(code="seal_line_moved", params=where))
            if lines and line.sequence <= lines[-1].sequence:
                # Said again, or out of its order: once was enough.
                continue
            if lines and lines[-1].key and line.at < lines[-1].at - CLOCK_SLACK:
                clock.append(Message(code="seal_clock_back", params=where))
            lines.append(line)
        place = ChainPlace(line.sequence, line.hash)
    if place is None:
        place = ChainPlace(after.sequence + len(texts), hashlib.sha256(texts[-1]).hexdigest())
    return ChainScan(tuple(lines), tuple(problems), tuple(clock), torn, place)


def parse_line(text: bytes) -> ChainLine:
    """Return a line whose hash is right; its signature is not looked at.

    Raises
    ------
    ValueError
        If it is no line, or not as it was written.
    """
    content = load_strict(text)
    if not isinstance(content, dict):
        raise ValueError("a line is an object")
    hashed = {key: value for key, value in content.items() if key not in ("hash", "signature")}
    if digest_of(hashed) != content.get("hash"):
        raise ValueError("the hash is another line's")
    if "event" not in content:
        kept = {key: content.pop(key) for key in ("sequence", "previous", "at", "hash")}
        old = {**kept, "event": OLD_EVENT, "content": content, "key": "", "signature": ""}
        return ChainLine.model_validate_json(json.dumps(old))
    if canonical(content) != text:
        raise ValueError("not written as the station writes")
    return ChainLine.model_validate_json(text)


def tail(path: Path, after: ChainPlace = START) -> tuple[ChainPlace, bytes]:
    """Return where a chain goes on and what a killed writer left after it, without reading it all.

    Parameters
    ----------
    after : as in `scan_chain`
    """
    if not path.exists():
        return after, b""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        *texts, torn = file.read().split(b"\n")
    try:
        line = parse_line(texts[-1])
    except (IndexError, ValueError):
        scan = scan_chain(path, after)
        return scan.place, scan.torn
    return ChainPlace(line.sequence, line.hash), torn


def set_torn_aside(path: Path, torn: bytes) -> None:
    """Move the remains of a killed append from a chain's end into ``.torn`` beside it."""
    if not torn:
        return
    with path.with_suffix(".torn").open("ab") as file:
        file.write(torn + b"\n")
        file.flush()
        os.fsync(file.fileno())
    with path.open("rb+") as chain:
        chain.truncate(chain.seek(-len(torn), os.SEEK_END))
        chain.flush()
        os.fsync(chain.fileno())


class Chain:
    """A chain that is open for appending by its one writer.

    Parameters
    ----------
    path : the file; made by the first append
    key : signs every line
    place : where it goes on, from `scan_chain` or `tail`; what a killed writer left is aside
    """

    def __init__(self, path: Path, key: StationKey, place: ChainPlace) -> None:
        self.path = path
        self.place = place
        self._key = key
        self._unfinished: tuple[int, bytes] | None = None

    @classmethod
    def open(cls, path: Path, key: StationKey) -> Chain:
        """Return the chain of a file, what a killed writer left put aside."""
        place, torn = tail(path)
        set_torn_aside(path, torn)
        return cls(path, key, place)

    def append(self, event: str, content: Mapping[str, Any]) -> ChainLine:
        """Write one line and return once it is on the disk.

        Raises
        ------
        OSError
            If the disk refuses; the chain is then as before.
        """
        hashed: dict[str, Any] = {
            "sequence": self.place.sequence + 1,
            "previous": self.place.hash,
            "at": datetime.now().astimezone().isoformat(),
            "event": event,
            "content": dict(content),
            "key": self._key.public,
        }
        digest = digest_of(hashed)
        whole = {**hashed, "hash": digest, "signature": self._key.sign(digest)}
        self._write(canonical(whole) + b"\n")
        self.place = ChainPlace(self.place.sequence + 1, digest)
        return ChainLine.model_validate(whole)

    def _write(self, line: bytes) -> None:
        self._take_back()
        fresh = not self.path.exists()
        # Unbuffered: a buffer would try its half-written line again when the file is closed.
        descriptor = create_file(self.path, os.O_WRONLY | os.O_APPEND)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                if file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                # The next append must not continue half a line.
                self._unfinished = size, line
                self._take_back()
                raise
        if fresh:
            sync_folder(self.path.parent)

    def _take_back(self) -> None:
        """Cut off what a failed append has left, as soon as the disk lets it."""
        if self._unfinished is None:
            return
        size, line = self._unfinished
        with self.path.open("rb+") as file:
            file.seek(size)
            if not line.startswith(file.read()):
                raise OSError(errno.EIO, "another program has written the chain")
            file.truncate(size)
            os.fsync(file.fileno())
        self._unfinished = None


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a content, the same however it was written."""
    return hashlib.sha256(canonical(content)).hexdigest()


def canonical(content: Mapping[str, Any]) -> bytes:
    """Sorted keys, no spaces, UTF-8: the same content always gives the same bytes."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8")
