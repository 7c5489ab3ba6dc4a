"""The log of the station: who was there, what was changed, what became of which session.

A chain of signed lines over all programs of the station, in a file a month; each file goes on
where the one before has ended. Where the last one ends is kept outside of the log after each line:
a log that has more lines was written by a program that was killed before that, one that has not
that line has lost its end.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from inspection.errors import SealError
from inspection.messages import Message
from inspection.paths import data_folder
from inspection.record_base import Record
from inspection.seals.chain import (
    START,
    Chain,
    ChainLine,
    ChainPlace,
    ChainScan,
    parse_line,
    scan_chain,
    set_torn_aside,
    tail,
)
from inspection.seals.keys import fingerprint, is_signed, station_key, trusted_fingerprints
from inspection.seals.log_head import read_head, write_head

log = logging.getLogger(__name__)

LOG_NAME = "log"
HEAD_NAME = "log_head.json"
HEADED = "headed"
"""Detail of the line with which the log's end began to be kept."""
LOCK_SECONDS = 10
_MONTHS = "[0-9][0-9][0-9][0-9]-[0-9][0-9].jsonl"

Event = Literal[
    "start",
    "sign_in",
    "sign_in_failed",
    "locked_out",
    "sign_out",
    "hand_over",
    "user_added",
    "user_changed",
    "user_removed",
    "users_altered",
    "pin_reset",
    "settings_changed",
    "models_changed",
    "policy_changed",
    "session_created",
    "head",
    "signed",
    "exported",
    "backup",
    "restored",
    "retention",
    "log_altered",
]
"""What the log tells of."""


class StationLog:
    """The station's log; any of its programs may append to it.

    Parameters
    ----------
    folder : by default in the station's own data; where the log ends is kept beside it
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or data_folder() / LOG_NAME
        self._head = self.folder.with_name(HEAD_NAME)

    def append(self, event: Event, person: Record | None = None, **details: Any) -> ChainLine:
        """Write a line and return once it is on the disk.

        A log that has lost its end says so before it goes on, once for all.

        Parameters
        ----------
        person : who did it, where somebody is known
        details : what the event is about; values that JSON has

        Raises
        ------
        SealError
            If the disk refuses, or another program keeps the log to itself; nothing is written.
        """
        who = person.model_dump(mode="json") if person else None
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._lock():
                files = self.files()
                place, torn = self._end(files)
                if files:
                    set_torn_aside(files[-1], torn)
                month = self.folder / f"{datetime.now():%Y-%m}.jsonl"
                # After a clock was set back the newest file goes on: its order is the log's.
                path = max(month, files[-1]) if files else month
                chain = Chain(path, station_key(), place)
                if (lost := self._lost()) is not None:
                    told = {"what": lost.code, "params": lost.params}
                    chain.append("log_altered", {"person": None, **told})
                elif read_head(self._head) is None:
                    details[HEADED] = True
                line = chain.append(event, {"person": who, **details})
                self._keep_head(chain.place)
                return line
        except (OSError, Timeout) as error:
            problem = getattr(error, "strerror", None) or str(error)
            raise SealError("log_not_written", path=str(self.folder), problem=problem) from error

    def lost(self) -> Message | None:
        """Return what is to be told of a log whose end is gone; None where it has it.

        Raises
        ------
        OSError
            If the disk refuses.
        """
        if (lost := self._lost()) is None:
            return None
        # A line and the end that is kept after it are two writes: another program, or a thread of
        # this one, may be between them.
        try:
            with self._lock():
                return self._lost()
        except (OSError, Timeout):
            return lost

    def _lock(self) -> FileLock:
        return FileLock(self.folder / ".lock", timeout=LOCK_SECONDS, thread_local=False)

    def _lost(self) -> Message | None:
        # Before the files: what is written meanwhile makes the log longer, never shorter.
        head = read_head(self._head)
        files = self.files()
        if head is None:
            gone = Message(code="log_head_gone", params={"path": str(self._head)})
            return gone if self.last(HEADED) else None
        if head == self._end(files)[0]:
            return None
        wanted = f'"hash":"{head.hash}"'.encode()
        if any(wanted in path.read_bytes() for path in reversed(files)):
            return None
        return Message(code="log_cut", params={"path": str(self.folder), "known": head.sequence})

    def lost_since_start(self) -> list[Message]:
        """Return what is to be told at a start of the window: what was lost since the last one."""
        found = [self.lost()]
        for line in self.newest():
            if line.event == "start":
                break
            found += lost_in([line])
        return [message for message in found if message is not None]

    def files(self) -> list[Path]:
        """Return the months' files, oldest first."""
        return sorted(self.folder.glob(_MONTHS))

    def scan(self) -> Iterator[tuple[Path, ChainScan]]:
        """Read and check every file, oldest first."""
        place = START
        for path in self.files():
            scan = scan_chain(path, place)
            yield path, scan
            place = scan.place

    def newest(self, having: str = "") -> Iterator[ChainLine]:
        """Return the lines, newest first; those that are not the station's own are left out.

        Parameters
        ----------
        having : only lines with this detail
        """
        files = self.files()
        trusted = trusted_fingerprints() | {fingerprint(station_key().public)} if files else ()
        wanted = f'"{having}":'.encode() if having else b""
        for path in reversed(files):
            for text in reversed(path.read_bytes().split(b"\n")[:-1]):
                # Of many thousand lines a few are of interest: the others are not even read.
                if wanted not in text:
                    continue
                try:
                    line = parse_line(text)
                except ValueError:
                    continue
                if having and having not in line.content:
                    continue
                own = bool(line.key) and fingerprint(line.key) in trusted
                if own and is_signed(line.key, line.hash, line.signature):
                    yield line

    def last(self, name: str) -> Any:
        """Return the newest value of a detail, or None where no line has it."""
        return next((line.content[name] for line in self.newest(name)), None)

    def _keep_head(self, place: ChainPlace) -> None:
        try:
            write_head(self._head, place, station_key())
        except OSError as error:
            # The line is on the disk; the next one keeps the end again.
            log.warning("the end of the station's log is not kept: %s", error)

    @staticmethod
    def _end(files: list[Path]) -> tuple[ChainPlace, bytes]:
        """Return where the log goes on, and what a killed program left after it."""
        if not files:
            return START, b""
        before = tail(files[-2])[0] if len(files) > 1 else START
        return tail(files[-1], before)


def lost_in(lines: Iterable[ChainLine]) -> list[Message]:
    """Return what lines of the log say of ends that it had lost."""
    told = (line.content for line in lines if line.event == "log_altered")
    return [Message(code=said["what"], params=said["params"]) for said in told]
