"""The evaluation as plain worded data for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inspection.messages import Language, Message
from inspection.modelstore.bundle import Slot
from inspection.report.pictures import Jpeg
from inspection.report.view import Figure, Label
from inspection.report.words import NONE
from inspection.report.words import Words as StationWords

PICTURES = ("confusion", "precision_recall", "roc", "scores", "reliability")
LISTED = 40
"""Images listed one by one; the rest are counted, and all are in the JSON."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``align`` has ``l`` or ``r`` for each column."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str | Label, ...], ...]
    align: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart by file stem."""

    stem: str
    caption: str


@dataclass(frozen=True, slots=True)
class ModelSection:
    """Everything about one model."""

    title: str
    lead: str
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class ImagePair:
    """An image with its label's outline, and with its heat-map."""

    caption: str
    plain: Jpeg
    heat: Jpeg


@dataclass(frozen=True, slots=True)
class BatterySection:
    """One misjudged battery."""

    name: str
    labels: tuple[Label, ...]
    reasons: tuple[str, ...]
    pictures: tuple[ImagePair, ...]


@dataclass(frozen=True, slots=True)
class EvaluationView:
    """The whole page."""

    title: str
    subtitle: str
    demo: bool
    figures: tuple[Figure, ...]
    statements: tuple[str, ...]
    data: tuple[Table, ...]
    batteries: tuple[Table, ...]
    misjudged: tuple[BatterySection, ...]
    models: tuple[ModelSection, ...]
    settings: tuple[Table, ...]
    provenance: Table
    glossary: tuple[tuple[str, str], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Words:
    """Wording of the report in one language."""

    language: Language
    station: StationWords

    @classmethod
    def of(cls, language: Language) -> Words:
        """Return the words of a language."""
        return cls(language, StationWords.of(language))

    def __call__(self, key: str, **params: str | int | float) -> str:
        """Return the fixed word ``evaluation_{key}``."""
        return Message(code=f"evaluation_{key}", params=params).text(self.language)

    def slot(self, slot: Slot | str) -> str:
        """Return what a model is called."""
        return self.station(f"slot_{slot}")

    def defect(self, name: str | None) -> str:
        """Return an image class's name."""
        return self.station("kind_normal") if name == "normal" else self.station.defect(name)


def percent(value: float | None) -> str:
    """Return a rate as per cent, or a dash where there is none."""
    return NONE if value is None else f"{value * 100:.1f} %"


def three(value: float | None) -> str:
    """Return a figure with three decimals, or a dash."""
    return NONE if value is None else f"{value:.3f}"


def interval(found: Mapping[str, Any] | None, as_percent: bool = False) -> str:
    """Return an interval as ``low – high``, an exact one marked with a star."""
    if found is None:
        return NONE
    star = "*" if found["method"] == "clopper_pearson" else ""
    if as_percent:
        return f"{found['low'] * 100:.1f} – {found['high'] * 100:.1f} %{star}"
    return f"{found['low']:.3f} – {found['high']:.3f}{star}"


def listed(items: Sequence[str]) -> str:
    """Return names in one line, or a dash."""
    return ", ".join(items) if items else NONE
