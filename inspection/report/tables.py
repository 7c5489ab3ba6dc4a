"""The report's data files: ``summary.csv``, ``batteries.csv``, ``result.json``, and the models."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from inspection.report.model import Entry, Report, image_names
from inspection.report.sections import reasons
from inspection.report.words import Words
from inspection.results import (
    BatteryResult,
    ImageResult,
    ModelProvenance,
    SessionRecord,
    VlgImage,
    VlmImage,
)

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
MODEL_COLUMNS = ("slot", "name", "demo", "note", "sha256", "trained_at", "device", "prompt")
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


def models_csv(session: SessionRecord, words: Words) -> bytes:
    """Return ``models.csv``: one row a model that judged; ``note`` says what a demo model is."""
    return csv_file(MODEL_COLUMNS, [_model_row(model, words) for model in session.models])


def _model_row(model: ModelProvenance, words: Words) -> list[Cell]:
    return [
        model.slot,
        model.name,
        str(model.demo).lower(),
        words("model_demo") if model.demo else None,
        model.sha256,
        model.trained_at,
        model.device,
        model.prompt,
    ]


def models_json(session: SessionRecord, words: Words) -> bytes:
    """Return ``models.json``: what judged, as the session records it, with the same ``note``.

    It is no part of ``result.json``, whose keys are agreed.
    """
    models = [
        {**model.model_dump(mode="json"), "note": words("model_demo") if model.demo else None}
        for model in session.models
    ]
    document = {"job_id": session.run_id, "models": models}
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode("utf-8")


def result_json(session: SessionRecord, results: Iterable[BatteryResult]) -> bytes:
    """Return ``result.json``: every image with what each system said of it.

    ``timestamp`` is when the session began. A CT image has ``cnn`` and a null ``autoencoder``,
    an RGB image the reverse. ``vlm`` and ``vlg`` are null on images that they did not look at. The
    fields of an image that a system could not judge are null, so that it reads neither as normal
    nor as not asked. An answer of the VLM that could not be read is its own ``reason``.
    """
    images = [row for result in results for row in _image_rows(result)]
    document = {
        "job_id": session.run_id,
        "timestamp": session.created_at.isoformat(),
        "total_images": len(images),
        "images": images,
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode("utf-8")


def _image_rows(result: BatteryResult) -> Iterator[dict[str, Any]]:
    ensemble = {image.image: image for image in result.images}
    vlm = {image.image: image for image in (result.vlm.images if result.vlm else [])}
    vlg = {image.image: image for image in (result.vlg.images if result.vlg else [])}
    for name in image_names(result):
        image = ensemble.get(name)
        yield {
            "image_id": name,
            "cnn": _cnn(image) if image and image.modality == "ct" else None,
            "autoencoder": _autoencoder(image) if image and image.modality == "rgb" else None,
            "vlm": _vlm(vlm[name]) if name in vlm else None,
            "vlg": _vlg(vlg[name]) if name in vlg else None,
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


def _vlm(image: VlmImage) -> dict[str, Any]:
    judged = image.state == "done"
    return {
        "judgement": image.prediction,
        "reason": (image.explanation or image.answer) if judged else None,
    }


def _vlg(image: VlgImage) -> dict[str, Any]:
    if image.state == "failed":
        return {"bboxes": None, "scores": None}
    boxes = [{"x": box.x, "y": box.y, "w": box.w, "h": box.h} for box in image.bboxes]
    return {"bboxes": boxes, "scores": list(image.scores)}


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
