"""The systems' figures and agreement, and what changed between sessions, as worded tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inspection.agreement.battery import Cell
from inspection.comparison.changes import SessionChanges, VerdictChange
from inspection.comparison.figures import (
    LABELLED_FIGURES,
    PLAIN_FIGURES,
    Figure,
    FigureName,
    SystemFigures,
)
from inspection.comparison.session import SessionComparison
from inspection.report.view import TextTable
from inspection.report.words import NONE, Words, number
from inspection.results import SYSTEMS, Judgement, ModelProvenance, SystemName

CHANGES_SHOWN = 40
"""Rows of a table of changes; the files have all."""
_PLAIN_NUMBERS = frozenset({"seconds", "mean_iou"})


def figures_tables(compared: Sequence[SessionComparison], words: Words) -> list[TextTable]:
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
            tables.append(
                _figures_table(
                    f"{words(f'system_{system}')}: {title}",
                    [one.session.run_id for one, _ in found],
                    [figures for _, figures in found],
                    words,
                )
            )
    return tables


def _figures_table(
    title: str, names: Sequence[str], columns: Sequence[SystemFigures], words: Words
) -> TextTable:
    rows = [
        _row(words("comparison_images"), [str(f.images) for f in columns]),
        _row(words("comparison_decided"), [str(f.decided) for f in columns]),
    ]
    shown: tuple[FigureName, ...] = PLAIN_FIGURES
    if any(f.labelled for f in columns):
        shown = (*LABELLED_FIGURES, *PLAIN_FIGURES)
        counts = [f"{f.labelled} / {f.defects}" for f in columns]
        rows.append(_row(words("comparison_labelled"), counts))
    rows += [
        _row(words(f"comparison_{name}"), [_of(name, figures) for figures in columns])
        for name in shown
    ]
    return TextTable(title, ("", *names), tuple(rows), numeric=True)


def agreement_table(compared: SessionComparison, words: Words) -> TextTable:
    """Return how far each two systems agree."""
    columns = ("pair", "agreed", "agreement", "abstained", "types_agreed", "overlap")
    rows = tuple(
        (
            pair_words(found.pair, words),
            f"{found.agreed} / {found.decided}",
            figure_words(found.agreement, percent=True),
            str(found.abstained),
            f"{found.types_agreed} / {found.typed}",
            figure_words(found.overlap),
        )
        for found in compared.pairs
    )
    header = tuple(words(f"comparison_{name}") for name in columns)
    return TextTable(words("comparison_agreement_table"), header, rows, numeric=True)


def conflicts_table(compared: SessionComparison, words: Words) -> TextTable:
    """Return the batteries on which the systems contradict each other."""
    rows = [
        (
            battery.battery_id,
            *(cell_words(battery.cells[name], words) for name in compared.systems),
            ", ".join(image.image for image in battery.images if image.conflict) or NONE,
        )
        for battery in compared.conflicts
    ]
    header = (
        words("battery"),
        *(words(f"system_{name}") for name in compared.systems),
        words("comparison_conflicting_images"),
    )
    return TextTable(words("comparison_conflicts"), header, _shown(rows, words))


def change_tables(changes: SessionChanges, words: Words) -> list[TextTable]:
    """Return what changed, each kind of change in a table; kinds without any are left out."""
    sides = (words("comparison_before"), words("comparison_after"))
    battery = words("battery")
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
    settings = [(s.name, s.before or NONE, s.after or NONE) for s in changes.settings]
    tables = (
        (words("comparison_summary"), (words("comparison_what"), words("comparison_count")),
         _summary(changes, words)),
        (words("comparison_verdicts"), (battery, *sides), _verdicts(changes.verdicts, words)),
        (words("comparison_decisions"), (battery, *sides), _decisions(changes.decisions, words)),
        (words("models"), (words("model_slot"), *sides), _models(changes)),
        (words("policy"), (words("comparison_setting"), *sides), settings),
        (words("comparison_judgements"),
         (words("comparison_system"), battery, words("comparison_image"), *sides), judgements),
    )  # fmt: skip
    return [TextTable(title, head, _shown(rows, words)) for title, head, rows in tables if rows]


def cell_words(cell: Cell, words: Words) -> str:
    """Return a system's judgement with the defect type, or that there is none."""
    if cell.state == "failed":
        return words("state_failed")
    said = judgement_words(cell.judgement, words)
    return f"{said}: {words.defect(cell.defect_type)}" if cell.defect_type else said


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


def _of(name: FigureName, figures: SystemFigures) -> str:
    figure = figures.figures.get(name)
    return NONE if figure is None else figure_words(figure, percent=name not in _PLAIN_NUMBERS)


def _row(name: str, cells: Iterable[str]) -> tuple[str, ...]:
    return (name, *cells)


def _summary(changes: SessionChanges, words: Words) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (words("comparison_common"), str(changes.batteries)),
        (words("comparison_only_before"), _listed(changes.only_before)),
        (words("comparison_only_after"), _listed(changes.only_after)),
        (words("comparison_verdicts"), str(len(changes.verdicts))),
        (words("comparison_decisions"), str(len(changes.decisions))),
    ]
    for found in changes.systems:
        name = words("comparison_judged_otherwise", system=words(f"system_{found.system}"))
        rows.append((name, f"{len(found.changes)} / {found.images}"))
    return rows if changes.problem is None else []


def _listed(battery_ids: Sequence[str]) -> str:
    return f"{len(battery_ids)}: {', '.join(battery_ids)}" if battery_ids else "0"


def _verdicts(found: Sequence[VerdictChange], words: Words) -> list[tuple[str, ...]]:
    return [
        (
            change.battery_id,
            _kind(change.before, change.type_before, words),
            _kind(change.after, change.type_after, words),
        )
        for change in found
    ]


def _decisions(found: Sequence[VerdictChange], words: Words) -> list[tuple[str, ...]]:
    undecided = words("decision_none")
    return [
        (
            change.battery_id,
            words.kind(change.before).text if change.before else undecided,
            words.kind(change.after).text if change.after else undecided,
        )
        for change in found
    ]


def _kind(kind: str | None, defect_type: str | None, words: Words) -> str:
    text = words(f"kind_{kind}") if kind else NONE
    return f"{text}: {words.defect(defect_type)}" if defect_type else text


def _models(changes: SessionChanges) -> list[tuple[str, ...]]:
    before = _by_slot(changes.models_before)
    after = _by_slot(changes.models_after)
    slots = dict.fromkeys([*before, *after])
    return [(slot, before.get(slot, NONE), after.get(slot, NONE)) for slot in slots]


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
