"""What a site sets: one folder of its own, whose ``site.yaml`` goes before the program's files.

Mappings are merged key by key, anything else is replaced; what the site leaves out stays as it
is. A recipe, ``recipes/NAME.yaml``, holds the same keys and lies over ``site.yaml``, which names
it under ``recipe``. The program's own files are never written, so that they can be exchanged.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspection.config_mistakes import key_error, nearest
from inspection.errors import ConfigError
from inspection.yaml_file import read_yaml

SITE_VARIABLE = "STATION_SITE"
SITE_NAME = "site.yaml"
RECIPES_NAME = "recipes"
RECIPE_KEY = "recipe"
LONGEST_RECIPE = 60
SECTIONS = (
    "inspector",
    "gate",
    "classes",
    "reasons",
    "lot",
    "vlm",
    "vlg",
    "people",
    "keeping",
    "volumes",
    "release",
)
"""What may be set: each the content of the program's file of that name."""


@dataclass(frozen=True, eq=False)
class Site:
    """The settings of a site.

    Parameters
    ----------
    folder : the site's
    recipe : which lies over ``site.yaml``; None where none is named
    files : what was read, the file that counts most last, with the content of each
    settings : all of them merged
    """

    folder: Path
    recipe: str | None
    files: dict[Path, Mapping[str, Any]]
    settings: Mapping[str, Any]

    def source_of(self, place: Sequence[str | int]) -> Path | None:
        """Return the file that sets a key, or what the key is missing in; None where none does."""
        # A key that is missing is in no file: then the nearest thing around it tells.
        for depth in range(len(place), 0, -1):
            for path, content in reversed(self.files.items()):
                if _reaches(content, place[:depth]):
                    return path
        return None

    def snapshot(self) -> dict[str, object]:
        """Return what a session keeps of it, nothing where nothing is set."""
        if not self.settings:
            return {}
        found = {"folder": str(self.folder), "recipe": self.recipe, "settings": self.settings}
        return {"site": found}


def use_site(folder: Path) -> None:
    """Have a site's settings count from here on, in worker processes too.

    Raises
    ------
    ConfigError
        If the folder has no ``site.yaml``, or a file in it is malformed or has an unknown key.
    """
    os.environ[SITE_VARIABLE] = str(folder.resolve())
    current_site()


def current_site() -> Site | None:
    """Return the site whose settings count, read once; None where none was chosen.

    Raises
    ------
    ConfigError
        As `use_site`.
    """
    chosen = os.environ.get(SITE_VARIABLE)
    return _read_site(Path(chosen)) if chosen else None


@functools.lru_cache(maxsize=1)
def _read_site(folder: Path) -> Site:
    path = folder / SITE_NAME
    if not path.is_file():
        raise ConfigError("site_missing", folder=str(folder))
    files: dict[Path, Mapping[str, Any]] = {}
    top = dict(_content(path))
    recipe = top.pop(RECIPE_KEY, None)
    files[path] = top
    if recipe is not None:
        # Even to ask for a file whose name is too long for the disk is an error.
        named = isinstance(recipe, str) and len(recipe) <= LONGEST_RECIPE
        if not named or Path(recipe).name != recipe:
            raise ConfigError(
                "config_invalid", name=str(path), field=RECIPE_KEY, problem="expected a name"
            )
        path = folder / RECIPES_NAME / f"{recipe}.yaml"
        if not path.is_file():
            raise ConfigError("recipe_missing", name=str(path), site=str(folder / SITE_NAME))
        files[path] = _content(path)
    settings: dict[str, Any] = {}
    for path, content in files.items():
        for key, value in content.items():
            if key not in SECTIONS:
                raise key_error(str(path), key, nearest(key, SECTIONS))
            if not isinstance(value, Mapping):
                raise ConfigError(
                    "config_invalid", name=str(path), field=key, problem="expected keys and values"
                )
        settings = merged(settings, content)
    return Site(folder, recipe, files, settings)


def _content(path: Path) -> Mapping[str, Any]:
    content = read_yaml(path, str(path))
    if content is None:
        return {}
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        raise ConfigError(
            "config_invalid", name=str(path), field=path.stem, problem="expected keys and values"
        )
    return content


def merged(below: Any, above: Any) -> Any:
    """Return two contents in one: mappings key by key, anything else from ``above``."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    common = {key: merged(below[key], above[key]) for key in below.keys() & above.keys()}
    return {**below, **above, **common}


def _reaches(content: Any, place: Sequence[str | int]) -> bool:
    for key in place:
        try:
            content = content[key]
        except (LookupError, TypeError):
            return False
    return True
