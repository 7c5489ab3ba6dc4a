"""The log of the station: who was there, what was changed, what became of which session.

A chain of signed lines over all programs of the station, in a file a month; each file goes on
where the one before has ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from inspection.errors import SealError
from inspection.paths import data_folder
from inspection.results import Record
from inspection.seals.chain import (
    START,
    Chain,
    ChainLine,
    ChainScan,
    Place,
    parse_line,
    scan_chain,
    set_torn_aside,
    tail,
)
from inspection.seals.keys import fingerprint, is_signed, station_key, trusted_fingerprints

LOG_NAME = "log"
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
]
"""What the log tells of."""


class StationLog:
    """The station's log; any of its programs may append to it.

    Parameters
    ----------
    folder : by default in the station's own data
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or data_folder() / LOG_NAME

    def append(self, event: Event, person: Record | None = None, **details: Any) -> ChainLine:
        """Write a line and return once it is on the disk.

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
            with FileLock(self.folder / ".lock", timeout=LOCK_SECONDS, thread_local=False):
                files = self.files()
                place, torn = self._end(files)
                if files:
                    set_torn_aside(files[-1], torn)
                month = self.folder / f"{datetime.now():%Y-%m}.jsonl"
                # After a clock was set back the newest file goes on: its order is the log's.
                path = max(month, files[-1]) if files else month
                return Chain(path, station_key(), place).append(event, {"person": who, **details})
        except (OSError, Timeout) as error:
            problem = getattr(error, "strerror", None) or str(error)
            raise SealError("log_not_written", path=str(self.folder), problem=problem) from error

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

    @staticmethod
    def _end(files: list[Path]) -> tuple[Place, bytes]:
        """Return where the log goes on, and what a killed program left after it."""
        if not files:
            return START, b""
        before = tail(files[-2])[0] if len(files) > 1 else START
        return tail(files[-1], before)
