"""The report's columns, declared once for its data files and its pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from inspection.gate.checks import CheckCount
from inspection.report.blocks import Cell, Label, Link, Soft, Table, TableColumn
from inspection.report.data_files import CsvCell, csv_file
from inspection.report.model import Entry, SessionReport
from inspection.report.words import NONE, Words, moment, moment_of, number
from inspection.results import ModelProvenance
from inspection.session.audit import AuditEntry
from inspection.session.record import Decision
from inspection.volume_results import SizeMeasure

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class ReportColumn(Generic[Row]):
    """A column of the report, for its data file and for its page.

    Parameters
    ----------
    name : in the data file; an empty one is on the page only
    value : what the data file holds
    title : word above it on the page; without it the data file alone has it
    share : of the page's width
    shown : what the page shows; the value itself where it is None
    right, small : how the page sets it
    """

    name: str = ""
    value: Callable[[Row, Words], CsvCell] = lambda row, words: None
    title: str = ""
    share: float = 0.0
    shown: Callable[[Row, Words], Cell] | None = None
    right: bool = False
    small: bool = False


def bodies(entry: Entry, words: Words) -> tuple[str, str]:
    """Return which CT and which RGB body the battery is made of."""
    ct, rgb = entry.summary.ct_id or NONE, entry.summary.rgb_id or NONE
    return f"{words('ct_id')} {ct}", f"{words('rgb_id')} {rgb}"


def reasons(entry: Entry, words: Words) -> tuple[str, ...]:
    """Return the verdict's reasons in the report's language.

    Without the detailed result only the sentences in the station's language are left.
    """
    if entry.result is None:
        return tuple(entry.summary.reasons)
    return tuple(reason.text(words.language) for reason in entry.result.verdict.reasons)


def sizes(entry: Entry, words: Words) -> tuple[str, ...]:
    """Return each body of the battery's volume with its size, or why it has none."""
    told = []
    for body in entry.result.defects if entry.result else ():
        line = f"{words.defect(body.defect_type)}: {body.told.text(words.language)}"
        why = f" ({body.problem.text(words.language)})" if body.problem else ""
        told.append(line + why)
    return tuple(told)


def _largest(entry: Entry, measure: SizeMeasure | Literal["voxels"]) -> float | None:
    bodies = entry.result.defects if entry.result else ()
    found = [getattr(body.size, measure) for body in bodies if body.size is not None]
    return max((value for value in found if value is not None), default=None)


def region_told(decision: Decision, words: Words) -> str | None:
    """Return where a person marked the evidence of a decision; None where nowhere."""
    region = decision.region
    if region is None:
        return None
    if region.box is not None:
        box = region.box
        return words("region_box", image=region.image, x=box.x, y=box.y, w=box.w, h=box.h)
    corners = " ".join(f"{x},{y}" for x, y in region.polygon)
    return words("region_polygon", image=region.image, corners=corners)


def person_told(name: str, role: str | None, words: Words) -> str:
    """Return a person with the role that they had."""
    return f"{name} ({words(f'role_{role}')})" if role else name


def decision_told(decision: Decision, words: Words) -> str:
    """Return a decision that another took the place of, in one line."""
    parts = [
        moment(decision.decided_at),
        person_told(decision.operator, decision.role, words),
        words(f"decision_{decision.action}"),
        words.kind(decision.kind).text,
    ]
    if decision.defect_type is not None:
        parts.append(words.defect(decision.defect_type))
    parts += [part for part in (decision.reason, decision.comment) if part]
    return " · ".join(parts)


