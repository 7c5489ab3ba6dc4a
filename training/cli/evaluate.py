"""``trainer evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inspection.commands import DeviceOption, JsonOption
from training.cli.options import (
    ConfigOption,
    DataOption,
    NormalOption,
    OutFolderOption,
    PartOption,
    SplitOption,
)

if TYPE_CHECKING:
    from inspection.messages import Language


def evaluate(
    models: Path,
    data: DataOption = None,
    split: SplitOption = None,
    part: PartOption = "test",
    out: OutFolderOption = None,
    config: ConfigOption = None,
    policy: Annotated[Path | None, typer.Option("--policy", metavar="FILE")] = None,
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
    from training.autoencoder.folders import read_held_out

    if masks or normal or read_held_out(models) is not None:
        figures, lines = _plain_folder(models, data or [], masks, normal, device, out)
    else:
        figures, lines = _lots(
            models, (data or [], split, part), (config, policy), out, language, device
        )
    typer.echo(json.dumps(figures, indent=2, allow_nan=False) if as_json else "\n".join(lines))
    return 0


def _lots(
    models: Path,
    images: tuple[list[Path], Path | None, str],
    settings: tuple[Path | None, Path | None],
    out: Path | None,
    language: Language,
    device: str,
) -> tuple[dict[str, Any], list[str]]:
    from inspection.config import load_inspector
    from training.evaluation.config import load_evaluation
    from training.evaluation.evaluate import evaluate as run
    from training.evaluation.evaluate import select_data
    from training.evaluation.text import summary

    config = load_evaluation(settings[0])
    rules = load_inspector(settings[1]) if settings[1] else None
    chosen = select_data(*images)
    if out is None:
        found = run(models, chosen, device=device, config=config, policy=rules)
        return found.figures, summary(found.figures)

    from training.report.thumbnails import WorstBatteries
    from training.report.write import write_report

    worst = WorstBatteries(config.report)
    found = run(models, chosen, device=device, config=config, policy=rules, on_battery=worst)
    page = write_report(found, worst.batteries, out, language)
    return found.figures, [*summary(found.figures), str(page)]


def _plain_folder(
    models: Path,
    data: list[Path],
    masks: Literal["same-stem"] | None,
    normal: str | None,
    device: str,
    out: Path | None,
) -> tuple[dict[str, Any], list[str]]:
    from inspection.atomic import write_atomic
    from inspection.errors import ConfigError
    from training.autoencoder.plain_folder import evaluate_folder
    from training.evaluation.text import flat

    if len(data) != 1:
        raise ConfigError("evaluate_one_folder", found=len(data))
    found = evaluate_folder(models, data[0], masks, normal, device)
    figures = {"folder": data[0].resolve().name, "models": {"rgb_ae": found}}
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_atomic(out / "evaluation.json", json.dumps(figures, indent=2, allow_nan=False) + "\n")
    return figures, flat(figures)
