"""``trainer fuse``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inspection.commands import DeviceOption, LanguageOption, SiteOption
from training.cli.options import ConfigOption, DataOption, PartOption, SplitOption


def fuse(
    models: Path,
    out: Annotated[Path, typer.Option("--out", metavar="FILE")],
    data: DataOption = None,
    split: SplitOption = None,
    part: PartOption = "val",
    methods: Annotated[list[str] | None, typer.Option("--method", metavar="NAME")] = None,
    max_escape: Annotated[float, typer.Option("--max-escape", min=0.0, max=1.0)] = 0.0,
    top: Annotated[int, typer.Option("--top", min=1)] = 10,
    config: ConfigOption = None,
    device: DeviceOption = "auto",
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Search the fusion policy on validation batteries and write it as inspector.yaml.

    Fewest escapes first, then the lowest overkill, then the highest F1 of defect verdicts, then the
    middle of the plateau. The grid is in configs/evaluation.yaml.
    """
    from inspection.config import find_policy
    from training.evaluation.config import load_evaluation, with_methods
    from training.evaluation.evaluate import judge, select_data
    from training.evaluation.fuse import Limits, search
    from training.evaluation.fuse_policy import aligned, table, write_policy

    grid = with_methods(load_evaluation(config).fusion, methods or [])
    current = find_policy(models).inspector
    chosen = select_data(data or [], split, part)
    judged, bundles = judge(models, chosen, current, device)
    limits = Limits(max_escape, grid.max_overkill)
    found = search(judged, grid, current, limits)
    # The policy names the models that it was found for.
    digests: dict[str, str] = {slot: bundle.sha256 for slot, bundle in bundles.items()}
    write_policy(out, found, digests, chosen.name, limits)
    typer.echo("\n".join([*aligned(table(found, top)), str(out)]))
    return 0
