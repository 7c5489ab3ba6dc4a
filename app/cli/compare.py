"""``station compare``: the three systems of a session side by side, or what changed between two."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from inspection.comparison.changes import compare_sessions
from inspection.comparison.session import read_comparison
from inspection.console import system_language
from inspection.messages import Language
from inspection.report.comparison_files import (
    changes_csv,
    comparison_csv,
    comparison_json,
    figures_csv,
)
from inspection.report.comparison_tables import (
    agreement_table,
    change_tables,
    conflicts_table,
    figures_tables,
)
from inspection.report.words import Words
from inspection.report.write import make_folder, write_file
from inspection.session.store import open_to_read

WIDTH = 120
"""Columns where the output is not a terminal."""


def compare(
    sessions: Sequence[Path], *, as_json: bool, out: Path | None, language: Language | None
) -> None:
    """Print the comparison, and write its files where a folder is named.

    The changes are those between the first two sessions.
    """
    language = language or system_language()
    with ExitStack() as stack:
        stores = [stack.enter_context(open_to_read(folder)) for folder in sessions]
        compared = [read_comparison(store) for store in stores]
        changes = compare_sessions(stores[0], stores[1]) if len(stores) > 1 else None
    document = comparison_json(compared, changes, language)
    if out is not None:
        make_folder(out)
        write_file(out / "comparison.json", document)
        write_file(out / "comparison.csv", comparison_csv(compared))
        write_file(out / "comparison_figures.csv", figures_csv(compared))
        if changes is not None:
            write_file(out / "changes.csv", changes_csv(changes))
    if as_json:
        typer.echo(document.decode("utf-8"))
        return
    words = Words.of(language)
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH
    for one in compared:
        console.print(f"{one.session.run_id}  {one.session.lot.name}", style="bold")
        for remark in one.remarks:
            console.print(remark.text(language))
    tables = figures_tables(compared, words)
    if changes is None:
        (one,) = compared
        tables += [agreement_table(one, words), conflicts_table(one, words)]
    elif changes.problem is not None:
        console.print(changes.problem.text(language))
    if changes is not None:
        tables += change_tables(changes, words)
    for table in tables:
        if table.rows:
            rendered = Table(title=table.title, title_justify="left", box=box.SIMPLE_HEAD)
            for column in table.columns:
                justify: Literal["left", "right"] = "right" if column.right else "left"
                rendered.add_column(column.title, justify=justify, overflow="fold")
            for row in table.texts:
                rendered.add_row(*row)
            console.print()
            console.print(rendered)
