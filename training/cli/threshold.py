"""``trainer threshold``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from inspection.commands import LanguageOption, SiteOption
from training.cli.options import DataOption, PartOption, SplitOption


def threshold(
    model: Path,
    data: DataOption = None,
    split: SplitOption = None,
    part: PartOption = "val",
    method: Literal["mean_std", "percentile", "f1_max"] = "mean_std",
    k: float = 2.5,
    percentile: float = 95.0,
    value: Annotated[float | None, typer.Option("--value")] = None,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Compute an autoencoder's threshold anew, or take --value, and write it into its folder."""
    from inspection.errors import ConfigError
    from training.autoencoder.calibrate import choose_threshold, set_threshold
    from training.evaluation.evaluate import select_data

    if value is not None:
        if data or split:
            raise ConfigError("threshold_value_alone")
        typer.echo(f"{choose_threshold(model, value).threshold:.6g}")
        return 0
    rule = {"method": method, "k": k, "percentile": percentile}
    typer.echo(f"{set_threshold(model, rule, select_data(data or [], split, part)).threshold:.6g}")
    return 0
