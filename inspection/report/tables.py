"""The report's data files: ``summary.csv``, ``batteries.csv``, ``result.json``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from inspection.report.model import Entry, Report
from inspection.report.sections import reasons
from inspection.report.words import Words
from inspection.results import BatteryResult, ImageResult, SessionRecord

SUMMARY_COLUMNS = (
    "job_id",
    "total_images",
    "defect_count",
    "normal_count",
    "avg_confidence",
    "processing_time",
)
BATTERY_COLUMNS = (
    "battery_id",
    "ct_id",
    "rgb_id",
    "state",
    "kind",
    "decision",
    "final_kind",
    "defect_type",
    "fused_score",
    "cnn_prob",
    "ae_score",
    "reasons",
    "seconds",
    "operator",
    "decision_reason",
    "comment",
    "decided_at",
)
BOM = "\ufeff"
"""Without it Excel reads Korean as the system's own code page."""
# A cell that begins so is a formula to a spreadsheet; full-width signs count in East Asian ones.
_FORMULA_STARTS = tuple("=+-@＝＋－＠\t\r")

Cell = str | float | None


def summary_csv(report: Report) -> bytes:
    """Return ``summary.csv``: one row for the job.

    ``job_id`` is the session's run id. ``total_images`` counts the images with a record in the
    reported batteries, those that could not be judged included, so it is the length of
    ``images`` in ``result.json``. ``defect_count`` and ``normal_count`` count *batteries* by
    their final kind, the operator's decision where there is one: internal, external and
    composite defects are defects, and only ``normal`` is normal. Review and not inspected
    batteries count as neither, so the two may add up to less than the batteries of the lot.
    ``avg_confidence`` is the mean confidence of the ensemble over the batteries that have one,
    empty where none has. ``processing_time`` is the sum of the batteries' seconds.
    """
    totals = report.totals
    confidences = [
        entry.result.ensemble.confidence
        for entry in report.entries
        if entry.result and entry.result.ensemble and entry.result.ensemble.confidence is not None
    ]
    mean = sum(confidences) / len(confidences) if confidences else None
    row: list[Cell] = [
        report.session.run_id,
        sum(entry.image_count for entry in report.entries),
        totals.defects,
        totals.final["normal"],
        rounded(mean),
        rounded(sum(entry.summary.seconds for entry in report.entries)),
    ]
    return csv_file(SUMMARY_COLUMNS, [row])


def batteries_csv(report: Report, words: Words) -> bytes:
    """Return ``batteries.csv``: one row a battery, in the session's order.

    ``kind`` is the station's verdict, ``final_kind`` the operator's where there is a
    ``decision`` (``accept`` or ``override``; empty where not yet decided). Times are ISO 8601.
    """
    return csv_file(BATTERY_COLUMNS, [_battery_row(entry, words) for entry in report.entries])


def _battery_row(entry: Entry, words: Words) -> list[Cell]:
    summary, decision = entry.summary, entry.decision
    return [
        summary.battery_id,
        summary.ct_id,
        summary.rgb_id,
        summary.state,
        entry.station_kind,
        decision.action if decision else None,
        entry.final_kind,
        summary.defect_type,
        rounded(summary.fused_score),
        rounded(summary.cnn_prob),
        rounded(summary.ae_score),
        " | ".join(reasons(entry, words)),
        rounded(summary.seconds),
        decision.operator if decision else None,
        decision.reason if decision else None,
        decision.comment if decision else None,
        decision.decided_at.isoformat() if decision else None,
    ]


def result_json(session: SessionRecord, results: Iterable[BatteryResult]) -> bytes:
    """Return ``result.json``: every image with what each system said of it.

    ``timestamp`` is when the session began. A CT image has ``cnn`` and a null ``autoencoder``,
    an RGB image the reverse; the fields of an image that could not be judged are null, so that
    it reads neither as normal nor as not asked. ``vlm`` is the judgement of the image's
    battery, null where the system did not judge it. A session keeps the boxes of ``vlg`` for a
    battery without naming the image they were found on, so they are given where a battery has
    one image, and are null elsewhere: a box on the wrong image would be false evidence.
    """
    images = [_image_row(image, result) for result in results for image in result.images]
    document = {
        "job_id": session.run_id,
        "timestamp": session.created_at.isoformat(),
        "total_images": len(images),
        "images": images,
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode("utf-8")


def _image_row(image: ImageResult, result: BatteryResult) -> dict[str, Any]:
    return {
        "image_id": image.image,
        "cnn": _cnn(image) if image.modality == "ct" else None,
        "autoencoder": _autoencoder(image) if image.modality == "rgb" else None,
        "vlm": _vlm(result),
        "vlg": _vlg(result),
    }


def _cnn(image: ImageResult) -> dict[str, Any]:
    confidence = image.probabilities.get(image.pred_label or "")
    return {"pred": image.pred_label, "confidence": confidence}


def _autoencoder(image: ImageResult) -> dict[str, Any]:
    return {
        "score": image.pred_score,
        "threshold": image.threshold,
        "is_anomaly": image.is_anomaly,
    }


def _vlm(result: BatteryResult) -> dict[str, Any] | None:
    if result.vlm is None:
        return None
    return {"judgement": result.vlm.prediction, "reason": result.vlm.explanation}


def _vlg(result: BatteryResult) -> dict[str, Any] | None:
    if result.vlg is None or len(result.images) != 1:
        return None
    boxes = [{"x": box.x, "y": box.y, "w": box.w, "h": box.h} for box in result.vlg.bboxes]
    return {"bboxes": boxes, "scores": list(result.vlg.scores)}


def csv_file(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return a table as UTF-8 CSV that Excel opens in Korean, without formulas."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return (BOM + text.getvalue()).encode("utf-8")


def _safe(cell: Cell) -> Cell:
    """Return a cell that no spreadsheet runs as a formula: text that would is led by a quote."""
    if isinstance(cell, str) and (
        cell.startswith(_FORMULA_STARTS) or cell.lstrip().startswith(_FORMULA_STARTS)
    ):
        return f"'{cell}"
    return cell


def rounded(value: float | None) -> float | None:
    """Return a figure with the digits that it is written with."""
    return None if value is None else round(value, 6)
