"""``trainer collect``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from inspection.commands import JsonOption, LanguageOption, SiteOption
from inspection.records import BatteryType

SHOWN = 20
"""Batteries without a decision that are named; the others are in ``collected.json``."""


def collect(
    sessions: list[Path],
    out: Annotated[Path, typer.Option("--out", metavar="DATASET")],
    lot: Annotated[Path | None, typer.Option("--lot", metavar="LOT")] = None,
    accept_unsealed: Annotated[bool, typer.Option("--accept-unsealed")] = False,
    battery_type: Annotated[BatteryType | None, typer.Option("--type")] = None,
    as_json: JsonOption = False,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Write what operators have decided as a labelled lot."""
    from rich.console import Console
    from rich.table import Table

    from inspection.console import system_language
    from inspection.messages import Message
    from training.labels.collect import collect as collect_sessions

    def word(code: str, **params: str | int) -> str:
        return Message(code=code, params={**params}).text(system_language())

    done = collect_sessions(
        sessions,
        out,
        moved_to=lot,
        accept_unsealed=accept_unsealed,
        battery_type=battery_type,
    )
    if as_json:
        document = done.document(system_language())
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return 0
    console = Console()
    table = Table(title=word("collect_table", batteries=done.batteries, images=done.images))
    table.add_column(word("split_class"))
    table.add_column(word("check_count"), justify="right")
    for name, count in sorted(done.labelled.items()):
        table.add_row(name, str(count))
    console.print(table)
    undecided = [one for one in done.left_out if one.reason.code == "confirmed_undecided"]
    for one in done.left_out:
        if one not in undecided:
            console.print(one.reason.text_with_hint(system_language()), highlight=False)
    if undecided:
        names = [one.battery_id for one in undecided[:SHOWN]]
        names += ["…"] if len(undecided) > SHOWN else []
        told = word("collect_undecided", count=len(undecided), names=", ".join(names))
        console.print(told, highlight=False)
    for folder in done.lots.values():
        typer.echo(str(folder))
    return 0
