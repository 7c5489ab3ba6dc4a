"""``station log``: what was done at the station, from its sealed log; and a line in it."""

from __future__ import annotations

import getpass
import json
from typing import Any

import typer

from app.cli.terminal import print_table, say
from inspection.console import system_language
from inspection.errors import SealError
from inspection.seals.chain import ChainLine
from inspection.seals.log import HEADED, Event, StationLog, lost_in

ALTERED = 1
DASH = "–"
UNTOLD = frozenset(
    {"person", "account", "users", "users_before", "policy", "params", "found", HEADED}
    | {"began", "hash", "folder", "sequence"}
)
"""Details that only programs read."""
DETAILS = frozenset(
    {"purpose", "why", "version", "name", "before", "after", "installed", "removed", "parts"}
    | {"run_id", "digest", "key_in_it", "sessions", "bytes", "user", "role", "first", "unlocked"}
    | {"known", "what", "shortened", "files", "decided"}
)
"""Details that have a word in either language; those of a newer program are told as they are."""
WORDED = {
    "purpose": frozenset({"screen", "second_person", "signature", "new_pin", "command", "release"}),
    "why": frozenset({"locked", "idle", "closed"}),
    "what": frozenset({"users_altered", "users_gone", "log_cut", "log_head_gone"}),
}
"""Details whose values are words of the program, which have one in either language too."""


def show_log(last: int | None, *, as_json: bool) -> int:
    """Print the station's log, oldest first; return 1 where it is not as it was written.

    Parameters
    ----------
    last : only so many lines, the newest
    """
    lines: list[ChainLine] = []
    problems = []
    for _, scan in StationLog().scan():
        lines += scan.lines
        problems += [*scan.problems, *lost_in(scan.lines), *scan.clock]
    if (lost := StationLog().lost()) is not None:
        problems.append(lost)
    lines = lines[-last:] if last else lines
    if as_json:
        documents = [line.model_dump(mode="json") for line in lines]
        typer.echo(json.dumps(documents, indent=2, ensure_ascii=False))
    else:
        columns = [say(f"log_column_{name}") for name in ("time", "event", "person", "details")]
        print_table(columns, [_row(line) for line in lines])
    for problem in problems:
        typer.echo(problem.text_with_hint(system_language()), err=True)
    return ALTERED if problems else 0


def record(event: Event, **details: Any) -> None:
    """Write a line of the station's log in the name of the account that the command runs under.

    A log that cannot be written is told; what was done already stays done.
    """
    try:
        StationLog().append(event, None, account=getpass.getuser(), **details)
    except SealError as error:
        typer.echo(error.text(system_language()), err=True)


def _row(line: ChainLine) -> tuple[str, ...]:
    person = line.content.get("person")
    who = person["name"] if isinstance(person, dict) else str(line.content.get("account", DASH))
    told = {name: value for name, value in line.content.items() if name not in UNTOLD}
    details = ", ".join(_detail(name, value, line.event) for name, value in told.items())
    return f"{line.at.astimezone():%Y-%m-%d %H:%M:%S}", say(f"log_{line.event}"), who, details


def _detail(name: str, value: object, event: str) -> str:
    word = say(f"log_detail_{name}") if name in DETAILS else name
    return f"{word} {_plain(name, value, event)}"


def _plain(name: str, value: object, event: str) -> str:
    if isinstance(value, bool):
        return say("log_value_yes" if value else "log_value_no")
    if name == "role" or (name == "before" and event == "user_changed"):
        return say(f"role_{value}")
    if isinstance(value, str) and value in WORDED.get(name, ()):
        return say(f"log_value_{value}")
    if name == "decided" and isinstance(value, dict):
        return str(value.get("battery_id", DASH))
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
