"""The report as plain worded data, the same for every laid-out format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inspection.messages import Language
from inspection.report.pictures import Jpeg

Tone = Literal["critical", "warning", "success", "review", "neutral"]


@dataclass(frozen=True, slots=True)
class Label:
    """A short text with a colour; the text alone tells everything."""

    text: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Field:
    """A name and its value."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline number."""

    label: str
    value: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of worded cells; the first column names the rows, ``numeric`` ones are set right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class OpenItem:
    """What is left to do, and for which batteries."""

    label: Label
    count: int
    batteries: str


@dataclass(frozen=True, slots=True)
class CountRow:
    """How many batteries got a verdict, from the station and after the operator."""

    label: Label
    station: int
    final: int


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model that judged; ``note`` is what it was asked, where it ran, and with what."""

    slot: str
    name: str
    sha256: str
    thresholds: str
    trained_at: str
    demo: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class BatteryRow:
    """A battery in the table of all; ``anchor`` is empty where it has no section."""

    number: int
    battery_id: str
    ids: str
    station: Label
    defect_type: str
    fused: str
    cnn: str
    ae: str
    decision: str
    final: Label
    anchor: str


@dataclass(frozen=True, slots=True)
class Advice:
    """A defect type with its likely cause and what to do."""

    name: str
    severity: Label
    cause: str
    action: str


@dataclass(frozen=True, slots=True)
class Picture:
    """An evidence picture; ``note`` says why where ``jpeg`` is None."""

    caption: str
    jpeg: Jpeg | None
    note: str


@dataclass(frozen=True, slots=True)
class PictureRow:
    """The pictures of one image, side by side."""

    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Everything about a battery that is not plainly normal."""

    anchor: str
    battery_id: str
    ids: str
    station: Label
    final: Label
    severity: Label | None
    notes: tuple[str, ...]
    scores: tuple[Field, ...]
    reasons: tuple[str, ...]
    advice: tuple[Advice, ...]
    advice_note: str
    runs: tuple[str, ...]
    systems: tuple[Field, ...]
    failed_images: tuple[str, ...]
    decision: tuple[Field, ...]
    picture_rows: tuple[PictureRow, ...]


@dataclass(frozen=True, slots=True)
class SystemWord:
    """What one system says, in its column; ``explanation`` is text as a model wrote it."""

    system: str
    label: Label
    lines: tuple[str, ...]
    explanation: str
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One image with a column a system."""

    title: str
    label: Label
    overlaps: str
    columns: tuple[SystemWord, ...]


@dataclass(frozen=True, slots=True)
class ComparedSection:
    """One battery with a column a system, and its images below."""

    battery_id: str
    label: Label
    facts: tuple[Field, ...]
    columns: tuple[SystemWord, ...]
    rows: tuple[ComparedRow, ...]
    note: str


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """The systems side by side."""

    remarks: tuple[str, ...]
    tables: tuple[TextTable, ...]
    sections: tuple[ComparedSection, ...]
    note: str


@dataclass(frozen=True, slots=True)
class ReportView:
    """A whole report in one language."""

    language: Language
    lot_name: str
    run_id: str
    status: Label
    warnings: tuple[str, ...]
    figures: tuple[Figure, ...]
    open_items: tuple[OpenItem, ...]
    counts: tuple[CountRow, ...]
    decisions: tuple[Field, ...]
    details: tuple[Field, ...]
    models: tuple[ModelRow, ...]
    policy: tuple[Field, ...]
    findings: tuple[str, ...]
    rows: tuple[BatteryRow, ...]
    sections: tuple[Section, ...]
    comparison: ComparisonView | None
    footer: str
