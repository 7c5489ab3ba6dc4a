"""``station report``: export a session."""

from __future__ import annotations

from pathlib import Path

import typer

from app.cli.options import parse_choices, parse_language
from inspection.messages import Language
from inspection.report import FORMATS, write_report


def export_report(
    session: Path, formats: str, out: Path, language: Language | None, battery_ids: tuple[str, ...]
) -> None:
    """Write the report's files and print their paths."""
    chosen = parse_choices("--formats", formats, FORMATS)
    files = write_report(session, chosen, out, parse_language(language), battery_ids or None)
    for file in files:
        typer.echo(str(file))
