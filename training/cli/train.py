"""``trainer train``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inspection.commands import LanguageOption
from training.cli.options import DataOption, NormalOption, SplitOption

if TYPE_CHECKING:
    from training.loop.config import TrainingFile
    from training.loop.runs import Run


def train(
    config: Path,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER")],
    data: DataOption = None,
    split: SplitOption = None,
    val: Annotated[Path | None, typer.Option("--val", metavar="LOT")] = None,
    normal: NormalOption = None,
    init: Annotated[Path | None, typer.Option("--init", metavar="FOLDER")] = None,
    resume: Annotated[bool, typer.Option("--resume")] = False,
    logging: Annotated[Path | None, typer.Option("--logging", metavar="FILE")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE")] = None,
    language: LanguageOption = None,
) -> int:
    """Train a model and write its folder under OUT."""
    from inspection.console import INTERRUPTED, system_language
    from inspection.errors import ConfigError
    from inspection.messages import Message
    from training.config import read_training_config
    from training.data.split_files import read_split
    from training.loop.interruption import TrainingInterrupted
    from training.loop.logging_config import load_logging
    from training.loop.runs import Run

    settings = read_training_config(config, overrides or [])
    if normal is not None and (split is not None or settings.model != "autoencoder"):
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
        folder = _train(settings, run)
    except TrainingInterrupted as stopped:
        message = Message(code="training_interrupted", params={"epochs": stopped.epochs})
        if speaks:
            typer.echo(message.text(system_language()), err=True)
        return INTERRUPTED
    if speaks:
        typer.echo(str(folder))
    return 0


def _train(settings: TrainingFile, run: Run) -> Path:
    """Train what the configuration is for, and return the model folder."""
    from training.autoencoder.config import AutoencoderConfig
    from training.classifier.config import CnnConfig
    from training.vlg.config import DemoVlgConfig
    from training.vlm.config import DemoVlmConfig

    # The libraries that one kind needs are imported for it alone.
    if isinstance(settings, CnnConfig):
        from training.classifier.classifier import train_classifier

        return train_classifier(settings, run).folder
    if isinstance(settings, AutoencoderConfig):
        from training.autoencoder.autoencoder import train_autoencoder

        return train_autoencoder(settings, run).folder
    if isinstance(settings, DemoVlmConfig):
        from training.vlm.task import train_vlm

        return train_vlm(settings, run)
    if isinstance(settings, DemoVlgConfig):
        from training.vlg.task import train_vlg

        return train_vlg(settings, run)
    raise TypeError(type(settings).__name__)
