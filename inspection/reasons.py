"""``configs/reasons.yaml``: the reasons that are offered to whoever decides on a battery."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, RootModel

from inspection.config import Config, load_config
from inspection.messages import Language
from inspection.paths import config_path
from inspection.results import Kind
from inspection.site import Site, current_site

DecidedKind = Literal["normal", "internal_defect", "external_defect", "composite_defect"]
Occasion = Literal["decide", "override", "change"]
"""What is decided on: what the station left open, what it judged otherwise, what stood already."""
Sentence = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S[^\r\n]*$")]


class Reason(Config):
    """One reason; the file's own head says what each key is for."""

    words: Annotated[dict[Language, Sentence], Field(min_length=2)]
    kinds: tuple[DecidedKind, ...]
    actions: tuple[Occasion, ...]


class _ReasonFile(RootModel[dict[str, Reason]]):
    pass


@dataclass(frozen=True, eq=False)
class Reasons:
    """The reasons in the order of the file."""

    rows: Mapping[str, Reason]

    def offered(self, kind: Kind, occasion: Occasion, language: Language) -> list[str]:
        """Return what is offered to whoever decides on ``kind``."""
        return [
            reason.words[language]
            for reason in self.rows.values()
            if kind in reason.kinds and occasion in reason.actions
        ]

    def told(self, reason: str, language: Language) -> str:
        """Return a reason that was kept in the words of a language; one's own words as they are."""
        for row in self.rows.values():
            if reason in row.words.values():
                return row.words[language]
        return reason


def load_reasons(path: Path, section: str | None = None) -> Reasons:
    """Return a list of reasons; ``section`` is where the site's reasons over it are.

    Raises
    ------
    ConfigError
        If the file is missing, malformed, or a reason is wrong.
    """
    return Reasons(load_config(path, _ReasonFile, section).root)


def reasons() -> Reasons:
    """Return the reasons that count here, the site's over the program's; read once."""
    return _reasons(current_site())


@functools.lru_cache(maxsize=1)
def _reasons(_site: Site | None) -> Reasons:
    return load_reasons(config_path("reasons.yaml"), "reasons")
