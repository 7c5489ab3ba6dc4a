"""YAML that somebody else wrote, read whole or refused: no larger or deeper than a configuration.

A few lines of YAML can stand for billions of values, each alias naming a list of aliases, and a
scalar can be anything that Python refuses to make of it. Both end in one sentence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from inspection.errors import ConfigError

LARGEST_FILE = 1 << 20
"""Bytes; the largest of the program's own has 8 thousand."""
DEEPEST = 32
MOST_VALUES = 100_000
"""With aliases written out."""


def read_yaml(path: Path, name: str | None = None) -> Any:
    """Return the content of a YAML file; ``name`` is how errors call it, by default its own.

    Raises
    ------
    ConfigError
        If the file is missing, cannot be read, is not YAML, or holds more than a configuration.
    """
    name = name or path.name
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ConfigError("config_no_file", name=name)
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise ConfigError("config_missing", name=name) from error
    except OSError as error:
        problem = error.strerror or str(error)
        raise ConfigError("config_not_opened", name=name, problem=problem) from error
    if len(data) > LARGEST_FILE:
        raise ConfigError("config_too_large", name=name, megabytes=LARGEST_FILE >> 20)
    try:
        return parse_yaml(data.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("config_unreadable", name=name, line=line) from error


def parse_yaml(text: str, name: str) -> Any:
    """Return what a YAML text says; ``name`` is how errors call it.

    Raises
    ------
    ConfigError
        If the text is not YAML, or holds more than a configuration.
    """
    try:
        if (line := _line_beyond(text)) is not None:
            raise ConfigError("config_beyond", name=name, line=line)
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise ConfigError("config_unreadable", name=name, line=line) from error
    except (ValueError, ArithmeticError, LookupError, AttributeError, TypeError) as error:
        # What PyYAML lets through of a value that Python has no room for: the 99th of a month, a
        # number of 5,000 digits, `!!bool perhaps`.
        raise ConfigError("config_value_wrong", name=name) from error


def _line_beyond(text: str) -> int | None:
    """Return the line on which a text gets too deep or too long; None where it does not."""
    # Of each open list or mapping: its anchor, and the values in it so far.
    opened: list[tuple[str | None, int]] = []
    anchored: dict[str, int] = {}
    count = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            within_itself = any(anchor == name for name, _ in opened)
            # One that names nothing is an error that loading tells.
            count += MOST_VALUES if within_itself else anchored.get(anchor or "", 0)
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((anchor, count))
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            name, before = opened.pop()
            if name is not None:
                anchored[name] = count - before
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if anchor is not None:
                anchored[anchor] = 1
        if count > MOST_VALUES or len(opened) > DEEPEST:
            return int(event.start_mark.line) + 1
    return None
