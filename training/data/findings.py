"""What ``trainer check`` finds, row by row, and how it is shown."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from inspection.atomic import write_atomic
from inspection.console import system_language
from inspection.errors import ConfigError
from inspection.messages import Message

Severity = Literal["leak", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("leak", "warning", "note")
COLUMNS = ("kind", "severity", "parts", "battery", "image", "detail")
_JOIN = " | "


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """Something to look at before training.

    Parameters
    ----------
    severity : ``leak`` where what is learnt from one part is known in another
    reason : its code is the finding's kind
    parts : parts of the split (or published folders) concerned, in the order of `images`
    batteries : batteries concerned
    images : images concerned, below their lot's folder
    """

    severity: Severity
    reason: Message
    parts: tuple[str, ...] = ()
    batteries: tuple[str, ...] = ()
    images: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The code, the same for one file and for many."""
        return self.reason.code.removesuffix("_many")

    @property
    def count(self) -> int:
        """How many files it stands for."""
        return int(self.reason.params.get("count", 1))

    def row(self, language: str) -> tuple[str, ...]:
        """Return the cells of ``COLUMNS``."""
        return (
            self.kind,
            self.severity,
            _JOIN.join(dict.fromkeys(part for part in self.parts if part)),
            _JOIN.join(dict.fromkeys(self.batteries)),
            _JOIN.join(self.images),
            self.reason.text(language),
        )


def write_findings(path: Path, findings: Sequence[CheckFinding]) -> None:
    """Write a row per finding; CSV that Excel opens as UTF-8.

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """
    language = system_language()
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    writer.writerows(finding.row(language) for finding in findings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # With a byte order mark, without which Excel reads Korean names as Latin.
        write_atomic(path, stream.getvalue().encode("utf-8-sig"))
    except OSError as error:
        problem = error.strerror or str(error)
        raise ConfigError("folder_unwritable", folder=str(path), problem=problem) from error


def summarise(findings: Sequence[CheckFinding]) -> list[dict[str, Any]]:
    """Return kind, severity, count, an example and its words for each kind, leaks first."""
    language = system_language()
    kinds: dict[tuple[Severity, str], list[CheckFinding]] = {}
    for finding in findings:
        kinds.setdefault((finding.severity, finding.kind), []).append(finding)
    return [
        {
            "kind": kind,
            "severity": severity,
            "count": sum(finding.count for finding in found),
            "example": _JOIN.join(found[0].images or found[0].batteries),
            "detail": found[0].reason.text(language),
        }
        for (severity, kind), found in sorted(
            kinds.items(), key=lambda item: (SEVERITIES.index(item[0][0]), item[0][1])
        )
    ]
