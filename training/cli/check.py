"""``trainer check``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from inspection.commands import JsonOption, LanguageOption, SiteOption
from training.cli.options import SplitOption

LEAKAGE = 1


def check(
    lots: list[Path],
    split: SplitOption = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE")] = None,
    pixels: bool = True,
    as_json: JsonOption = False,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Find leakage (exit 1) and labels that contradict themselves."""
    from rich.console import Console
    from rich.table import Table

    from inspection.console import system_language
    from inspection.messages import Message
    from training.data.checks import check_lots
    from training.data.findings import summarise, write_findings

    def word(code: str, **params: int) -> str:
        return Message(code=code, params=params).text(system_language())

    checked = check_lots(lots, split, pixels=pixels)
    leaks, rows = checked.leaks, summarise(checked.findings)
    if out is not None:
        write_findings(out, checked.findings)
    if as_json:
        document = {
            "images": checked.images,
            "labelled": checked.labelled,
            "batteries": checked.batteries,
            "leakage": leaks,
            "findings": rows,
        }
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return LEAKAGE if leaks else 0
    table = Table(
        title=word("check_table", images=checked.images, batteries=checked.batteries),
        caption=word("check_leaks" if leaks else "check_no_leaks") if checked.labelled else None,
        show_lines=True,
    )
    table.add_column(word("check_finding"), overflow="fold")
    table.add_column(word("check_severity"))
    table.add_column(word("check_count"), justify="right")
    table.add_column(word("check_example"), overflow="fold")
    for row in rows:
        # File names alone: whole paths would leave no room for the words.
        names = (Path(name).name for name in row["example"].split(" | "))
        example = "\n".join(part for part in (", ".join(names), row["detail"]) if part)
        table.add_row(row["kind"], word(f"severity_{row['severity']}"), str(row["count"]), example)
    Console().print(table)
    if checked.images and not checked.labelled:
        typer.echo(word("check_unlabelled"), err=True)
    return LEAKAGE if leaks else 0
