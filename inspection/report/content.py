"""From a session's records to its report: what is shown, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from inspection.modelstore.catalogue import demo_slots, demo_systems
from inspection.report import blocks
from inspection.report.battery_card import battery_card
from inspection.report.comparison import comparison_chapter
from inspection.report.model import KINDS, SessionReport
from inspection.report.tables import (
    BATTERY_COLUMNS,
    GATE_COLUMNS,
    MODEL_COLUMNS,
    columns_table,
    person_told,
)
from inspection.report.words import NONE, Words, moment, number
from inspection.results import DEFECT_KINDS

FINDINGS_SHOWN = 40
# Their settings all stand in a session's record, whichever of them it was judged by.
_METHODS = frozenset({"weighted_average", "voting", "rule_based"})
_STATUS_TONES: dict[str, blocks.Tone] = {"completed": "success", "failed": "critical"}


def session_document(
    report: SessionReport, words: Words, step: Callable[[], None]
) -> blocks.ReportPage:
    """Return the report in the words' language.

    Parameters
    ----------
    report : what was read
    words : the language
    step : called after each battery
    """
    session = report.session
    status = words(f"status_{session.status}")
    label = blocks.Label(status, _STATUS_TONES.get(session.status, "warning"))
    page: list[blocks.Block] = [blocks.Text(f"{words('run')} {session.run_id}", labels=[label])]

    # What a reader has to know before any figure: least of all may a demo's verdicts pass for
    # real ones.
    warnings = []
    if any(model.demo for model in session.models):
        warnings.append(words("demo_warning"))
    if report.seal.state == "altered":
        warnings.append(words("altered_warning"))
    if report.changed_after_signing:
        warnings.append(words("changed_after_signing"))
    if session.status != "completed":
        warnings.append(words("unfinished_warning", status=status))
    if session.error_message:
        warnings.append(session.error_message)
    warnings += [problem.text(words.language) for problem in report.problems]
    page += [blocks.Text(warning, "warning") for warning in warnings]

    page += [*_headline(report, words), _verdicts(report, words)]
    judges: list[blocks.Block] = [blocks.Text(words("models_none"))]
    if session.models:
        judges = [columns_table(MODEL_COLUMNS, session.models, words)]
    policy = list(_policy(session.config))
    if policy:
        judges += [blocks.Heading(words("policy"), 4, room=40), blocks.Fields(policy, 0.28)]
    page += [blocks.Heading(words("models")), blocks.Card(judges)]
    stopped = [count for count in report.gate if count.images or count.batteries]
    gate: list[blocks.Block] = [blocks.Text(words("gate_none"))]
    if stopped:
        gate = [columns_table(GATE_COLUMNS, stopped, words)]
    ungated = ", ".join(model.slot for model in session.models if model.gate is False)
    if ungated:
        gate.append(blocks.Text(words("gate_unfitted", models=ungated), "warning"))
    page += [blocks.Heading(words("gate")), blocks.Card(gate)]
    if session.lot.findings:
        lines = session.lot.findings[:FINDINGS_SHOWN]
        if len(session.lot.findings) > FINDINGS_SHOWN:
            more = len(session.lot.findings) - FINDINGS_SHOWN
            lines = [*lines, words("findings_more", count=more)]
        page += [blocks.Heading(words("findings")), blocks.Card([blocks.Bullets(lines)])]
    page += [
        *_signatures(report, words),
        blocks.Heading(words("all_batteries"), new_page=True),
        blocks.Card([columns_table(BATTERY_COLUMNS, report.entries, words)]),
        blocks.Heading(words("sections"), new_page=True),
    ]
    demo = demo_systems(demo_slots(session.models))
    for entry in report.entries:
        if entry.anchor:
            page.append(battery_card(entry, report.folder, demo, words))
        step()
    if not any(entry.anchor for entry in report.entries):
        page.append(blocks.Text(words("sections_none")))
    if report.comparison is not None:
        page += comparison_chapter(report.entries, report.comparison, report.sources, words)
    # A session rebuilt after damage no longer knows its lot.
    title = session.lot.name or session.run_id
    footer = words("generated", version=session.version)
    return blocks.ReportPage(words.language, words("title"), title, session.run_id, page, footer)


def _signatures(report: SessionReport, words: Words) -> Iterator[blocks.Block]:
    """Yield who signed the session; places to sign on paper where nobody has."""
    signatures = report.session.signatures
    if not signatures:
        yield blocks.Signatures([words("operator"), words("approved_by")])
        return
    titles = ("meaning", "signed_by", "signed_at")
    rows = [
        (
            words(f"meaning_{one.meaning}"),
            person_told(one.name, one.role, words),
            moment(one.signed_at),
        )
        for one in signatures
    ]
    yield blocks.Heading(words("signatures"))
    columns = [blocks.TableColumn(words(title), 1 / 3) for title in titles]
    yield blocks.Card([blocks.Table(columns, rows)])


def _headline(report: SessionReport, words: Words) -> Iterator[blocks.Block]:
    """Yield the headline numbers, and what is left to do."""
    entries, final = report.entries, report.final
    tiles: dict[str, tuple[int, blocks.Tone]] = {
        "batteries": (len(entries), "neutral"),
        "kind_normal": (final["normal"], "success"),
        "total_defect": (report.defects, "critical"),
        "kind_review": (final["review"], "review"),
        "kind_not_inspected": (final["not_inspected"], "warning"),
    }
    yield blocks.Tiles([blocks.Tile(words(k), str(n), tone) for k, (n, tone) in tiles.items()])

    left: tuple[tuple[str, blocks.Tone, list[str]], ...] = (
        ("not_inspected", "warning",
         [e.summary.battery_id for e in entries if e.final_kind == "not_inspected"]),
        ("review", "review", [e.summary.battery_id for e in entries if e.final_kind == "review"]),
        ("undecided", "neutral", [e.summary.battery_id for e in entries if e.decision is None]),
    )  # fmt: skip
    open_items = [
        (blocks.Label(words(f"open_{name}"), tone), str(len(found)), blocks.Soft(", ".join(found)))
        for name, tone, found in left
        if found
    ]
    widths = [blocks.TableColumn("", 0.3), blocks.TableColumn("", 0.07, right=True)]
    table = blocks.Table([*widths, blocks.TableColumn("", 0.63)], open_items)
    yield blocks.Heading(words("open_items"))
    nothing = blocks.Text(words("open_none"))
    yield blocks.Card([table] if open_items else [nothing])


def _verdicts(report: SessionReport, words: Words) -> blocks.SideBySide:
    """Return the verdicts by kind beside the session's facts."""
    session, entries = report.session, report.entries
    station, final, decided = report.station, report.final, report.decided
    # The graver kinds first.
    kinds = (*DEFECT_KINDS, *(kind for kind in KINDS if kind not in DEFECT_KINDS))
    counts = [(words.kind(kind), str(station[kind]), str(final[kind])) for kind in kinds]
    total = blocks.Label(words("total"), "neutral")
    counts.append((total, str(station.total()), str(final.total())))
    columns = [
        blocks.TableColumn(words("verdict_column"), 0.44),
        blocks.TableColumn(words("station_count"), 0.26, right=True),
        blocks.TableColumn(words("final_count"), 0.3, right=True),
    ]
    decisions = [(words(f"decision_{name}"), str(decided[name])) for name in decided]
    verdicts: list[blocks.Block] = [
        blocks.Table(columns, counts),
        blocks.Text(words("count_note"), "soft"),
        blocks.Heading(words("decisions"), 4),
        blocks.Fields(decisions),
    ]

    count = str(len(entries))
    if len(entries) < len(session.batteries):
        count = words("batteries_subset", shown=count, total=len(session.batteries))
    log = words("audit_entries", entries=len(report.audit))
    seconds = number(sum(entry.summary.seconds for entry in entries), 1)
    facts = {
        "run": session.run_id,
        "started": moment(session.created_at),
        "updated": moment(session.updated_at),
        "operator": session.operator or NONE,
        "station": session.station or NONE,
        "device": session.device or NONE,
        "version": session.version,
        "batteries": count,
        "images": words("images_value", done=session.processed_images, total=session.total_images),
        "time_spent": words("seconds", seconds=seconds),
        "audit": log if report.audit else words("audit_empty"),
        "seal": report.seal.message.text(words.language),
        "keys": ", ".join(report.seal.keys) or NONE,
        "lot_path": session.lot.path,
    }
    details = blocks.Fields([(words(key), value) for key, value in facts.items()], 0.3)
    return blocks.SideBySide(
        [
            [blocks.Heading(words("verdicts")), blocks.Card(verdicts)],
            [blocks.Heading(words("session_details")), blocks.Card([details])],
        ],
        (0.46, 0.54),
    )


def _policy(config: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
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
        yield prefix or "session", " · ".join(values)
    for name, value in config.items():
        if isinstance(value, Mapping) and (name not in _METHODS or name in used):
            yield from _policy(value, f"{prefix}.{name}" if prefix else name)
