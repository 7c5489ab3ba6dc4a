"""What came of the faults: how often each was tried, and what went wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Column = Literal["lost", "unnoticed", "wrong normal"]
COLUMNS: tuple[Column, ...] = ("lost", "unnoticed", "wrong normal")


@dataclass
class Counts:
    """One fault's row; ``wrong`` holds a sentence for each thing that went wrong."""

    tried: int = 0
    wrong: dict[Column, list[str]] = field(default_factory=lambda: {name: [] for name in COLUMNS})
    skipped: list[str] = field(default_factory=list)


class Report:
    """The table; filled from several threads."""

    def __init__(self) -> None:
        self._rows: dict[str, Counts] = {}
        self._lock = threading.Lock()

    def add(self, fault: str, wrong: Iterable[tuple[Column, str]] = (), tried: int = 1) -> None:
        """Count a fault that was tried, and what went wrong with it."""
        with self._lock:
            row = self._rows.setdefault(fault, Counts())
            row.tried += tried
            for column, said in wrong:
                row.wrong[column].append(said)

    def skip(self, fault: str, reason: str) -> None:
        """Say why a fault could not be tried here."""
        with self._lock:
            self._rows.setdefault(fault, Counts()).skipped.append(reason)

    @property
    def failing(self) -> list[str]:
        """What went wrong, a line each."""
        return [
            f"{fault}: {column}: {said}"
            for fault, row in self._rows.items()
            for column, sentences in row.wrong.items()
            for said in sentences
        ]

    @property
    def skipped(self) -> list[str]:
        """What could not be tried here, a line each."""
        return [f"{fault}: {why}" for fault, row in self._rows.items() for why in row.skipped]

    def as_json(self) -> dict[str, dict[str, object]]:
        """Return the rows, with what went wrong in words."""
        return {
            fault: {"tried": row.tried, **row.wrong, "skipped": row.skipped}
            for fault, row in self._rows.items()
        }

    def as_markdown(self) -> str:
        """Return the table."""
        head = ("fault", "tried", *COLUMNS)
        lines = [f"| {' | '.join(head)} |", f"|---{'|---:' * (len(head) - 1)}|"]
        totals = [0] * (len(head) - 1)
        for fault, row in self._rows.items():
            cells = [row.tried, *(len(row.wrong[column]) for column in COLUMNS)]
            totals = [total + cell for total, cell in zip(totals, cells, strict=True)]
            lines.append(f"| {fault} | {' | '.join(map(str, cells))} |")
        lines.append(f"| all | {' | '.join(map(str, totals))} |")
        return "\n".join(lines)
