"""From a session's records to the blocks of its report: what is shown, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from inspection.modelstore.catalogue import demo_slots, demo_systems
from inspection.report.battery_card import battery_card
from inspection.report.blocks import (
    Block,
    Bullets,
    Card,
    Columns,
    Document,
    Field,
    Fields,
    Heading,
    Label,
    Signatures,
    Soft,
    Table,
    TableColumn,
    Text,
    Tile,
    Tiles,
    Tone,
)
from inspection.report.comparison import comparison_chapter
from inspection.report.model import DEFECT_KINDS, KINDS, AuditState, SessionReport
from inspection.report.tables import BATTERY_COLUMNS, MODEL_COLUMNS, columns_table
from inspection.report.words import NONE, Words, moment, number

FINDINGS_SHOWN = 40
_METHODS = frozenset({"weighted_average", "voting", "rule_based"})
_STATUS_TONES: dict[str, Tone] = {"completed": "success", "failed": "critical"}


def session_document(report: SessionReport, words: Words, step: Callable[[], None]) -> Document:
    """Return the report in the words' language.

    Parameters
    ----------
    report : what was read
    words : the language
    step : called after each battery
    """
    session = report.session
    status = Label(words(f"status_{session.status}"), _STATUS_TONES.get(session.status, "warning"))
    blocks: list[Block] = [
        Text(f"{words('run')} {session.run_id}", labels=(status,)),
        *(Text(warning, "warning") for warning in _warnings(report, words)),
        *_summary(report, words),
        *_models(report, words),
    ]
    if session.lot.findings:
        more = len(session.lot.findings) - FINDINGS_SHOWN
        rest = [words("findings_more", count=more)] if more > 0 else []
        lines = (*session.lot.findings[:FINDINGS_SHOWN], *rest)
        blocks += [Heading(words("findings")), Card((Bullets(lines),))]
    blocks += [
        Signatures((words("operator"), words("approved_by"))),
        Heading(words("all_batteries"), new_page=True),
        Card((columns_table(BATTERY_COLUMNS, report.entries, words),)),
        Heading(words("sections"), new_page=True),
    ]
    demo = demo_systems(demo_slots(session.models))
    for entry in report.entries:
        if entry.anchor:
            blocks.append(battery_card(entry, report.folder, demo, words))
        step()
    if not any(entry.anchor for entry in report.entries):
        blocks.append(Text(words("sections_none")))
    if report.comparison is not None:
        blocks += comparison_chapter(report.entries, report.comparison, report.sources, words)
    return Document(
        language=words.language,
        kicker=words("title"),
        # A session rebuilt after damage no longer knows its lot.
        title=session.lot.name or session.run_id,
        subject=session.run_id,
        blocks=tuple(blocks),
        footer=words("generated", version=session.version),
    )


def _warnings(report: SessionReport, words: Words) -> Iterator[str]:
    session = report.session
    if any(model.demo for model in session.models):
        yield words("demo_warning")
    if report.audit.broken_line is not None or report.audit.unconfirmed:
        yield words("audit_warning")
    if session.status != "completed":
        yield words("unfinished_warning", status=words(f"status_{session.status}"))
    if session.error_message:
        yield session.error_message
    yield from (problem.text(words.language) for problem in report.problems)


def _summary(report: SessionReport, words: Words) -> Iterator[Block]:
    """Yield the headline numbers, what is left to do, the verdicts, and the session's facts."""
    session, entries, totals = report.session, report.entries, report.totals
    yield Tiles(
        (
            Tile(words("batteries"), str(len(entries)), "neutral"),
            Tile(words("kind_normal"), str(totals.final["normal"]), "success"),
            Tile(words("total_defect"), str(totals.defects), "critical"),
            Tile(words("kind_review"), str(totals.final["review"]), "review"),
            Tile(words("kind_not_inspected"), str(totals.final["not_inspected"]), "warning"),
        )
    )

    yield Heading(words("open_items"))
    left: tuple[tuple[str, Tone, list[str]], ...] = (
        ("not_inspected", "warning",
         [e.summary.battery_id for e in entries if e.final_kind == "not_inspected"]),
        ("review", "review", [e.summary.battery_id for e in entries if e.final_kind == "review"]),
        ("undecided", "neutral", [e.summary.battery_id for e in entries if e.decision is None]),
    )  # fmt: skip
    rows = tuple(
        (Label(words(f"open_{name}"), tone), str(len(found)), Soft(", ".join(found)))
        for name, tone, found in left
        if found
    )
    plain = (TableColumn("", 0.3), TableColumn("", 0.07, right=True), TableColumn("", 0.63))
    yield Card((Table(plain, rows) if rows else Text(words("open_none")),))

    # The graver kinds first.
    kinds = (*DEFECT_KINDS, *(kind for kind in KINDS if kind not in DEFECT_KINDS))
    counts = Table(
        (
            TableColumn(words("verdict_column"), 0.44),
            TableColumn(words("station_count"), 0.26, right=True),
            TableColumn(words("final_count"), 0.3, right=True),
        ),
        (
            *((words.kind(k), str(totals.station[k]), str(totals.final[k])) for k in kinds),
            (
                Label(words("total"), "neutral"),
                str(totals.station.total()),
                str(totals.final.total()),
            ),
        ),
    )
    decisions = (
        Field(words("decision_accept"), str(totals.accepted)),
        Field(words("decision_override"), str(totals.overridden)),
        Field(words("decision_none"), str(totals.undecided)),
    )
    verdicts = Card(
        (
            counts,
            Text(words("count_note"), "soft"),
            Heading(words("decisions"), 4),
            Fields(decisions),
        )
    )
    count = str(len(entries))
    if len(entries) < len(session.batteries):
        count = words("batteries_subset", shown=count, total=len(session.batteries))
    seconds = sum(entry.summary.seconds for entry in entries)
    images = words("images_value", done=session.processed_images, total=session.total_images)
    facts = {
        "run": session.run_id,
        "started": moment(session.created_at),
        "updated": moment(session.updated_at),
        "operator": session.operator or NONE,
        "station": session.station or NONE,
        "device": session.device or NONE,
        "version": session.version,
        "batteries": count,
        "images": images,
        "time_spent": words("seconds", seconds=number(seconds, 1)),
        "audit": _audit(report.audit, words),
        "lot_path": session.lot.path,
    }
    details = tuple(Field(words(key), value) for key, value in facts.items())
    yield Columns(
        (
            (Heading(words("verdicts")), verdicts),
            (Heading(words("session_details")), Card((Fields(details, 0.3),))),
        ),
        (0.46, 0.54),
    )


