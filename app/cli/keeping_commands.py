"""``station archive``, ``backup``, ``restore`` and ``keep``: the commands as typer sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import SessionsOption
from inspection.commands import LanguageOption, SiteOption


def archive(
    session: Path,
    out: Annotated[Path, typer.Argument(metavar="FILE")],
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Pack a session into one sealed zip."""
    from app.cli.keeping import archive_session

    archive_session(session, out)
    return 0


def backup(
    out: Annotated[Path, typer.Argument(metavar="FILE")],
    without_key: Annotated[bool, typer.Option("--without-key")] = False,
    session_dir: SessionsOption = None,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Back up sessions, people, log, settings, site and key into one sealed zip."""
    from app.cli.keeping import write_backup

    write_backup(out, session_dir, with_key=not without_key)
    return 0


def restore(
    file: Path,
    replace: Annotated[bool, typer.Option("--replace")] = False,
    session_dir: SessionsOption = None,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Bring a backup back; nothing that is there is overwritten."""
    from app.cli.keeping import bring_back

    bring_back(file, session_dir, replace=replace)
    return 0


def keep(
    dry_run: Annotated[bool, typer.Option("--dry-run")] = False,
    session_dir: SessionsOption = None,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Remove the evidence pictures that the site's rule takes, announced before."""
    from app.cli.keeping import keep_evidence

    return keep_evidence(session_dir, dry_run=dry_run)
