"""The comparison as data files: ``comparison.csv``, ``comparison_figures.csv``, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from inspection.agreement.battery import PAIRS
from inspection.agreement.cells import Cell
from inspection.comparison.changes import SessionChanges
from inspection.comparison.figures import PLAIN_FIGURES, Figure
from inspection.comparison.session import SessionComparison
from inspection.messages import Language
from inspection.report.data_files import CsvCell, csv_file, json_file
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
    rows = []
    for one in compared:
        labels = _labels(one)
        for battery, image in ((b, image) for b in one.batteries for image in b.images):
            row: list[CsvCell] = [one.session.run_id, battery.battery_id, image.image]
            row += [image.modality, battery.method, labels.get(image.image)]
            row += [image.judgement, image.defect_type]
            for cell in (image.cells[system] for system in SYSTEMS):
                boxes = []
                for box in cell.boxes:
                    score = None if box.score is None else round(box.score, 6)
                    parts = (box.x, box.y, box.w, box.h, score)
                    boxes.append(" ".join(str(part) for part in parts if part is not None))
                row += [cell.state, cell.judgement, cell.defect_type, cell.confidence]
                row += ["; ".join(boxes), cell.seconds]
            overlaps = (image.overlaps.get(pair) for pair in PAIRS)
            row += [found.best if found else None for found in overlaps]
            rows.append([*row, image.cells["vlm"].explanation])
    return csv_file(COMPARISON_COLUMNS, rows)


def figures_csv(compared: Sequence[SessionComparison]) -> bytes:
    """Return ``comparison_figures.csv``: one row a figure with its 95 % interval.

    ``of`` is a system, or two of them for how far they agree; ``count`` is the number of images
    or, for figures by labels, of labelled images. ``chosen`` is how the images were: any other way
    than ``sample`` is no fair choice, and ``worst_and_even`` favours the ensemble.
    """
    rows: list[list[CsvCell]] = []
    for one in compared:
        methods = sorted({battery.method for battery in one.batteries if battery.method})
        figures: list[tuple[str, str, Figure, int]] = []
        for system in one.figures:
            for name, figure in system.figures.items():
                count = system.images if name in PLAIN_FIGURES else system.labelled
                figures.append((system.system, name, figure, count))
        for pair in one.pairs:
            of = "-".join(pair.systems)
            figures.append((of, "agreement", pair.agreement, pair.decided))
            figures.append((of, "box_overlap", pair.box_overlap, pair.located))
        for of, title, figure, count in figures:
            bounds = figure.interval
            interval = (bounds.low, bounds.high, bounds.method) if bounds else (None, None, None)
            lead = (one.session.run_id, " ".join(methods))
            rows.append([*lead, of, title, figure.value, *interval, count])
    return csv_file(FIGURE_COLUMNS, rows)


def changes_csv(changes: SessionChanges) -> bytes:
    """Return ``changes.csv``: one row a verdict, decision, model, setting or judgement."""

    def joined(kind: str | None, defect_type: str | None) -> str | None:
        return f"{kind} {defect_type}" if kind and defect_type else kind

    rows: list[Sequence[CsvCell]] = []
    for verdict in changes.verdicts:
        old = joined(verdict.before, verdict.type_before)
        new = joined(verdict.after, verdict.type_after)
        rows.append(("verdict", verdict.battery_id, None, old, new))
    for decision in changes.decisions:
        rows.append(("decision", decision.battery_id, None, decision.before, decision.after))
    for model in changes.models_before:
        rows.append(("model", None, model.slot, f"{model.name} {model.sha256}", None))
    for model in changes.models_after:
        rows.append(("model", None, model.slot, None, f"{model.name} {model.sha256}"))
    for setting in changes.settings:
        rows.append(("setting", None, setting.name, setting.before, setting.after))
    for change in (change for system in changes.systems for change in system.changes):
        name = f"{change.system} {change.image}"
        rows.append(("judgement", change.battery_id, name, change.before, change.after))
    return csv_file(CHANGE_COLUMNS, rows)


def comparison_json(
    compared: Sequence[SessionComparison], changes: SessionChanges | None, language: Language
) -> bytes:
    """Return the comparison as one JSON document; remarks are sentences in ``language``."""
    document: dict[str, Any] = {"sessions": [_session(one, language) for one in compared]}
    if changes is not None:
        document["changes"] = {
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
    return json_file(document)


def _labels(compared: SessionComparison) -> dict[str, str | None]:
    return {i.comparison.image: i.truth.name for i in compared.images if i.truth is not None}


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
                **{name: asdict(figure) for name, figure in found.figures.items()},
            }
            for found in compared.figures
        },
        "pairs": [asdict(pair) for pair in compared.pairs],
        "batteries": [
            {
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
                        "systems": {n: _cell(cell, language) for n, cell in image.cells.items()},
                        "box_overlap": {"-".join(p): asdict(o) for p, o in image.overlaps.items()},
                    }
                    for image in battery.images
                ],
            }
            for battery in compared.batteries
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