# Other systems may read the file by position, so a new column of it goes to the end.
BATTERY_COLUMNS: tuple[ReportColumn[Entry], ...] = (
    ReportColumn(title="number", share=0.035, right=True, shown=lambda e, w: str(e.number)),
    ReportColumn(
        "battery_id", lambda e, w: e.summary.battery_id, "battery", 0.08,
        lambda e, w: Link(e.summary.battery_id, e.anchor),
    ),
    ReportColumn("ct_id", lambda e, w: e.summary.ct_id),
    ReportColumn("rgb_id", lambda e, w: e.summary.rgb_id),
    ReportColumn(
        title="bodies", share=0.175, small=True,
        shown=lambda e, w: tuple(Soft(body) for body in bodies(e, w)),
    ),
    ReportColumn("state", lambda e, w: e.summary.state),
    ReportColumn(
        "kind", lambda e, w: e.station_kind, "station_verdict", 0.155,
        lambda e, w: w.kind(e.station_kind, e.summary.defect_type),
    ),
    ReportColumn(
        "decision", lambda e, w: e.decision.action if e.decision else None, "decision", 0.11,
        lambda e, w: w(f"decision_{e.decision.action if e.decision else 'none'}"),
    ),
    ReportColumn(
        "final_kind", lambda e, w: e.final_kind, "final", 0.155,
        lambda e, w: w.kind(e.final_kind, e.final_type),
    ),
    ReportColumn(
        "defect_type", lambda e, w: e.summary.defect_type, "defect_type", 0.11,
        lambda e, w: w.defect(e.summary.defect_type),
    ),
    ReportColumn(
        "fused_score", lambda e, w: e.summary.fused_score, "fused_short", 0.06, right=True
    ),
    ReportColumn("cnn_prob", lambda e, w: e.summary.cnn_prob, "cnn_short", 0.06, right=True),
    ReportColumn("ae_score", lambda e, w: e.summary.ae_score, "ae_short", 0.06, right=True),
    ReportColumn("reasons", lambda e, w: " | ".join(reasons(e, w))),
    ReportColumn("seconds", lambda e, w: e.summary.seconds),
    ReportColumn("operator", lambda e, w: e.decision.operator if e.decision else None),
    ReportColumn("decision_reason", lambda e, w: e.decision.reason if e.decision else None),
    ReportColumn("comment", lambda e, w: e.decision.comment if e.decision else None),
    ReportColumn(
        "decided_at", lambda e, w: e.decision.decided_at.isoformat() if e.decision else None
    ),
    ReportColumn("ct_ae_score", lambda e, w: e.summary.ct_ae_score),
    ReportColumn("final_defect_type", lambda e, w: e.final_type if e.decision else None),
    ReportColumn("region", lambda e, w: region_told(e.decision, w) if e.decision else None),
    ReportColumn("role", lambda e, w: e.decision.role if e.decision else None),
    ReportColumn(
        "second", lambda e, w: e.decision.second.name if e.decision and e.decision.second else None
    ),
    ReportColumn(
        "earlier", lambda e, w: " | ".join(decision_told(one, w) for one in e.summary.earlier)
    ),
    ReportColumn("defect_sizes", lambda e, w: " | ".join(sizes(e, w))),
    ReportColumn("largest_voxels", lambda e, w: _largest(e, "voxels")),
    ReportColumn("largest_length_mm", lambda e, w: _largest(e, "length_mm")),
    ReportColumn("largest_area_mm2", lambda e, w: _largest(e, "area_mm2")),
    ReportColumn("largest_volume_mm3", lambda e, w: _largest(e, "volume_mm3")),
)  # fmt: skip
"""``kind`` is the station's verdict, ``final_kind`` the operator's where there is a ``decision``
(``accept``, ``decide`` or ``override``; empty where not yet decided). Times are ISO 8601."""

AUDIT_COLUMNS: tuple[ReportColumn[AuditEntry], ...] = (
    ReportColumn("line", lambda a, w: str(a.sequence)),
    ReportColumn("decided_at", lambda a, w: a.decision.decided_at.isoformat()),
    ReportColumn("battery_id", lambda a, w: a.battery_id),
    ReportColumn("action", lambda a, w: a.decision.action),
    ReportColumn("kind_before", lambda a, w: a.kind_before),
    ReportColumn("kind_after", lambda a, w: a.decision.kind),
    ReportColumn("defect_type", lambda a, w: a.decision.defect_type),
    ReportColumn("region", lambda a, w: region_told(a.decision, w)),
    ReportColumn("operator", lambda a, w: a.decision.operator),
    ReportColumn("role", lambda a, w: a.decision.role),
    ReportColumn("second", lambda a, w: a.decision.second.name if a.decision.second else None),
    ReportColumn("reason", lambda a, w: a.decision.reason),
    ReportColumn("comment", lambda a, w: a.decision.comment),
    ReportColumn("changes", lambda a, w: str(a.changes) if a.changes else None),
    ReportColumn("restores", lambda a, w: str(a.restores) if a.restores else None),
    ReportColumn("shown", lambda a, w: a.decision.shown),
)
"""Every decision ever taken, changed ones and undos included, a ``line`` of the chain each."""

