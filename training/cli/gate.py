"""``trainer gate``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from inspection.commands import DeviceOption, LanguageOption, SiteOption
from training.cli.options import DataOption, SplitOption


def gate(
    model: Path,
    data: DataOption = None,
    check: Annotated[list[Path] | None, typer.Option("--check", metavar="LOT")] = None,
    split: SplitOption = None,
    device: DeviceOption = "auto",
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Fit a model's gate on the lots it was trained on and write it into its folder."""
    from inspection.config import load_gate
    from inspection.console import system_language
    from inspection.errors import ConfigError
    from inspection.gate.references import GATE_FILE
    from inspection.images.grey import GreyLevels
    from inspection.messages import Message
    from inspection.modelstore.bundle import WEIGHTS_NAME, load_bundle
    from inspection.modelstore.bundle_writing import rewrite_bundle
    from inspection.modelstore.seen import also_seen
    from inspection.systems.ensemble.detectors import load_predictor
    from inspection.systems.lane import resolve_device
    from training.evaluation.evaluate import select_data
    from training.gate.fit import fit_gate
    from training.gate.look import MOST, false_alarms, look_at, out_of_place

    if (split is None) == (not check) or (split is None) == (not data):
        raise ConfigError("gate_needs_lots")
    taught = select_data(data or [], split, "train")
    others = select_data(check or [], split, "val")
    bundle = load_bundle(model)
    predictor = load_predictor(bundle, resolve_device(device))
    blurred = load_gate().blurred.limit
    with tempfile.TemporaryDirectory() as cache:
        predictor.accelerate(Path(cache))
        levels = bundle.manifest.grey_levels
        reference = GreyLevels(levels.air, levels.body) if levels else None
        seen, _ = look_at(predictor, taught, reference, MOST)
        held_out, some = look_at(predictor, others, reference)
        weights = bundle.manifest.files[WEIGHTS_NAME]
        fitted = fit_gate(seen, held_out, weights, taught.name, others.name)
        figures = [
            *false_alarms(seen, held_out, blurred),
            *out_of_place(predictor, fitted, some, blurred),
        ]
    sources = [ref.source for part in (taught, others) for ref in part.images()]
    files = {GATE_FILE: fitted.to_bytes(), **also_seen(bundle, sources)}
    rewrite_bundle(bundle, files, gate_file=GATE_FILE)
    words = language or system_language()
    for figure in figures:
        params = {"caught": figure.caught, "tried": figure.tried}
        typer.echo(Message(code=figure.name, params=params).text(words))
    return 0
