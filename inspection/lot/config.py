"""``configs/lot.yaml``: how images are named at a site that follows neither known layout."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from inspection.config import Config, load_section
from inspection.errors import ConfigError
from inspection.paths import config_path
from inspection.records import Modality

LONGEST_MATCH_S = 0.5
"""For one name; an expression that takes longer tries every way to divide it up."""
_GROUPS = frozenset({"modality", "battery", "axis", "number", "type"})


class SitePattern(Config):
    """A regular expression on the path below the lot folder, written with ``/``.

    Named groups: ``battery`` (required), ``modality`` (unless ``modality`` is given beside the
    expression), ``axis``, ``number``, ``type``. It has to match the whole path; upper and lower
    case are the same.
    """

    name: str = Field(min_length=1)
    regex: str = Field(min_length=1, max_length=2000)
    modality: Modality | None = None
    # What the site calls the modalities where it is not "ct" and "rgb", e.g. {xray: ct}.
    modality_names: dict[str, Modality] = Field(default_factory=dict)

    @field_validator("regex")
    @classmethod
    def _compiles(cls, value: str) -> str:
        import regex  # `re` cannot be stopped; a line without patterns needs neither

        try:
            groups = regex.compile(value).groupindex
        except (regex.error, RecursionError, OverflowError, MemoryError) as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if "battery" not in groups:
            raise ValueError("the group (?P<battery>...) is missing")
        if unknown := sorted(set(groups) - _GROUPS):
            raise ValueError(f"unknown group {unknown[0]}; known: {', '.join(sorted(_GROUPS))}")
        return value

    @model_validator(mode="after")
    def _has_modality(self) -> Self:
        if self.modality is None and "modality" not in self._compiled.groupindex:
            raise ValueError("give the group (?P<modality>...) or the key modality")
        return self

    @cached_property
    def _compiled(self) -> Any:
        import regex

        return regex.compile(self.regex, regex.IGNORECASE)

    def match(self, path: str) -> Any:
        """Return the match of a whole path below the lot, or None.

        Raises
        ------
        ConfigError
            If the expression takes longer than any name is worth, as ``(a+)+$`` does.
        """
        try:
            return self._compiled.fullmatch(path, timeout=LONGEST_MATCH_S)
        except TimeoutError as error:
            raise ConfigError("lot_pattern_slow", pattern=self.name, path=path) from error

    def modality_of(self, match: Any) -> Modality | None:
        """Return the modality of a match, or None where its word is not known."""
        if self.modality is not None:
            return self.modality
        word = (match.group("modality") or "").casefold()
        names = {name.casefold(): modality for name, modality in self.modality_names.items()}
        known: dict[str, Modality] = {"ct": "ct", "rgb": "rgb", **names}
        return known.get(word)


class LotConfig(Config):
    """The site's patterns, tried in order before the known layouts."""

    patterns: tuple[SitePattern, ...] = ()


def load_lot_config(path: Path | None = None) -> LotConfig:
    """Return the intake's configuration, by default the installed one.

    Raises
    ------
    ConfigError
        If the file is missing, malformed, or a pattern is wrong.
    """
    file = path or config_path("lot.yaml")
    return load_section(file, LotConfig, "lot", with_site=path is None)
