"""``configs/classes.yaml``: the classes, and everything the station knows about each of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, RootModel, field_validator, model_validator

from inspection.config import Config, Words, load_config
from inspection.messages import Language
from inspection.paths import config_path
from inspection.records import BatteryType, Modality
from inspection.site import Site, current_site
from inspection.volume_results import SizeMeasure

# A full stop ends a phrase in a VLG's caption, and a question mark too. At most one token comes
# of a character, so a phrase of this length fits into a caption whatever the vocabulary.
Phrase = Annotated[str, Field(pattern=r"^[a-z]+([ -][a-z]+)*$", max_length=60)]


class SizeLimits(Config):
    """From which size on a class is a defect; between the two limits it is for a person to say.

    ``accept_below`` is off by default: with it a battery can be normal whose only defects are
    smaller, the error of the measure counted against them.
    """

    measure: SizeMeasure
    accept_below: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    defect_above: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.accept_below, self.defect_above
        if low is None and high is None:
            raise ValueError("one of accept_below and defect_above is needed")
        if low is not None and high is not None and low > high:
            raise ValueError("accept_below must not be above defect_above")
        return self


class DefectClass(Config):
    """One row of the class table; the file's own head says what each key is for.

    ``kind`` is None for a class that is no defect.
    """

    severity: Literal["SUCCESS", "WARNING", "CRITICAL"]
    name: Words
    cause: Words
    action: Words
    modality: Modality
    battery_type: BatteryType | None = None
    kind: str | None = None
    labels: tuple[str, ...] = ()
    words: Words | None = None
    nouns: Words | None = None
    phrases: tuple[Phrase, ...] = ()
    greys: Literal["darker", "brighter"] | None = None
    limits: SizeLimits | None = None

    @model_validator(mode="after")
    def _measurable(self) -> Self:
        if self.limits is not None and self.greys is None:
            raise ValueError("limits need greys: without, no size is measured")
        return self

    @field_validator("words", "nouns")
    @classmethod
    def _compile(cls, patterns: dict[Language, str] | None) -> dict[Language, str] | None:
        for pattern in (patterns or {}).values():
            try:
                re.compile(pattern)
            except (re.error, RecursionError, OverflowError) as error:
                raise ValueError(f"not a regular expression: {error}") from error
        return patterns


class _ClassFile(RootModel[dict[str, DefectClass]]):
    @model_validator(mode="after")
    def _clear(self) -> Self:
        labels: dict[str, str] = {}
        for row in self.root.values():
            for label in row.labels:
                if labels.setdefault(squeezed(label), row.kind or "") != row.kind:
                    raise ValueError(f"the label {label!r} stands for two kinds of defect")
        return self


@dataclass(frozen=True, eq=False)
class ClassTable:
    """The classes in the order of the file, which is the order of a classifier's outputs too."""

    rows: Mapping[str, DefectClass]

    def defects(self, modality: Modality) -> tuple[str, ...]:
        """Return the classes of defects that a modality's images can show."""
        return self.ct_defects if modality == "ct" else self.rgb_defects

    @cached_property
    def ct(self) -> tuple[str, ...]:
        """Classes of a CT slice, normal ones included."""
        return tuple(name for name, row in self.rows.items() if row.modality == "ct")

    @cached_property
    def ct_defects(self) -> tuple[str, ...]:
        """Classes of internal defects."""
        return tuple(name for name in self.ct if self.rows[name].kind)

    @cached_property
    def rgb_defects(self) -> tuple[str, ...]:
        """Classes of external defects."""
        rows = self.rows.items()
        return tuple(name for name, row in rows if row.modality == "rgb" and row.kind)

    @cached_property
    def all_defects(self) -> tuple[str, ...]:
        """Classes of defects, the internal ones first."""
        return (*self.ct_defects, *self.rgb_defects)

    @cached_property
    def kinds(self) -> dict[str, tuple[str, ...]]:
        """Each kind of defect with its classes."""
        kinds: dict[str, tuple[str, ...]] = {}
        for name, row in self.rows.items():
            if row.kind:
                kinds[row.kind] = (*kinds.get(row.kind, ()), name)
        return kinds

    @cached_property
    def kind_of_label(self) -> dict[str, str]:
        """Kinds by their names in label files, `squeezed`."""
        return {
            squeezed(label): row.kind
            for row in self.rows.values()
            if row.kind
            for label in (row.kind, *row.labels)
        }

    def words(self, kind: str) -> str:
        """Return the regular expression by which prose names a kind, in any language."""
        rows = [self.rows[name] for name in self.kinds[kind]]
        given = [pattern for row in rows if row.words for pattern in row.words.values()]
        return "|".join(given or [rf"\b{re.escape(kind.replace('_', ' '))}\b"])

    def nouns(self, language: Language) -> str:
        """Return the regular expression of all kinds where prose denies them."""
        rows = [row for row in self.rows.values() if row.kind]
        given = [patterns[language] for row in rows if (patterns := row.nouns or row.words)]
        return "|".join(given)

    def is_defect(self, name: str | None) -> bool:
        """Return whether a class is known, and a defect."""
        row = self.rows.get(name or "")
        return row is not None and row.kind is not None

    def class_of(
        self, kind: str | None, modality: Modality, battery_type: BatteryType | None
    ) -> str | None:
        """Return the class of a kind, or the normal one for None; None where there is none.

        A class of cells or of modules alone needs to know which the battery is.
        """
        for name, row in self.rows.items():
            if (row.kind, row.modality) == (kind, modality) and (
                row.battery_type in (None, battery_type)
            ):
                return name
        return None

    def gravest(self, names: set[str]) -> str | None:
        """Return the most severe of some classes, the first in the table of equal ones."""
        known = [name for name in self.rows if name in names]
        known.sort(key=lambda name: self.rows[name].severity != "CRITICAL")
        return known[0] if known else None


def squeezed(label: str) -> str:
    """Return a name in a label file without what files write differently."""
    return re.sub(r"[\s_-]+", "", label.lower())


def load_classes(path: Path, section: str | None = None) -> ClassTable:
    """Return a class table; ``section`` is where the site's rows over it are.

    Raises
    ------
    ConfigError
        If the file is missing, malformed, or a row is wrong.
    """
    return ClassTable(load_config(path, _ClassFile, section).root)


def class_table() -> ClassTable:
    """Return the class table that counts here, the site's rows over the program's; read once."""
    return _class_table(current_site())


@functools.lru_cache(maxsize=1)
def _class_table(_site: Site | None) -> ClassTable:
    return load_classes(config_path("classes.yaml"), "classes")
