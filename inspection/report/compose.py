"""From a session's records to a worded report: what is shown, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from inspection.modelstore.catalogue import demo_slots, demo_systems
from inspection.report.comparison import compose_comparison
from inspection.report.model import DEFECT_KINDS, KINDS, Entry, Report
from inspection.report.sections import battery_ids, compose_section
from inspection.report.view import (
    BatteryRow,
    CountRow,
    Field,
    Figure,
    Label,
    ModelRow,
    OpenItem,
    ReportView,
    Section,
    Tone,
)
from inspection.report.words import NONE, Words, moment, number
from inspection.results import ModelProvenance, SessionRecord

FINDINGS_SHOWN = 40
_METHODS = frozenset({"weighted_average", "voting", "rule_based"})
_STATUS_TONES: dict[str, Tone] = {"completed": "success", "failed": "critical"}


def compose(report: Report, words: Words, step: Callable[[], None]) -> ReportView:
    """Return the report in the words' language.

    Parameters
    ----------
    report : what was read
    words : the language
    step : called after each battery
    """
    session = report.session
    anchors = {
        entry.summary.battery_id: f"battery-{number}"
        for number, entry in enumerate(report.entries, start=1)
        if not entry.plainly_normal
    }
    return ReportView(
        language=words.language,
        # A session rebuilt after damage no longer knows its lot.
        lot_name=session.lot.name or session.run_id,
        run_id=session.run_id,
        status=Label(
            words(f"status_{session.status}"), _STATUS_TONES.get(session.status, "warning")
        ),
        warnings=_warnings(report, words),
        figures=_figures(report, words),
        open_items=_open_items(report, words),
        counts=_counts(report, words),
        decisions=_decisions(report, words),
        details=_details(report, words),
        models=tuple(_model(model, words) for model in session.models),
        policy=tuple(_policy(session.config)),
        findings=_findings(session, words),
        rows=tuple(
            _row(number, entry, anchors.get(entry.summary.battery_id, ""), words)
            for number, entry in enumerate(report.entries, start=1)
        ),
        sections=tuple(_sections(report, anchors, words, step)),
        comparison=compose_comparison(report, words),
        footer=words("generated", version=session.version),
    )


def _sections(
    report: Report, anchors: Mapping[str, str], words: Words, step: Callable[[], None]
) -> Iterator[Section]:
    demo = demo_systems(demo_slots(report.session.models))
    for entry in report.entries:
        anchor = anchors.get(entry.summary.battery_id)
        if anchor is not None:
            yield compose_section(entry, anchor, report.folder, demo, words)
        step()


def _warnings(report: Report, words: Words) -> tuple[str, ...]:
    session = report.session
    found = []
    if any(model.demo for model in session.models):
        found.append(words("demo_warning"))
    if report.audit.broken_line is not None or report.audit.unconfirmed:
        found.append(words("audit_warning"))
    if session.status != "completed":
        status = words(f"status_{session.status}")
        found.append(words("unfinished_warning", status=status))
    if session.error_message:
        found.append(session.error_message)
    return (*found, *(problem.text(words.language) for problem in report.problems))


def _figures(report: Report, words: Words) -> tuple[Figure, ...]:
    totals = report.totals
    return (
        Figure(words("batteries"), str(len(report.entries)), "neutral"),
        Figure(words("kind_normal"), str(totals.final["normal"]), "success"),
        Figure(words("total_defect"), str(totals.defects), "critical"),
        Figure(words("kind_review"), str(totals.final["review"]), "review"),
        Figure(words("kind_not_inspected"), str(totals.final["not_inspected"]), "warning"),
    )


def _open_items(report: Report, words: Words) -> tuple[OpenItem, ...]:
    entries = report.entries
    open_kinds = (
        (Label(words("open_not_inspected"), "warning"), _of_kind(entries, "not_inspected")),
        (Label(words("open_review"), "review"), _of_kind(entries, "review")),
        (Label(words("open_undecided"), "neutral"), [e for e in entries if e.decision is None]),
    )
    return tuple(
        OpenItem(label, len(found), ", ".join(entry.summary.battery_id for entry in found))
        for label, found in open_kinds
        if found
    )


def _of_kind(entries: tuple[Entry, ...], kind: str) -> list[Entry]:
    return [entry for entry in entries if entry.final_kind == kind]


def _counts(report: Report, words: Words) -> tuple[CountRow, ...]:
    totals = report.totals
    graver_first = sorted(KINDS, key=lambda kind: (kind not in DEFECT_KINDS, KINDS.index(kind)))
    rows = [
        CountRow(words.kind(kind), totals.station[kind], totals.final[kind])
        for kind in graver_first
    ]
    everything = Label(words("total"), "neutral")
    return (*rows, CountRow(everything, totals.station.total(), totals.final.total()))


def _decisions(report: Report, words: Words) -> tuple[Field, ...]:
    totals = report.totals
    return (
        Field(words("decision_accept"), str(totals.accepted)),
        Field(words("decision_override"), str(totals.overridden)),
        Field(words("decision_none"), str(totals.undecided)),
    )


def _details(report: Report, words: Words) -> tuple[Field, ...]:
    session = report.session
    count = str(len(report.entries))
    if not report.complete_lot:
        count = words("batteries_subset", shown=count, total=len(session.batteries))
    seconds = sum(entry.summary.seconds for entry in report.entries)
    images = words("images_value", done=session.processed_images, total=session.total_images)
    return (
        Field(words("run"), session.run_id),
        Field(words("started"), moment(session.created_at)),
        Field(words("updated"), moment(session.updated_at)),
        Field(words("operator"), session.operator or NONE),
        Field(words("station"), session.station or NONE),
        Field(words("device"), session.device or NONE),
        Field(words("version"), session.version),
        Field(words("batteries"), count),
        Field(words("images"), images),
        Field(words("time_spent"), words("seconds", seconds=number(seconds, 1))),
        Field(words("audit"), _audit(report, words)),
        Field(words("lot_path"), session.lot.path),
    )


def _audit(report: Report, words: Words) -> str:
    audit = report.audit
    if audit.broken_line is not None:
        return words("audit_broken", line=audit.broken_line)
    if audit.unconfirmed:
        return words("audit_unconfirmed", batteries=", ".join(audit.unconfirmed))
    return words("audit_intact", entries=audit.entries) if audit.entries else words("audit_empty")


def _model(model: ModelProvenance, words: Words) -> ModelRow:
    prompt = words("model_prompt", prompt=model.prompt) if model.prompt else ""
    versions = (f"{name} {version}" for name, version in model.versions.items())
    return ModelRow(
        slot=model.slot,
        name=model.name,
        sha256=model.sha256,
        thresholds=", ".join(f"{name} {value:g}" for name, value in model.thresholds.items()),
        trained_at=_trained_at(model.trained_at),
        demo=model.demo,
        note=" · ".join(part for part in (prompt, model.device or "", *versions) if part),
    )


def _trained_at(written: str | None) -> str:
    try:
        return moment(datetime.fromisoformat(written)) if written else NONE
    except ValueError:
        return written or NONE


def _policy(config: Mapping[str, object], prefix: str = "") -> Iterator[Field]:
    """Yield the configuration snapshot a group a line, without the fusion methods not in use."""
    used = {config.get("method"), *_fallbacks(config)}
    plain = {name: value for name, value in config.items() if not isinstance(value, Mapping)}
    if plain:
        line = " · ".join(f"{name} {_plain(value)}" for name, value in plain.items())
        yield Field(prefix or "session", line)
    for name, value in config.items():
        if not isinstance(value, Mapping) or (name in _METHODS and name not in used):
            continue
        yield from _policy(value, f"{prefix}.{name}" if prefix else name)


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _fallbacks(config: Mapping[str, object]) -> set[object]:
    rules = config.get("rule_based")
    if config.get("method") != "rule_based" or not isinstance(rules, Mapping):
        return set()
    return {rules.get("fallback_method")}


def _findings(session: SessionRecord, words: Words) -> tuple[str, ...]:
    found = session.lot.findings
    if len(found) <= FINDINGS_SHOWN:
        return tuple(found)
    rest = words("findings_more", count=len(found) - FINDINGS_SHOWN)
    return (*found[:FINDINGS_SHOWN], rest)


def _row(position: int, entry: Entry, anchor: str, words: Words) -> BatteryRow:
    summary, decision = entry.summary, entry.decision
    return BatteryRow(
        number=position,
        battery_id=summary.battery_id,
        ids=battery_ids(entry, words, "\n"),
        station=words.kind(entry.station_kind, summary.defect_type),
        defect_type=words.defect(summary.defect_type),
        fused=number(summary.fused_score),
        cnn=number(summary.cnn_prob),
        ae=number(summary.ae_score),
        decision=words(f"decision_{decision.action if decision else 'none'}"),
        final=words.kind(entry.final_kind, summary.defect_type),
        anchor=anchor,
    )
