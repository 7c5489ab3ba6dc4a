"""``trainer threshold``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def threshold(
    model: Annotated[Path, typer.Argument(help="Model folder of an autoencoder (…/rgb_ae).")],
    data: Annotated[Path, typer.Option("--data", help="Labelled validation lot.")],
    method: Annotated[str, typer.Option(help="mean_std, percentile or f1_max.")] = "mean_std",
    k: Annotated[float, typer.Option(help="For mean_std.")] = 2.5,
    percentile: Annotated[float, typer.Option(help="For percentile.")] = 95.0,
) -> int:
    """Compute an autoencoder's threshold anew and write it into its folder."""
    from training.calibrate import set_threshold

    rule = {"method": method, "k": k, "percentile": percentile}
    typer.echo(f"{set_threshold(model, rule, data).threshold:.6g}")
    return 0
