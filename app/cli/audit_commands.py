"""``station audit``: the commands as typer sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inspection.commands import JsonOption, LanguageOption, SiteOption

audit_app = typer.Typer(rich_markup_mode=None)


@audit_app.command("verify")
def verify(
    sessions: Annotated[list[Path] | None, typer.Argument(show_default=False)] = None,
    log: Annotated[bool, typer.Option("--log")] = False,
    lot: Annotated[Path | None, typer.Option("--lot", metavar="LOT")] = None,
    as_json: JsonOption = False,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Say of sessions, and of the station's log, whether they are as the station wrote them."""
    from app.cli.audit import verify

    return verify(sessions or [], with_log=log, lot=lot, as_json=as_json)


@audit_app.command("key")
def key(site: SiteOption = None, language: LanguageOption = None) -> int:
    """Show the fingerprint of the station's key."""
    from app.cli.audit import show_key

    show_key()
    return 0
