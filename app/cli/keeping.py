"""``station backup``, ``restore``, ``archive`` and ``keep``: what a station must not lose."""

from __future__ import annotations

from pathlib import Path

import typer

from app.cli.terminal import say
from app.folders import sessions_folder, station_parts
from inspection.config import load_keeping
from inspection.console import system_language
from inspection.errors import ArchiveError, SessionError
from inspection.keeping.backup import back_up, pack_session, restore
from inspection.keeping.retention import Removal, keep_rule
from inspection.keeping.space import GIB
from inspection.names import told_name
from inspection.seals.keys import fingerprint
from inspection.session.files import is_session

NOT_REMOVED = 1


def write_backup(out: Path, sessions: Path | None, *, with_key: bool) -> None:
    """Back the station up into a zip."""
    try:
        manifest = back_up(out, sessions_folder(sessions), station_parts(with_key=with_key))
    except OSError as error:
        raise _disk(out, error) from error
    typer.echo(say("backup_written", path=str(out), count=len(manifest.files)))
    if with_key:
        typer.echo(say("backup_holds_key"), err=True)


def bring_back(archive: Path, sessions: Path | None, *, replace: bool) -> None:
    """Restore the station from a zip."""
    try:
        done = restore(archive, sessions_folder(sessions), station_parts(), replace=replace)
    except OSError as error:
        problem = error.strerror or str(error)
        name = told_name(str(archive))
        raise ArchiveError("backup_not_restored", path=name, problem=problem) from error
    when = f"{done.manifest.made_at.astimezone():%Y-%m-%d %H:%M}"
    key = fingerprint(done.manifest.key)
    typer.echo(say("backup_restored", count=len(done.sessions), time=when, key=key))
    if done.present:
        typer.echo(say("backup_sessions_present", count=len(done.present)))
    for path in done.set_aside:
        typer.echo(say("backup_set_aside", path=str(path)))


def archive_session(session: Path, out: Path) -> None:
    """Pack a session into one sealed zip."""
    if not is_session(session):
        raise SessionError("session_missing", session=session.name)
    try:
        manifest = pack_session(session.resolve(), out)
    except OSError as error:
        raise _disk(out, error) from error
    typer.echo(say("session_packed", path=str(out), key=fingerprint(manifest.key)))


def keep_evidence(sessions: Path | None, *, dry_run: bool) -> int:
    """Remove the evidence whose time has come by the site's rule; tell what comes next."""
    rule = load_keeping().evidence
    if rule.max_days is None and rule.max_gib is None:
        typer.echo(say("retention_none"))
        return 0
    kept = keep_rule(sessions_folder(sessions), dry_run=dry_run)
    for removal in kept.removed:
        typer.echo(say("retention_removed", **_told(removal)))
    for removal in kept.coming:
        due = f"{removal.due.astimezone():%Y-%m-%d %H:%M}"
        typer.echo(say(f"retention_due_{removal.why}", **_told(removal), time=due))
    for problem in kept.problems:
        typer.echo(problem.text(system_language()), err=True)
    if not (kept.removed or kept.coming or kept.problems):
        typer.echo(say("retention_nothing"))
    return NOT_REMOVED if kept.problems else 0


def _told(removal: Removal) -> dict[str, str]:
    return {"session": removal.folder.name, "size": f"{removal.size / GIB:.2f}"}


def _disk(path: Path, error: OSError) -> ArchiveError:
    if not path.parent.is_dir():
        return ArchiveError("archive_folder_missing", folder=told_name(str(path.parent)))
    problem = error.strerror or str(error)
    return ArchiveError("archive_disk", path=told_name(str(path)), problem=problem)