def _audit(audit: AuditState, words: Words) -> str:
    if audit.broken_line is not None:
        return words("audit_broken", line=audit.broken_line)
    if audit.unconfirmed:
        return words("audit_unconfirmed", batteries=", ".join(audit.unconfirmed))
    return words("audit_intact", entries=audit.entries) if audit.entries else words("audit_empty")


def _models(report: SessionReport, words: Words) -> Iterator[Block]:
    """Yield what judged, and by which settings."""
    blocks: list[Block] = [Text(words("models_none"))]
    if report.session.models:
        blocks = [columns_table(MODEL_COLUMNS, report.session.models, words)]
    policy = tuple(_policy(report.session.config))
    if policy:
        blocks += [Heading(words("policy"), 4, room=40), Fields(policy, 0.28)]
    yield Heading(words("models"))
    yield Card(tuple(blocks))


def _policy(config: Mapping[str, object], prefix: str = "") -> Iterator[Field]:
    """Yield the configuration snapshot a group a line, without the fusion methods not in use."""
    used = {config.get("method")}
    rules = config.get("rule_based")
    if config.get("method") == "rule_based" and isinstance(rules, Mapping):
        used.add(rules.get("fallback_method"))
    plain = {name: value for name, value in config.items() if not isinstance(value, Mapping)}
    if plain:
        values = (
            f"{name} {', '.join(map(str, v)) if isinstance(v, list | tuple) else v}"
            for name, v in plain.items()
        )
        yield Field(prefix or "session", " · ".join(values))
    for name, value in config.items():
        if isinstance(value, Mapping) and (name not in _METHODS or name in used):
            yield from _policy(value, f"{prefix}.{name}" if prefix else name)
