"""``trainer threshold``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def threshold(
    model: Annotated[Path, typer.Argument(help="Model folder of an autoencoder (…/rgb_ae).")],
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="Labelled validation lot; repeatable.")
    ] = None,
    split: Annotated[
        Path | None, typer.Option("--split", help="Split whose part is used instead.")
    ] = None,
    part: Annotated[str, typer.Option("--part", help="Part of the split.")] = "val",
    method: Annotated[str, typer.Option(help="mean_std, percentile or f1_max.")] = "mean_std",
    k: Annotated[float, typer.Option(help="For mean_std.")] = 2.5,
    percentile: Annotated[float, typer.Option(help="For percentile.")] = 95.0,
) -> int:
    """Compute an autoencoder's threshold anew and write it into its folder."""
    from training.evaluation.calibrate import set_threshold
    from training.evaluation.evaluate import select_data

    rule = {"method": method, "k": k, "percentile": percentile}
    typer.echo(f"{set_threshold(model, rule, select_data(data or [], split, part)).threshold:.6g}")
    return 0
