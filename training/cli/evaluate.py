"""``trainer evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer


def evaluate(
    models: Annotated[Path, typer.Argument(help="Folder of model folders (ct_cnn, rgb_ae).")],
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="Labelled lot, never trained on; repeatable."),
    ] = None,
    split: Annotated[
        Path | None, typer.Option("--split", help="Split whose part is used instead.")
    ] = None,
    part: Annotated[str, typer.Option("--part", help="Part of the split.")] = "test",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for evaluation.html, .json and pictures.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="[default: configs/evaluation.yaml]")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="Fusion policy. [default: MODELS/inspector.yaml, if any]"),
    ] = None,
    language: Annotated[
        Literal["en", "ko"], typer.Option("--language", help="Of the report.")
    ] = "en",
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """Judge labelled images with every model of a folder, as the station would, and say how well.

    Prints the figures, F1 first, with 95 % intervals over batteries; --out writes the report.
    """
    from inspection.config import load_inspector
    from training.evaluate import evaluate as run
    from training.evaluate import select_data
    from training.evaluate_config import load_evaluation
    from training.evaluate_text import summary

    settings = load_evaluation(config)
    rules = load_inspector(policy) if policy else None
    chosen = select_data(data or [], split, part)
    if out is None:
        evaluation = run(models, chosen, device=device, config=settings, policy=rules)
        page = None
    else:
        from training.report.thumbnails import WorstBatteries
        from training.report.write import write_report

        worst = WorstBatteries(settings.report)
        evaluation = run(
            models, chosen, device=device, config=settings, policy=rules, on_battery=worst
        )
        page = write_report(evaluation, worst.batteries, out, language)
    if as_json:
        typer.echo(json.dumps(evaluation.figures, indent=2, allow_nan=False))
    else:
        typer.echo("\n".join([*summary(evaluation.figures), *([str(page)] if page else [])]))
    return 0
