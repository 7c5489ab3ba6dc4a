"""The comparison as data files: ``comparison.csv``, ``comparison_figures.csv``, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from inspection.agreement.battery import PAIRS, BatteryComparison, Cell, ImageComparison
from inspection.comparison.bootstrap import Interval
from inspection.comparison.changes import SessionChanges
from inspection.comparison.figures import Figure
from inspection.comparison.session import SessionComparison
from inspection.messages import Language
from inspection.report.tables import Cell as CsvCell
from inspection.report.tables import csv_file, rounded
from inspection.results import SYSTEMS

_CELL_COLUMNS = ("state", "judgement", "defect_type", "confidence", "boxes", "seconds")
COMPARISON_COLUMNS = (
    "job_id",
    "battery_id",
    "image_id",
    "modality",
    "chosen",
    "label",
    "agreement",
    "type_agreement",
    *(f"{system}_{name}" for system in SYSTEMS for name in _CELL_COLUMNS),
    *(f"iou_{first}_{second}" for first, second in PAIRS),
    "vlm_explanation",
)
FIGURE_COLUMNS = ("job_id", "chosen", "of", "figure", "value", "low", "high", "interval", "count")
CHANGE_COLUMNS = ("what", "battery_id", "name", "before", "after")


def comparison_csv(compared: Sequence[SessionComparison]) -> bytes:
    """Return ``comparison.csv``: one row an image with every system's word on it.

    ``agreement`` is ``agree``, ``conflict`` or ``open`` (an abstention agrees with nothing);
    boxes are ``x y w h score`` in source pixels, separated by semicolons; ``label`` is the class
    by the label where it has one; ``chosen`` is how the image was chosen; the ``iou`` columns
    are the overlap of the best pair of boxes.
    """
    return csv_file(COMPARISON_COLUMNS, [row for one in compared for row in _image_rows(one)])


def figures_csv(compared: Sequence[SessionComparison]) -> bytes:
    """Return ``comparison_figures.csv``: one row a figure with its 95 % interval.

    ``of`` is a system, or two of them for how far they agree; ``count`` is the number of images
    or, for figures by labels, of labelled images. ``chosen`` is how the images were: any other way
    than ``sample`` is no fair choice, and ``worst_and_even`` favours the ensemble.
    """
    return csv_file(FIGURE_COLUMNS, [row for one in compared for row in _figure_rows(one)])


def changes_csv(changes: SessionChanges) -> bytes:
    """Return ``changes.csv``: one row a verdict, decision, model, setting or judgement."""
    return csv_file(CHANGE_COLUMNS, _change_rows(changes))


def comparison_json(
    compared: Sequence[SessionComparison], changes: SessionChanges | None, language: Language
) -> bytes:
    """Return the comparison as one JSON document; remarks are sentences in ``language``."""
    document: dict[str, Any] = {"sessions": [_session(one, language) for one in compared]}
    if changes is not None:
        document["changes"] = _changes(changes, language)
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode("utf-8")


def _image_rows(compared: SessionComparison) -> Iterator[list[CsvCell]]:
    labels = _labels(compared)
    for battery in compared.batteries:
        for image in battery.images:
            yield [
                compared.session.run_id,
                battery.battery_id,
                image.image,
                image.modality,
                battery.method,
                labels.get(image.image),
                image.judgement,
                image.defect_type,
                *_said(image),
            ]


def _said(image: ImageComparison) -> list[CsvCell]:
    row: list[CsvCell] = []
    for system in SYSTEMS:
        cell = image.cells[system]
        row += [
            cell.state,
            cell.judgement,
            cell.defect_type,
            rounded(cell.confidence),
            _boxes(cell),
            rounded(cell.seconds),
        ]
    for pair in PAIRS:
        found = image.overlaps.get(pair)
        row.append(rounded(found.best) if found else None)
    return [*row, image.cells["vlm"].explanation]


def _labels(compared: SessionComparison) -> dict[str, str | None]:
    return {i.comparison.image: i.truth.name for i in compared.images if i.truth is not None}


def _boxes(cell: Cell) -> str:
    return "; ".join(
        " ".join(str(part) for part in (b.x, b.y, b.w, b.h, rounded(b.score)) if part is not None)
        for b in cell.boxes
    )


def _figure_rows(compared: SessionComparison) -> Iterator[list[CsvCell]]:
    methods = sorted({battery.method for battery in compared.batteries if battery.method})
    lead: list[CsvCell] = [compared.session.run_id, " ".join(methods)]
    for found in compared.figures:
        for name, figure in found.figures.items():
            plain = name in ("review_rate", "seconds")
            count = found.images if plain else found.labelled
            yield [*lead, found.system, name, *_values(figure), count]
    for pair in compared.pairs:
        of = "-".join(pair.pair)
        yield [*lead, of, "agreement", *_values(pair.agreement), pair.decided]
        yield [*lead, of, "box_overlap", *_values(pair.overlap), pair.located]


def _values(figure: Figure) -> list[CsvCell]:
    interval = figure.interval
    if interval is None:
        return [rounded(figure.value), None, None, None]
    low, high = rounded(interval.low), rounded(interval.high)
    return [rounded(figure.value), low, high, interval.method]


def _change_rows(changes: SessionChanges) -> Iterator[list[CsvCell]]:
    for verdict in changes.verdicts:
        old = _joined(verdict.before, verdict.type_before)
        new = _joined(verdict.after, verdict.type_after)
        yield ["verdict", verdict.battery_id, None, old, new]
    for decision in changes.decisions:
        yield ["decision", decision.battery_id, None, decision.before, decision.after]
    for model in changes.models_before:
        yield ["model", None, model.slot, f"{model.name} {model.sha256}", None]
    for model in changes.models_after:
        yield ["model", None, model.slot, None, f"{model.name} {model.sha256}"]
    for setting in changes.settings:
        yield ["setting", None, setting.name, setting.before, setting.after]
    for system in changes.systems:
        for change in system.changes:
            name = f"{change.system} {change.image}"
            yield ["judgement", change.battery_id, name, change.before, change.after]


def _joined(kind: str | None, defect_type: str | None) -> str | None:
    return f"{kind} {defect_type}" if kind and defect_type else kind


def _session(compared: SessionComparison, language: Language) -> dict[str, Any]:
    labels = _labels(compared)
    return {
        "run_id": compared.session.run_id,
        "lot": compared.session.lot.path,
        "systems": list(compared.systems),
        "remarks": [remark.text(language) for remark in compared.remarks],
        "figures": {
            found.system: {
                "images": found.images,
                "decided": found.decided,
                "labelled": found.labelled,
                "defects": found.defects,
                **{name: _figure(figure) for name, figure in found.figures.items()},
            }
            for found in compared.figures
        },
        "pairs": [
            {
                "systems": list(pair.pair),
                "decided": pair.decided,
                "agreed": pair.agreed,
                "abstained": pair.abstained,
                "agreement": _figure(pair.agreement),
                "typed": pair.typed,
                "types_agreed": pair.types_agreed,
                "located": pair.located,
                "box_overlap": _figure(pair.overlap),
            }
            for pair in compared.pairs
        ],
        "batteries": [_battery(battery, labels, language) for battery in compared.batteries],
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {"value": figure.value, "interval": _interval(figure.interval)}


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None else asdict(interval)


def _battery(
    battery: BatteryComparison, labels: dict[str, str | None], language: Language
) -> dict[str, Any]:
    return {
        "battery_id": battery.battery_id,
        "chosen": battery.method,
        "agreement": battery.judgement,
        "type_agreement": battery.defect_type,
        "conflict": battery.conflict,
        "systems": {name: _cell(cell, language) for name, cell in battery.cells.items()},
        "images": [
            {
                "image_id": image.image,
                "modality": image.modality,
                "label": labels.get(image.image),
                "agreement": image.judgement,
                "type_agreement": image.defect_type,
                "systems": {name: _cell(cell, language) for name, cell in image.cells.items()},
                "box_overlap": {"-".join(pair): asdict(o) for pair, o in image.overlaps.items()},
            }
            for image in battery.images
        ],
    }


def _cell(cell: Cell, language: Language) -> dict[str, Any]:
    return {
        "state": cell.state,
        "judgement": cell.judgement,
        "defect_type": cell.defect_type,
        "confidence": cell.confidence,
        "bboxes": [box.model_dump(exclude_none=True) for box in cell.boxes],
        "explanation": cell.explanation,
        "seconds": cell.seconds,
        "reason": cell.reason.text(language) if cell.reason else None,
    }


def _changes(changes: SessionChanges, language: Language) -> dict[str, Any]:
    return {
        "before": changes.before.run_id,
        "after": changes.after.run_id,
        "problem": changes.problem.text(language) if changes.problem else None,
        "batteries": changes.batteries,
        "only_before": list(changes.only_before),
        "only_after": list(changes.only_after),
        "verdicts": [asdict(change) for change in changes.verdicts],
        "decisions": [
            {"battery_id": c.battery_id, "before": c.before, "after": c.after}
            for c in changes.decisions
        ],
        "models_before": [model.model_dump(mode="json") for model in changes.models_before],
        "models_after": [model.model_dump(mode="json") for model in changes.models_after],
        "settings": [asdict(change) for change in changes.settings],
        "systems": [asdict(found) for found in changes.systems],
    }
