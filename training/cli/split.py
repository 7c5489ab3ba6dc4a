"""``trainer split``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inspection.commands import LanguageOption, SiteOption


def split(
    lots: list[Path],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER")],
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    train: float = 0.70,
    val: float = 0.15,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Split lots by battery, stratified by class, into text files that list the images."""
    from rich.console import Console
    from rich.table import Table

    from inspection.console import system_language
    from inspection.errors import ConfigError
    from inspection.messages import Message
    from training.data.split_files import PARTS
    from training.data.split_lots import split_lots
    from training.data.splits import Split
    from training.progress import progress_bar

    # Decimals are not exact: 0.7 + 0.3 must not be more than 1.
    if not (0 < train <= 1 and 0 <= val <= 1 and train + val <= 1 + 1e-9):
        raise ConfigError("split_shares", train=train, val=val)
    shares = Split(train=train, val=val, test=max(0.0, 1 - train - val))
    with progress_bar("labels") as advance:
        summary = split_lots(lots, out, shares, seed, advance)

    def word(code: str, **params: int) -> str:
        return Message(code=code, params=params).text(system_language())

    # Classes by parts: batteries and images of each.
    table = Table(title=word("split_table"))
    table.add_column(word("split_class"))
    for part in PARTS:
        table.add_column(part, justify="right")
    for label in sorted({label for part in PARTS for label in summary.images[part]}):
        counts = (f"{summary.batteries[p][label]} / {summary.images[p][label]}" for p in PARTS)
        table.add_row(label, *counts)
    table.add_section()
    totals = (f"{summary.bodies[p]} / {summary.images[p].total()}" for p in PARTS)
    table.add_row(word("split_all"), *totals)
    table.add_row(word("split_pairs"), *(str(summary.pairs[p]) for p in PARTS))
    console = Console()
    console.print(table)
    for label in sorted({label for part in PARTS for label in summary.batteries[part]}):
        lacking = [p for p in PARTS if shares.share(p) > 0 and not summary.batteries[p][label]]
        if lacking:
            params = {"label": label, "parts": ", ".join(lacking)}
            told = Message(code="split_class_misses", params=params).text(system_language())
            typer.echo(told, err=True)
    if summary.left_out:
        told = word("split_left_out", count=summary.left_out.total())
        console.print(told, highlight=False)
        for code, count in sorted(summary.left_out.items()):
            console.print(f"  {code}: {count}", highlight=False)
    typer.echo(str(out))
    return 0
