"""``trainer threshold``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import typer

from inspection.commands import LanguageOption
from training.cli.options import DataOption, PartOption, SplitOption


def threshold(
    model: Path,
    data: DataOption = None,
    split: SplitOption = None,
    part: PartOption = "val",
    method: Literal["mean_std", "percentile", "f1_max"] = "mean_std",
    k: float = 2.5,
    percentile: float = 95.0,
    language: LanguageOption = None,
) -> int:
    """Compute an autoencoder's threshold anew and write it into its folder."""
    from training.autoencoder.calibrate import set_threshold
    from training.evaluation.evaluate import select_data

    rule = {"method": method, "k": k, "percentile": percentile}
    typer.echo(f"{set_threshold(model, rule, select_data(data or [], split, part)).threshold:.6g}")
    return 0
