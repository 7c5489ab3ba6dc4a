"""``trainer``: train and evaluate the station's models."""

from __future__ import annotations

import logging
import sys

import typer

from inspection.commands import VersionOption, new_program
from training.cli.check import check
from training.cli.collect import collect
from training.cli.evaluate import evaluate
from training.cli.export import export
from training.cli.fuse import fuse
from training.cli.gate import gate
from training.cli.labels import labels_app
from training.cli.release import release, rollback
from training.cli.split import split
from training.cli.teach import teach
from training.cli.threshold import threshold
from training.cli.train import train
from training.progress import StderrHandler

app = new_program()


@app.callback(invoke_without_command=True)
def trainer(context: typer.Context, version: VersionOption = False) -> None:
    """Set up the log of a run: plain lines on stderr."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[StderrHandler()])


for command in (
    collect,
    split,
    check,
    train,
    teach,
    threshold,
    gate,
    fuse,
    evaluate,
    export,
    release,
    rollback,
):
    app.command()(command)

app.add_typer(labels_app, name="labels")


def main() -> int:
    """Run the command line."""
    from inspection.console import run

    return run(app, "trainer")


if __name__ == "__main__":
    sys.exit(main())
