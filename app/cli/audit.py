"""``station audit``: whether sessions and the station's log are as the station wrote them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from app.cli.terminal import say
from inspection.console import system_language
from inspection.errors import ArchiveError, SessionError
from inspection.keeping.backup import unpack_session
from inspection.lot.scan import scan_lot
from inspection.messages import Message
from inspection.records import Lot
from inspection.seals.keys import fingerprint, station_key, trusted_fingerprints
from inspection.seals.log import StationLog, lost_in
from inspection.session.prints import changed_in
from inspection.session.seal import SealReport, SealState
from inspection.session.store import SessionStore
from inspection.session.verify import verify_session

WRONG = 1


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of a session or of the log.

    Parameters
    ----------
    images : images of the lot that changed since they were inspected
    """

    name: str
    report: SealReport
    images: tuple[Message, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """True where nothing has to be looked at."""
        return not self.report.problems and not self.images


def verify(sessions: Sequence[Path], *, with_log: bool, lot: Path | None, as_json: bool) -> int:
    """Print what can be vouched for; return 1 where something cannot.

    Raises
    ------
    SessionError
        If neither a session nor the log is named, or a folder holds no session.
    """
    if not sessions and not with_log:
        raise SessionError("audit_nothing_named")
    scanned = scan_lot(lot) if lot is not None else None
    found = [_check(path, scanned) for path in sessions]
    if with_log:
        found.append(Verified(str(StationLog().folder), _verify_log()))
    if as_json:
        typer.echo(json.dumps([_as_json(one) for one in found], indent=2, ensure_ascii=False))
    else:
        for one in found:
            _print(one)
        typer.echo(say("audit_scope"))
    return 0 if all(one.passed for one in found) else WRONG


def show_key() -> None:
    """Print the fingerprint of the station's key, as ``keeping.trusted_keys`` takes it."""
    typer.echo(fingerprint(station_key().public))


def _check(path: Path, lot: Lot | None) -> Verified:
    if path.suffix.lower() != ".zip":
        return Verified(str(path), verify_session(path), _changed(path, lot))
    # Unpacked anew: what is asked is how the zip is, not a copy that was made of it once.
    with tempfile.TemporaryDirectory() as place:
        try:
            folder = unpack_session(path, Path(place))
        except ArchiveError as error:
            return Verified(str(path), SealReport("altered", (error.message,), (), 0))
        return Verified(str(path), verify_session(folder), _changed(folder, lot))


def _changed(folder: Path, lot: Lot | None) -> tuple[Message, ...]:
    if lot is None:
        return ()
    with SessionStore.open(folder, read_only=True) as store:
        return tuple(changed_in(store, lot, digests=True))


def _verify_log() -> SealReport:
    problems: list[Message] = []
    clock: list[Message] = []
    keys: dict[str, None] = {}
    count = 0
    for _, scan in StationLog().scan():
        problems += scan.problems
        problems += lost_in(scan.lines)
        clock += scan.clock
        count += len(scan.lines)
        keys |= dict.fromkeys(fingerprint(line.key) for line in scan.lines if line.key)
    if (lost := StationLog().lost()) is not None:
        problems.append(lost)
    state: SealState = "sealed"
    if problems:
        state = "altered"
    elif not trusted_fingerprints().issuperset(keys):
        state = "unknown_key"
    return SealReport(state, (*problems, *clock), tuple(keys), count)


def _print(one: Verified) -> None:
    language = system_language()
    typer.echo(f"{one.name}: {one.report.message.text(language)}")
    for key in one.report.keys:
        typer.echo(f"  {key}")
    if one.report.since is not None:
        since = f"{one.report.since.astimezone():%Y-%m-%d %H:%M}"
        typer.echo(f"  {say('audit_sealed_since', since=since)}")
    for problem in (*one.report.problems, *one.images):
        typer.echo(f"  {problem.text_with_hint(language)}")


def _as_json(one: Verified) -> dict[str, object]:
    language = system_language()
    return {
        "name": one.name,
        "state": one.report.state,
        "passed": one.passed,
        "lines": one.report.lines,
        "keys": list(one.report.keys),
        "sealed_since": one.report.since.isoformat() if one.report.since else None,
        "problems": [{**p.model_dump(), "text": p.text(language)} for p in one.report.problems],
        "images": [{**p.model_dump(), "text": p.text(language)} for p in one.images],
    }
