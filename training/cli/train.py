"""``trainer train``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Argument(help="configs/cnn.yaml or an autoencoder's.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the run and its model folder.")],
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="Lot to train on; repeatable. [default: the split's]"),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option("--split", help="Folder of trainer split. [default: a split by the seed]"),
    ] = None,
    val: Annotated[
        Path | None, typer.Option("--val", help="Lot to validate on. [default: a part of --data]")
    ] = None,
    normal: Annotated[
        str | None,
        typer.Option("--normal", help="--data is a plain folder; its folder of normal images."),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option("--init", help="Model folder to go on from. [default: random weights]"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after the last finished epoch of OUT.")
    ] = False,
    logging: Annotated[
        Path | None, typer.Option("--logging", help="What is logged. [default: logging.yaml]")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="training.epochs=3: a key of the configuration; repeatable."),
    ] = None,
) -> int:
    """Train a model and write its folder under OUT."""
    from inspection.console import INTERRUPTED, system_language
    from inspection.errors import ConfigError
    from inspection.messages import Message
    from training.config import CnnConfig, read_training_config
    from training.interruption import TrainingInterrupted
    from training.logging_config import load_logging
    from training.runs import Run
    from training.split_files import read_split

    settings = read_training_config(config, overrides or [])
    if normal is not None and (split is not None or isinstance(settings, CnnConfig)):
        raise ConfigError("normal_misplaced")
    run = Run(
        out=out,
        data=tuple(data or ()),
        val=val,
        split=None if split is None else read_split(split, data or ()),
        normal=normal,
        init=init,
        resume=resume,
        logging=load_logging(logging),
    )
    # Of several processes under torchrun, one speaks.
    speaks = os.environ.get("RANK", "0") == "0"
    try:
        if isinstance(settings, CnnConfig):
            from training.classifier import train_classifier

            bundle = train_classifier(settings, run)
        else:
            from training.autoencoder import train_autoencoder

            bundle = train_autoencoder(settings, run)
    except TrainingInterrupted as stopped:
        message = Message(code="training_interrupted", params={"epochs": stopped.epochs})
        if speaks:
            typer.echo(message.text(system_language()), err=True)
        return INTERRUPTED
    if speaks:
        typer.echo(str(bundle.folder))
    return 0
