"""``trainer evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def evaluate(
    models: Annotated[Path, typer.Argument(help="Folder of model folders (ct_cnn, rgb_ae).")],
    data: Annotated[Path, typer.Option("--data", help="Labelled lot, never trained on.")],
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """Judge a labelled lot with every model of a folder and print the figures."""
    from training.evaluate import evaluate_models

    figures = evaluate_models(models, data, device)
    typer.echo(json.dumps(figures, indent=2) if as_json else "\n".join(_lines(figures)))
    return 0


def _lines(figures: dict[str, Any], prefix: str = "") -> list[str]:
    """Return one ``name value`` line per figure."""
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict):
            lines += _lines(value, f"{prefix}{name}.")
        else:
            shown = f"{value:.4f}" if isinstance(value, float) else value
            lines.append(f"{prefix}{name} {shown}")
    return lines
