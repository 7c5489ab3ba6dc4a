"""``trainer evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from inspection.commands import DeviceOption, JsonOption, SiteOption
from training.cli.options import (
    ConfigOption,
    DataOption,
    NormalOption,
    OutFolderOption,
    PartOption,
    SplitOption,
)


def evaluate(
    models: Path,
    data: DataOption = None,
    split: SplitOption = None,
    part: PartOption = "test",
    out: OutFolderOption = None,
    config: ConfigOption = None,
    policy: Annotated[Path | None, typer.Option("--policy", metavar="FILE")] = None,
    site: SiteOption = None,
    language: Annotated[Literal["en", "ko"], typer.Option("--language")] = "en",
    masks: Literal["same-stem"] | None = None,
    normal: NormalOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> int:
    """Judge labelled images with every model of a folder, as the station would, and say how well.

    Prints the figures, F1 first, with 95 % intervals over batteries; --out writes the report. A
    model trained on a plain folder (--normal) is judged on a plain folder: a subfolder of defective
    images for each kind of defect.
    """
    from inspection.config import load_inspector
    from inspection.errors import ConfigError
    from training.autoencoder.folders import read_held_out
    from training.evaluation.config import load_evaluation
    from training.evaluation.text import flat, summary

    lots = data or []
    taught = {line.split("/")[0] for line in read_held_out(models) or []}
    # A model that was taught on a plain folder judges lots too.
    plain = any((folder / name).is_dir() for folder in lots for name in taught)
    if masks or normal or plain:
        from inspection.atomic import write_atomic
        from training.autoencoder.plain_folder import evaluate_folder

        if len(lots) != 1:
            raise ConfigError("evaluate_one_folder", found=len(lots))
        found = evaluate_folder(models, lots[0], masks, normal, device)
        figures = {"folder": lots[0].resolve().name, "models": {"rgb_ae": found}}
        lines = flat(figures)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            document = json.dumps(figures, indent=2, allow_nan=False)
            write_atomic(out / "evaluation.json", document + "\n")
    else:
        from training.evaluation.evaluate import evaluate as judge_lots
        from training.evaluation.evaluate import select_data

        settings, worst = load_evaluation(config), None
        if out is not None:
            from training.report.thumbnails import WorstBatteries

            worst = WorstBatteries(settings.report)
        evaluation = judge_lots(
            models,
            select_data(lots, split, part),
            device=device,
            config=settings,
            policy=load_inspector(policy) if policy else None,
            on_battery=worst,
        )
        figures, lines = evaluation.figures, summary(evaluation.figures)
        if out is not None and worst is not None:
            # Only here: it brings matplotlib.
            from training.report.write import write_report

            lines.append(str(write_report(evaluation, worst.batteries, out, language)))
    typer.echo(json.dumps(figures, indent=2, allow_nan=False) if as_json else "\n".join(lines))
    return 0