MODEL_COLUMNS: tuple[ReportColumn[ModelProvenance], ...] = (
    ReportColumn("slot", lambda m, w: m.slot, "model_slot", 0.1),
    ReportColumn("name", lambda m, w: m.name, "model_name", 0.2, lambda m, w: _model(m, w)),
    ReportColumn("demo", lambda m, w: str(m.demo).lower()),
    ReportColumn("note", lambda m, w: w("model_demo") if m.demo else None),
    ReportColumn(
        title="model_thresholds", share=0.24, small=True,
        shown=lambda m, w: ", ".join(f"{name} {value:g}" for name, value in m.thresholds.items()),
    ),
    ReportColumn("sha256", lambda m, w: m.sha256, "model_sha256", 0.3, small=True),
    ReportColumn(
        "trained_at", lambda m, w: m.trained_at, "model_trained", 0.16,
        lambda m, w: moment_of(m.trained_at), small=True,
    ),
    ReportColumn("device", lambda m, w: m.device),
    ReportColumn("prompt", lambda m, w: m.prompt),
    ReportColumn(
        "released_at", lambda m, w: m.release.released_at.isoformat() if m.release else None
    ),
    ReportColumn("released_by", lambda m, w: m.release.by if m.release else None),
    ReportColumn("signed_by", lambda m, w: m.release.signed_by if m.release else None),
    ReportColumn("release", lambda m, w: m.release.hash if m.release else None),
)  # fmt: skip
"""``note`` says what a demo model is."""

GATE_COLUMNS: tuple[ReportColumn[CheckCount], ...] = (
    ReportColumn("check", lambda c, w: c.check),
    ReportColumn(title="gate_check", share=0.6, shown=lambda c, w: w(f"gate_check_{c.check}")),
    ReportColumn(
        "images", lambda c, w: c.images, "gate_images", 0.2, lambda c, w: str(c.images), right=True
    ),
    ReportColumn(
        "batteries", lambda c, w: c.batteries, "gate_batteries", 0.2,
        lambda c, w: str(c.batteries), right=True,
    ),
)  # fmt: skip
"""How many images and batteries each check of the gate stopped."""


SUMMARY_COLUMNS: tuple[ReportColumn[SessionReport], ...] = (
    ReportColumn("job_id", lambda r, w: r.session.run_id),
    ReportColumn("total_images", lambda r, w: sum(entry.image_count for entry in r.entries)),
    ReportColumn("defect_count", lambda r, w: r.defects),
    ReportColumn("normal_count", lambda r, w: r.final["normal"]),
    ReportColumn("avg_confidence", lambda r, w: r.confidence),
    ReportColumn("processing_time", lambda r, w: sum(e.summary.seconds for e in r.entries)),
)
"""One row for the job: ``job_id`` is the session's run id.

``total_images`` counts the images with a record in the reported batteries, those that could not be
judged included, so it is the length of ``images`` in ``result.json``. ``defect_count`` and
``normal_count`` count *batteries* by their final kind, the operator's decision where there is one:
internal, external and composite defects are defects, and only ``normal`` is normal. Review and not
inspected batteries count as neither, so the two may add up to less than the batteries of the lot.
``avg_confidence`` is the mean confidence of the ensemble over the batteries that have one, empty
where none has. ``processing_time`` is the sum of the batteries' seconds.
"""


def columns_csv(columns: Sequence[ReportColumn[Row]], rows: Iterable[Row], words: Words) -> bytes:
    """Return the columns that have a name as a CSV file."""
    named = [column for column in columns if column.name]
    cells = ([column.value(row, words) for column in named] for row in rows)
    return csv_file([column.name for column in named], cells)


def columns_table(columns: Sequence[ReportColumn[Row]], rows: Iterable[Row], words: Words) -> Table:
    """Return the columns that have a title as a table of the page."""
    titled = [column for column in columns if column.title]

    def cell(column: ReportColumn[Row], row: Row) -> Cell:
        if column.shown is not None:
            return column.shown(row, words)
        value = column.value(row, words)
        return value if isinstance(value, str) else number(value)

    return Table(
        tuple(TableColumn(words(c.title), c.share, c.right, c.small) for c in titled),
        tuple(tuple(cell(column, row) for column in titled) for row in rows),
    )


def _model(model: ModelProvenance, words: Words) -> Cell:
    """Return a model's name; below it who released it, and what else is to be known of it."""
    released = ""
    if model.release is not None:
        code = "model_signed" if model.release.signed_by else "model_released"
        when = f"{model.release.released_at.astimezone():%Y-%m-%d %H:%M}"
        who = model.release.signed_by or model.release.by
        released = words(code, who=who, when=when)
    prompt = words("model_prompt", prompt=model.prompt) if model.prompt else ""
    versions = (f"{name} {version}" for name, version in model.versions.items())
    note = " · ".join(part for part in (released, prompt, model.device or "", *versions) if part)
    demo = (Label(words("model_demo"), "warning"),) if model.demo else ()
    return (model.name, *demo, *([Soft(note)] if note else ()))
