"""``trainer train``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from inspection.commands import LanguageOption, SiteOption
from training.cli.options import DataOption, NormalOption, SplitOption


def train(
    config: Path,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER")],
    data: DataOption = None,
    split: SplitOption = None,
    val: Annotated[Path | None, typer.Option("--val", metavar="LOT")] = None,
    normal: NormalOption = None,
    init: Annotated[Path | None, typer.Option("--init", metavar="FOLDER")] = None,
    resume: Annotated[bool, typer.Option("--resume")] = False,
    force: Annotated[bool, typer.Option("--force")] = False,
    device: Annotated[Literal["auto", "cpu", "cuda"] | None, typer.Option("--device")] = None,
    logging: Annotated[Path | None, typer.Option("--logging", metavar="FILE")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE")] = None,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Train a model and write its folder under OUT."""
    from inspection.console import INTERRUPTED, system_language
    from inspection.errors import ConfigError
    from inspection.messages import Message
    from training.config import KINDS, read_training_config, train_model
    from training.data.split_files import read_split
    from training.loop.checkpoints import is_finished
    from training.loop.config import load_logging
    from training.loop.interruption import TrainingInterrupted
    from training.loop.runs import TrainingRun

    if resume and force:
        raise ConfigError("resume_and_force")
    chosen = [*(overrides or []), *([f"training.device={device}"] if device else [])]
    settings = read_training_config(config, chosen)
    if normal is not None and (split is not None or not KINDS[settings.model].plain_folder):
        raise ConfigError("normal_misplaced")
    run = TrainingRun(
        out=out,
        data=tuple(data or ()),
        val=val,
        split=None if split is None else read_split(split, data or ()),
        normal=normal,
        init=init,
        resume=resume,
        force=force,
        logging=load_logging(logging),
    )
    # Of several processes under torchrun, one speaks.
    speaks = os.environ.get("RANK", "0") == "0"
    was_finished = resume and is_finished(out)
    try:
        folder = train_model(settings, run).folder
    except TrainingInterrupted as stopped:
        message = Message(code="training_interrupted", params={"epochs": stopped.epochs})
        if not stopped.epochs:
            message = Message(code="training_interrupted_first")
        if speaks:
            typer.echo(message.text(system_language()), err=True)
        return INTERRUPTED
    if was_finished and speaks:
        message = Message(code="run_was_finished", params={"folder": str(out)})
        typer.echo(message.text(system_language()), err=True)
    if speaks:
        typer.echo(str(folder))
    return 0
