"""The systems' figures and agreement, and what changed between sessions, as worded tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inspection.comparison.changes import SessionChanges, VerdictChange
from inspection.comparison.figures import (
    LABELLED_FIGURES,
    PLAIN_FIGURES,
    Figure,
    FigureName,
    SystemFigures,
)
from inspection.comparison.session import SessionComparison
from inspection.report.blocks import Table, TableColumn
from inspection.report.words import NONE, Words, number
from inspection.results import SYSTEMS, Judgement, ModelProvenance, SystemName

CHANGES_SHOWN = 40
"""Rows of a table of changes; the files have all."""
_PLAIN_NUMBERS = frozenset({"seconds", "mean_iou"})
_FIRST_SHARE = 0.28
"""Of the width: what a row is about needs more than the figures do."""


def figures_tables(compared: Sequence[SessionComparison], words: Words) -> list[Table]:
    """Return the figures: of one session its systems side by side, of several each system's."""
    title = words("comparison_figures")
    if len(compared) == 1:
        (one,) = compared
        names = [words(f"system_{figures.system}") for figures in one.figures]
        return [_figures_table(title, names, one.figures, words)]
    tables = []
    for system in SYSTEMS:
        found = [(one, f) for one in compared for f in one.figures if f.system == system]
        if found:
            names = [one.session.run_id for one, _ in found]
            own = f"{words(f'system_{system}')}: {title}"
            tables.append(_figures_table(own, names, [figures for _, figures in found], words))
    return tables


def _figures_table(
    title: str, names: Sequence[str], columns: Sequence[SystemFigures], words: Words
) -> Table:
    rows = [
        (words("comparison_images"), *(str(f.images) for f in columns)),
        (words("comparison_decided"), *(str(f.decided) for f in columns)),
    ]
    shown: tuple[FigureName, ...] = PLAIN_FIGURES
    if any(f.labelled for f in columns):
        shown = (*LABELLED_FIGURES, *PLAIN_FIGURES)
        counts = (f"{f.labelled} / {f.defects}" for f in columns)
        rows.append((words("comparison_labelled"), *counts))
    for name in shown:
        found = (figures.figures.get(name, Figure(None)) for figures in columns)
        percent = name not in _PLAIN_NUMBERS
        values = (figure_words(figure, percent=percent) for figure in found)
        rows.append((words(f"comparison_{name}"), *values))
    return _table(title, ["", *names], rows, numeric=True)


def agreement_table(compared: SessionComparison, words: Words) -> Table:
    """Return how far each two systems agree."""
    names = ("pair", "agreed", "agreement", "abstained", "types_agreed", "overlap")
    rows = [
        (
            pair_words(found.systems, words),
            f"{found.agreed} / {found.decided}",
            figure_words(found.agreement, percent=True),
            str(found.abstained),
            f"{found.types_agreed} / {found.typed}",
            figure_words(found.box_overlap),
        )
        for found in compared.pairs
    ]
    titles = [words(f"comparison_{name}") for name in names]
    return _table(words("comparison_agreement_table"), titles, rows, numeric=True)


def conflicts_table(compared: SessionComparison, words: Words) -> Table:
    """Return the batteries on which the systems contradict each other."""
    rows = []
    for battery in compared.conflicts:
        said = []
        for name in compared.systems:
            cell = battery.cells[name]
            text = judgement_words(cell.judgement, words)
            text = f"{text}: {words.defect(cell.defect_type)}" if cell.defect_type else text
            said.append(words("state_failed") if cell.state == "failed" else text)
        images = ", ".join(image.image for image in battery.images if image.conflict)
        rows.append((battery.battery_id, *said, images or NONE))
    systems = (words(f"system_{name}") for name in compared.systems)
    titles = [words("battery"), *systems, words("comparison_conflicting_images")]
    return _table(words("comparison_conflicts"), titles, _shown(rows, words))


