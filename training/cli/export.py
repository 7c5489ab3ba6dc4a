"""``trainer export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inspection.commands import LanguageOption, SiteOption


def export(
    runs: list[Path],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER")],
    inspector: Annotated[Path | None, typer.Option("--inspector", metavar="FILE")] = None,
    force: Annotated[bool, typer.Option("--force")] = False,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Install the models of training runs into a models folder."""
    from inspection.console import system_language
    from inspection.messages import Message
    from inspection.modelstore.folders import ModelFolders
    from inspection.modelstore.listing import slot_state
    from training.export import export_runs

    done = export_runs(runs, out, inspector, force=force)
    for bundle in done.bundles:
        typer.echo(f"{bundle.folder}  sha256 {bundle.sha256}")
        told = slot_state(ModelFolders((out,)), bundle.manifest.slot).unrecorded
        if told is not None:
            # It has taken the place of a released one.
            typer.echo(told.text_with_hint(system_language()), err=True)
    if done.policy is not None:
        typer.echo(str(done.policy))
    if done.policy_kept:
        kept = Message(code="export_policy_kept", params={"path": str(done.policy)})
        typer.echo(kept.text(system_language()), err=True)
    return 0
