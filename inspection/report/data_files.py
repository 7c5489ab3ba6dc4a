"""The report's data files, which other systems read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from inspection.report.model import SessionReport, image_names
from inspection.report.words import Words
from inspection.results import BatteryResult
from inspection.session.record import SessionRecord

CsvCell = str | float | None
BOM = "\ufeff"
"""Without it Excel reads Korean as the system's own code page."""
# A cell that begins so is a formula to a spreadsheet; full-width signs count in East Asian ones.
_FORMULA_STARTS = tuple("=+-@＝＋－＠\t\r")


def csv_file(names: Sequence[str], rows: Iterable[Sequence[CsvCell]]) -> bytes:
    """Return a table as UTF-8 CSV that Excel opens in Korean, without formulas.

    Figures are written with six decimals; text that a spreadsheet would run is led by a quote.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    for row in rows:
        cells = list(row)
        for place, cell in enumerate(cells):
            if isinstance(cell, float):
                cells[place] = round(cell, 6)
            elif isinstance(cell, str):
                risky = cell.startswith(_FORMULA_STARTS)
                risky = risky or cell.lstrip().startswith(_FORMULA_STARTS)
                cells[place] = f"'{cell}" if risky else cell
        writer.writerow(cells)
    return (BOM + text.getvalue()).encode("utf-8")


def json_file(document: Any) -> bytes:
    """Return a JSON document, its Korean readable."""
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode("utf-8")


def models_json(session: SessionRecord, words: Words) -> bytes:
    """Return ``models.json``: what judged, as the session records it, with the same ``note``.

    It is no part of ``result.json``, whose keys are agreed.
    """
    models = [
        {**model.model_dump(mode="json"), "note": words("model_demo") if model.demo else None}
        for model in session.models
    ]
    return json_file({"job_id": session.run_id, "models": models})


def gate_json(report: SessionReport) -> bytes:
    """Return ``gate.json``: how many images and batteries each check of the gate stopped."""
    checks = {c.check: {"images": c.images, "batteries": c.batteries} for c in report.gate}
    return json_file({"job_id": report.session.run_id, "checks": checks})


def audit_json(report: SessionReport, words: Words) -> bytes:
    """Return ``audit.json``: what can be vouched for, who signed, and all that people have said.

    Problems name their place in ``params``; the first one is the first broken place.
    """
    signatures = [one.model_dump(mode="json") for one in report.session.signatures]
    decisions = [{"line": one.sequence, **one.content} for one in report.audit]
    images = [
        {"line": line, **said.model_dump(mode="json")} for line, said in report.said_of_images
    ]
    problems = [
        {**one.model_dump(mode="json"), "text": one.text(words.language)}
        for one in report.seal.problems
    ]
    return json_file(
        {
            "job_id": report.session.run_id,
            "seal": {
                "state": report.seal.state,
                "keys": list(report.seal.keys),
                "lines": report.seal.lines,
                "problems": problems,
            },
            "signatures": signatures,
            "changed_after_signing": report.changed_after_signing,
            "decisions": decisions,
            "images": images,
        }
    )


def result_json(session: SessionRecord, results: Iterable[BatteryResult]) -> bytes:
    """Return ``result.json``: every image with what each system said of it.

    ``timestamp`` is when the session began. A CT image has ``cnn`` and a null ``autoencoder``,
    an RGB image the reverse; where a CT autoencoder is installed, a CT image that it judged has
    ``ct_autoencoder`` too. ``vlm`` and ``vlg`` are null on images that they did not look at. The
    fields of an image that a system could not judge are null, so that it reads neither as normal
    nor as not asked. An answer of the VLM that could not be read is its own ``reason``. Where the
    VLG took a spot for something else too, ``vlg`` has the ``alternatives`` of each box.
    """
    images = []
    for result in results:
        ensemble = {image.image: image for image in result.images}
        vlm = {image.image: image for image in (result.vlm.images if result.vlm else [])}
        vlg = {image.image: image for image in (result.vlg.images if result.vlg else [])}
        for name in image_names(result):
            row: dict[str, Any] = {"image_id": name}
            row |= dict.fromkeys(("cnn", "autoencoder", "vlm", "vlg"))
            if (image := ensemble.get(name)) is not None and image.modality == "ct":
                confidence = image.probabilities.get(image.pred_label or "")
                row["cnn"] = {"pred": image.pred_label, "confidence": confidence}
                if image.ct_ae_score is not None and image.ct_ae_threshold is not None:
                    row["ct_autoencoder"] = {
                        "score": image.ct_ae_score,
                        "threshold": image.ct_ae_threshold,
                        "is_anomaly": image.ct_ae_score > image.ct_ae_threshold,
                    }
            elif image is not None:
                row["autoencoder"] = {
                    "score": image.pred_score,
                    "threshold": image.threshold,
                    "is_anomaly": image.is_anomaly,
                }
            if (answer := vlm.get(name)) is not None:
                reason = answer.explanation or answer.answer if answer.state == "done" else None
                row["vlm"] = {"judgement": answer.prediction, "reason": reason}
            if (found := vlg.get(name)) is not None and found.state == "failed":
                row["vlg"] = {"bboxes": None, "scores": None}
            elif found is not None:
                boxes = [{"x": box.x, "y": box.y, "w": box.w, "h": box.h} for box in found.bboxes]
                row["vlg"] = {"bboxes": boxes, "scores": list(found.scores)}
                if any(found.alternatives):
                    told = [[one.model_dump() for one in spot] for spot in found.alternatives]
                    row["vlg"]["alternatives"] = told
            images.append(row)
    return json_file(
        {
            "job_id": session.run_id,
            "timestamp": session.created_at.isoformat(),
            "total_images": len(images),
            "images": images,
        }
    )
