"""``trainer train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Argument(help="configs/cnn.yaml or an autoencoder's.")],
    data: Annotated[list[Path], typer.Option("--data", help="Lot to train on; repeatable.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the run and its model folder.")],
    val: Annotated[
        Path | None, typer.Option("--val", help="Lot to validate on. [default: a split of --data]")
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option("--init", help="Model folder to go on from. [default: random weights]"),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="training.epochs=3: a key of the configuration; repeatable."),
    ] = None,
) -> int:
    """Train a model and write its folder under OUT."""
    from training.config import CnnConfig, read_training_config

    settings = read_training_config(config, overrides or [])
    if isinstance(settings, CnnConfig):
        from training.loop import train_classifier

        bundle = train_classifier(settings, data, out, val, init)
    else:
        from training.autoencoder import train_autoencoder

        bundle = train_autoencoder(settings, data, out, val, init)
    typer.echo(str(bundle.folder))
    return 0
