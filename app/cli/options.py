"""Options of the station that several commands have, and the lists that some of them take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar, cast

import typer

Choice = TypeVar("Choice", bound=str)


def _existing_folder(path: Path | None) -> Path | None:
    if path is not None and not path.is_dir():
        from inspection.errors import ConfigError

        raise ConfigError("usage_models_no_folder", path=str(path))
    return path


ModelsOption = Annotated[Path | None, typer.Option("--models", callback=_existing_folder)]
InstallOption = Annotated[Path | None, typer.Option("--models")]
SessionsOption = Annotated[Path | None, typer.Option("--session-dir")]
BatteryOption = Annotated[list[str] | None, typer.Option("--battery")]


def parse_choices(option: str, text: str, choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """Return a comma-separated list, each one of ``choices``, without repeats.

    Raises
    ------
    ConfigError
        If the list is empty or names something else.
    """
    from inspection.errors import ConfigError

    names = dict.fromkeys(part.strip() for part in text.split(",") if part.strip())
    for name in names:
        if name not in choices:
            raise ConfigError(
                "usage_choice_unknown", option=option, given=name, choices=", ".join(choices)
            )
    if not names:
        raise ConfigError("usage_choice_missing", option=option, choices=", ".join(choices))
    return tuple(cast(Choice, name) for name in names)
