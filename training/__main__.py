"""``trainer``: train and evaluate the station's models."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="Train and evaluate the models of the battery inspection station.",
    no_args_is_help=True,
)


@app.callback()
def trainer() -> None:
    """Set up the log of a run: plain lines on stderr."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="configs/cnn.yaml or an autoencoder's.")],
    data: Annotated[list[Path], typer.Option("--data", help="Lot to train on; repeatable.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the run and its model folder.")],
    val: Annotated[
        Path | None, typer.Option("--val", help="Lot to validate on. [default: a split of --data]")
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option("--init", help="Model folder to go on from. [default: random weights]"),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="training.epochs=3: a key of the configuration; repeatable."),
    ] = None,
) -> int:
    """Train a model and write its folder under OUT."""
    from training.config import CnnConfig, read_training_config

    settings = read_training_config(config, overrides or [])
    if isinstance(settings, CnnConfig):
        from training.loop import train_classifier

        bundle = train_classifier(settings, data, out, val, init)
    else:
        from training.autoencoder import train_autoencoder

        bundle = train_autoencoder(settings, data, out, val, init)
    typer.echo(str(bundle.folder))
    return 0


@app.command()
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


@app.command()
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


def main() -> int:
    """Run the command line."""
    from inspection.console import run

    return run(app, "trainer")


if __name__ == "__main__":
    sys.exit(main())