def change_tables(changes: SessionChanges, words: Words) -> list[Table]:
    """Return what changed, each kind of change in a table; kinds without any are left out."""
    summary: list[tuple[str, ...]] = []
    if changes.problem is None:
        summary = [
            (words("comparison_common"), str(changes.batteries)),
            (words("comparison_only_before"), _listed(changes.only_before)),
            (words("comparison_only_after"), _listed(changes.only_after)),
            (words("comparison_verdicts"), str(len(changes.verdicts))),
            (words("comparison_decisions"), str(len(changes.decisions))),
        ]
        for found in changes.systems:
            name = words("comparison_judged_otherwise", system=words(f"system_{found.system}"))
            summary.append((name, f"{len(found.changes)} / {found.images}"))

    def verdict(kind: str | None, defect_type: str | None, none: str) -> str:
        text = words(f"kind_{kind}") if kind else none
        return f"{text}: {words.defect(defect_type)}" if defect_type else text

    def verdicts(found: Sequence[VerdictChange], none: str) -> list[tuple[str, ...]]:
        return [
            (
                change.battery_id,
                verdict(change.before, change.type_before, none),
                verdict(change.after, change.type_after, none),
            )
            for change in found
        ]

    before, after = _by_slot(changes.models_before), _by_slot(changes.models_after)
    slots = dict.fromkeys([*before, *after])
    models = [(slot, before.get(slot, NONE), after.get(slot, NONE)) for slot in slots]
    settings = [(s.name, s.before or NONE, s.after or NONE) for s in changes.settings]
    judgements = [
        (
            words(f"system_{change.system}"),
            change.battery_id,
            change.image,
            judgement_words(change.before, words),
            judgement_words(change.after, words),
        )
        for system in changes.systems
        for change in system.changes
    ]
    sides = ("comparison_before", "comparison_after")
    image = ("comparison_system", "battery", "comparison_image")
    tables: tuple[tuple[str, Sequence[str], Sequence[tuple[str, ...]]], ...] = (
        ("comparison_summary", ("comparison_what", "comparison_count"), summary),
        ("comparison_verdicts", ("battery", *sides), verdicts(changes.verdicts, NONE)),
        ("comparison_decisions", ("battery", *sides),
         verdicts(changes.decisions, words("decision_none"))),
        ("models", ("model_slot", *sides), models),
        ("policy", ("comparison_setting", *sides), settings),
        ("comparison_judgements", (*image, *sides), judgements),
    )  # fmt: skip
    return [
        _table(words(title), [words(name) for name in head], _shown(rows, words))
        for title, head, rows in tables
        if rows
    ]


def judgement_words(judgement: Judgement | None, words: Words) -> str:
    """Return a judgement; a dash for none."""
    return words(f"judgement_{judgement}") if judgement else NONE


def pair_words(pair: Sequence[SystemName], words: Words) -> str:
    """Return the names of two systems."""
    return " – ".join(words(f"system_{name}") for name in pair)


def figure_words(figure: Figure, *, percent: bool = False) -> str:
    """Return a figure with its interval in brackets."""

    def text(value: float | None) -> str:
        return number(None if value is None else value * 100, 1) if percent else number(value, 3)

    if figure.interval is None or figure.value is None:
        return text(figure.value)
    return f"{text(figure.value)} ({text(figure.interval.low)}–{text(figure.interval.high)})"


def _table(
    title: str, titles: Sequence[str], rows: Iterable[tuple[str, ...]], *, numeric: bool = False
) -> Table:
    """Return a table; all columns of a ``numeric`` one but the first are set right."""
    first, *rest = titles
    others = (TableColumn(name, right=numeric) for name in rest)
    return Table((TableColumn(first, _FIRST_SHARE), *others), tuple(rows), title)


def _listed(battery_ids: Sequence[str]) -> str:
    return f"{len(battery_ids)}: {', '.join(battery_ids)}" if battery_ids else "0"


def _by_slot(models: Iterable[ModelProvenance]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for model in models:
        found.setdefault(model.slot, []).append(f"{model.name} ({model.sha256[:12]})")
    return {slot: ", ".join(names) for slot, names in found.items()}


def _shown(rows: Sequence[tuple[str, ...]], words: Words) -> tuple[tuple[str, ...], ...]:
    """Return the first rows, and how many more there are."""
    if len(rows) <= CHANGES_SHOWN:
        return tuple(rows)
    more = words("comparison_more", count=len(rows) - CHANGES_SHOWN)
    return (*rows[:CHANGES_SHOWN], (more, *[""] * (len(rows[0]) - 1)))
