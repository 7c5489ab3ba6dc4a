"""What the two command lines share: options declared once, and help in the user's language.

The words of commands and options are in ``configs/messages/help.yaml`` and are found by name:
``help_station_inspect`` is a command's, ``help_station_inspect_battery`` an option's or, where
several commands have it, ``help_option_battery``; ``exit_1_station_inspect`` is what the command
means by exit code 1.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer
import yaml

# The library brings click along under a name of its own; only this class has none outside.
from typer._click.formatting import HelpFormatter as TyperFormatter
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

import inspection
from inspection.paths import config_path

DeviceOption = Annotated[Literal["auto", "cpu", "cuda"], typer.Option("--device")]
JsonOption = Annotated[bool, typer.Option("--json")]
LanguageOption = Annotated[Literal["en", "ko"] | None, typer.Option("--language")]


def _use_site(folder: Path | None) -> Path | None:
    if folder is not None:
        from inspection.site import use_site
        from inspection.systems.site_schema import check_site

        # Ahead of the command itself, which reads its configuration through the site.
        use_site(folder)
        check_site()
    return folder


SiteOption = Annotated[
    Path | None, typer.Option("--site", envvar="STATION_SITE", callback=_use_site)
]

FILLER = "\N{ZERO WIDTH SPACE}"
"""Stands behind a letter that takes two cells, so that counting letters counts cells."""


def _show_version(context: typer.Context, asked: bool) -> None:
    if asked:
        typer.echo(f"{context.find_root().info_name} {inspection.__version__}")
        raise typer.Exit


VersionOption = Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True)]


def new_program() -> typer.Typer:
    """Return a command line without commands."""
    return typer.Typer(
        rich_markup_mode=None,
        context_settings={
            "help_option_names": ["-h", "--help"],
            # As wide as the terminal is; the library stops at 80.
            "max_content_width": 1000,
        },
    )


def put_words(command: TyperCommand | TyperGroup, program: str, language: str) -> None:
    """Word a program's help, and show its values without the names of Python's types."""
    path = config_path("messages/help.yaml")
    catalogue = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    words = {code: entry[language] for code, entry in catalogue.items()}
    of_library = {
        entry["en"]: entry[language]
        for code, entry in catalogue.items()
        if code.startswith("help_heading_")
    }

    class Formatter(HelpFormatter):
        own_words = of_library

    class Context(typer.Context):
        formatter_class = Formatter

    for code, part in _all_commands(program, command):
        part.context_class = Context
        part.help = words.get(f"help_{code}", part.help)
        if not isinstance(part, TyperGroup):
            part.epilog = _exit_codes(words, code)
        for parameter in part.params:
            assert isinstance(parameter, TyperArgument | TyperOption)
            shared = words.get(f"help_option_{parameter.name}", parameter.help)
            parameter.help = words.get(f"help_{code}_{parameter.name}", shared)
            parameter.metavar = parameter.metavar or _value_name(parameter)


def _all_commands(
    code: str, command: TyperCommand | TyperGroup
) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    yield code, command
    if isinstance(command, TyperGroup):
        for name, part in command.commands.items():
            assert isinstance(part, TyperCommand | TyperGroup)
            yield from _all_commands(f"{code}_{name}", part)


def _exit_codes(words: Mapping[str, str], command: str) -> str:
    codes = {0: "exit_0", 1: f"exit_1_{command}", 2: "exit_2", 130: "exit_130"}
    lines = [f"  {number:<4} {words[code]}" for number, code in codes.items() if code in words]
    # The library does not wrap a paragraph that begins with this letter.
    return "\n".join(["\b", f"{words['help_exit_codes']}:", *lines])


def _value_name(parameter: TyperArgument | TyperOption) -> str:
    if isinstance(parameter, TyperArgument):
        name = parameter.name.upper()
        return name.removesuffix("S") if parameter.nargs != 1 else name
    if parameter.type_descriptor.choices:
        return "|".join(parameter.type_descriptor.choices)
    kind: Any = parameter.type_descriptor.annotation
    for inner in get_args(kind):
        kind = inner
    return {Path: "PATH", int: "N", float: "X"}.get(kind, "TEXT")


class HelpFormatter(TyperFormatter):
    """Wraps Korean, whose letters are twice as wide as others, and shows arguments plainly."""

    own_words: Mapping[str, str]

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the first line; the library puts required arguments in braces."""
        super().write_usage(prog, args.translate({ord("{"): None, ord("}"): None}), prefix)

    def write_text(self, text: str) -> None:
        """Write a paragraph."""
        super().write_text(_filled(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], *_more: Any) -> None:
        """Write two columns; the library puts a type behind an argument's name."""
        super().write_dl([(name.partition(" <")[0], _filled(text)) for name, text in rows])

    def getvalue(self) -> str:
        """Return the help, the library's own words in the same language."""
        text = super().getvalue().replace(FILLER, "")
        for english, translated in self.own_words.items():
            text = text.replace(english, translated)
        return text


def _filled(text: str) -> str:
    return "".join(
        letter + FILLER if unicodedata.east_asian_width(letter) in "WF" else letter
        for letter in text
    )
