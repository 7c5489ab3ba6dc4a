"""What is wrong with a configuration, in one line: its line, the key, and the key meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from inspection.errors import ConfigError

Place = tuple[int | str, ...]
"""Keys, and indices of lists, from the top of a file down to a value."""
NEAR = 0.6
"""Likeness of two keys from which one may be meant by the other."""


def config_error(
    error: ValidationError,
    name: str,
    *,
    schema: type[BaseModel] | None = None,
    lines: Lines | None = None,
) -> ConfigError:
    """Return the first thing that is wrong with a configuration.

    Parameters
    ----------
    name : its file's, or what stands for it
    schema : what it was validated against; then the key that was meant is named
    lines : of the file; then the line is named
    """
    first = error.errors()[0]
    # A check of several keys says itself which one is to be changed.
    within = first.get("ctx", {}).get("within", ())
    place = (*first["loc"], *within)
    field = ".".join(map(str, place)) or Path(name).stem
    where = lines.name_of(name, place) if lines else name
    if first["type"] != "extra_forbidden":
        problem = first["msg"].removeprefix("Value error, ")
        return ConfigError("config_invalid", name=where, field=field, problem=problem)
    return key_error(where, field, nearest_key(schema, place) if schema else None)


def key_error(where: str, field: str, meant: str | None) -> ConfigError:
    """Return what is said of a key that is not known, and of the one that was meant."""
    if meant is None:
        return ConfigError("config_key_unknown", name=where, field=field)
    return ConfigError("config_key_near", name=where, field=field, meant=meant)


def nearest_key(schema: type[BaseModel], place: Place) -> str | None:
    """Return the key of a schema that was meant by one that it does not have.

    One of that very name in another section, so that ``epochs`` leads to ``training.epochs``; else
    the one most like it in the same section; else in any.
    """
    *above, last = map(str, place)
    known = list(_keys(schema))
    beside = nearest(last, [name for *parts, name in known if parts == above])
    name = last if any(key[-1] == last for key in known) else None
    if name is None and beside:
        return ".".join([*above, beside])
    name = name or nearest(last, [key[-1] for key in known])
    return ", ".join(".".join(key) for key in known if key[-1] == name) or None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like another one; None where none is like it."""
    # A hyphen for an underscore, or a capital, is no other word.
    plain = {item.casefold().replace("_", ""): item for item in known}
    wanted = word.casefold().replace("_", "").replace("-", "")
    found = difflib.get_close_matches(wanted, plain, 1, NEAR)
    return plain[found[0]] if found else None


def _keys(schema: type[BaseModel], above: tuple[str, ...] = ()) -> Iterable[tuple[str, ...]]:
    for name, field in schema.model_fields.items():
        yield (*above, name)
        for kind in _models(field.annotation):
            yield from _keys(kind, (*above, name))


def _models(annotation: Any) -> Iterable[type[BaseModel]]:
    if get_origin(annotation) is not None:
        for inner in get_args(annotation):
            yield from _models(inner)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation


@dataclass(frozen=True, slots=True)
class Lines:
    """Where a configuration says what.

    Parameters
    ----------
    numbers : line of each key, counted from 1
    options : by the key that it sets, an option of the command
    """

    numbers: Mapping[Place, int]
    options: Mapping[Place, str]

    def name_of(self, name: str, place: Place) -> str:
        """Return ``file:line`` of a key, or the option that set it."""
        upwards = [place[:depth] for depth in range(len(place), 0, -1)]
        for key in upwards:
            if key in self.options:
                return self.options[key]
        if place not in self.numbers:
            # A section that only options have made.
            for key, option in self.options.items():
                if place and key[: len(place)] == place:
                    return option
        # A key that is missing is in no line: then what it is missing in.
        found = [self.numbers[key] for key in upwards if key in self.numbers]
        return f"{name}:{found[0]}" if found else name


def lines_of(text: str) -> dict[Place, int]:
    """Return the line of every key of a YAML text that was read before."""
    numbers: dict[Place, int] = {}
    waiting: list[tuple[Place, Any]] = [((), yaml.compose(text, Loader=yaml.CSafeLoader))]
    while waiting:
        place, node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                below = (*place, key.value)
                numbers.setdefault(below, key.start_mark.line + 1)
                waiting.append((below, value))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                numbers.setdefault((*place, index), value.start_mark.line + 1)
                waiting.append(((*place, index), value))
    return numbers
