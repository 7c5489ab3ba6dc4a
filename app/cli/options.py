"""Options shared by the commands, checked with one sentence."""

from __future__ import annotations

from typing import TypeVar, cast

import typer

from inspection.console import system_language
from inspection.messages import Language

Choice = TypeVar("Choice", bound=str)


def parse_choices(option: str, text: str, choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """Return a comma-separated list, each one of ``choices``, without repeats.

    Raises
    ------
    typer.BadParameter
        If the list is empty or names something else.
    """
    names = dict.fromkeys(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in names if name not in choices]
    if unknown or not names:
        wrong = f"{unknown[0]!r} is not one of" if unknown else "give at least one of"
        raise typer.BadParameter(f"{option}: {wrong} {', '.join(choices)}.")
    return tuple(cast(Choice, name) for name in names)


def parse_language(text: str | None) -> Language:
    """Return ``en`` or ``ko``, by default the system's."""
    if text is None:
        return system_language()
    return parse_choices("--language", text, ("en", "ko"))[0]
