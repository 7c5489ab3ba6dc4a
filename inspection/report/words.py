"""Fixed words, classes, numbers and times in the report's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from inspection.classes import DefectClass, class_table
from inspection.messages import Language, Message, wordings
from inspection.records import Modality
from inspection.report.blocks import Label, Tone
from inspection.results import Kind

NONE = "–"
_KIND_TONES: dict[Kind, Tone] = {
    "normal": "success",
    "review": "review",
    "not_inspected": "warning",
}
_SEVERITY_TONES: dict[str, Tone] = {
    "SUCCESS": "success",
    "WARNING": "warning",
    "CRITICAL": "critical",
}


@dataclass(frozen=True, slots=True)
class Words:
    """Wording of one kind of report in one language; ``report`` begins the codes of its words."""

    language: Language
    classes: Mapping[str, DefectClass]
    report: str

    @classmethod
    def of(cls, language: Language, report: str = "report") -> Words:
        """Return the words of a language with the installed class table."""
        return cls(language, class_table().rows, report)

    def __call__(self, key: str, **params: str | int | float) -> str:
        """Return the fixed word ``{report}_{key}``, or where there is none the glossary's."""
        own = f"{self.report}_{key}"
        code = own if own in wordings() else key
        return Message(code=code, params=params).text(self.language)

    def defect(self, name: str | None) -> str:
        """Return a class's operator-visible name; one that is not in the table as it is."""
        if name is None:
            return NONE
        row = self.classes.get(name)
        return row.name[self.language] if row else name

    def image(self, modality: Modality, axis: str | None, number: int) -> str:
        """Return which slice or view an image is."""
        if modality == "ct":
            return self("ct_image", axis=axis or "", number=number)
        return self("rgb_image", number=number)

    def kind(self, kind: Kind, defect_type: str | None = None) -> Label:
        """Return a verdict, coloured by the severity of its defect type.

        A defect whose type is unknown takes the graver colour.
        """
        tone = _KIND_TONES.get(kind)
        if tone is None:
            row = self.classes.get(defect_type or "")
            grave = row is None or row.severity != "WARNING" or kind == "composite_defect"
            tone = "critical" if grave else "warning"
        return Label(self(f"kind_{kind}"), tone)

    def severity(self, row: DefectClass) -> Label:
        """Return a class's severity."""
        return Label(self(f"severity_{row.severity}"), _SEVERITY_TONES[row.severity])


def number(value: float | None, digits: int = 3) -> str:
    """Return a score, or a dash where there is none."""
    return NONE if value is None else f"{value:.{digits}f}"


def moment(value: datetime) -> str:
    """Return a time on this machine's clock, with its distance from UTC."""
    local = value.astimezone()
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M:%S} (UTC{offset[:3]}:{offset[3:5]})"


def moment_of(written: str | None) -> str:
    """Return a written time likewise; what is no time as it is."""
    try:
        return moment(datetime.fromisoformat(written)) if written else NONE
    except ValueError:
        return written or NONE
