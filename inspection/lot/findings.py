"""Collects what the intake could not take as it is, without thousands of equal lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from inspection.messages import Message
from inspection.records import LotFinding

# More files than this with the same reason in the same place become one finding with a count.
LISTED_ONE_BY_ONE = 10


class FileFinding(NamedTuple):
    """A file that was met, before it is bundled with others."""

    code: str
    folder: Path
    name: str
    battery_id: str | None
    params: dict[str, str]


class Findings:
    """Findings in the order they were met; those about files are bundled by folder."""

    def __init__(self) -> None:
        self._found: list[LotFinding] = []
        self._files: dict[tuple[str, Path, str | None], list[tuple[str, dict[str, str]]]] = (
            defaultdict(list)
        )

    def add(self, path: Path, reason: Message, battery_id: str | None = None) -> None:
        """Add one finding."""
        self._found.append(LotFinding(path, reason, battery_id))

    def add_file(
        self, code: str, folder: Path, name: str, battery_id: str | None = None, **params: str
    ) -> None:
        """Add a finding about one file; ``code``_many, with ``count``, is its bundled form."""
        self._files[code, folder, battery_id].append((name, params))

    def of(self, code: str) -> Iterator[LotFinding]:
        """Yield the single findings of a code."""
        return (finding for finding in self._found if finding.reason.code == code)

    def files(self, code: str) -> Iterator[FileFinding]:
        """Yield every file of a code, unbundled."""
        for (said, folder, battery_id), files in self._files.items():
            if said == code:
                for name, params in files:
                    yield FileFinding(code, folder, name, battery_id, params)

    def collected(self) -> tuple[LotFinding, ...]:
        """Return everything: single findings, then those about files by folder."""
        found = list(self._found)
        for (code, folder, battery_id), files in self._files.items():
            if len(files) <= LISTED_ONE_BY_ONE:
                for name, params in files:
                    message = Message(code=code, params={"name": name, **params})
                    found.append(LotFinding(folder / name, message, battery_id))
            else:
                name, params = files[0]
                counted = {"name": name, "count": len(files), "folder": folder.name, **params}
                found.append(
                    LotFinding(folder, Message(code=f"{code}_many", params=counted), battery_id)
                )
        return tuple(found)
