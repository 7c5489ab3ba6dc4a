"""Writes an evaluation: pictures, one HTML file that needs nothing else, and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inspection.atomic import write_atomic
from inspection.messages import Language
from inspection.report.html import html_file
from training.evaluation.evaluate import Evaluation
from training.evaluation.judge import JudgedImage
from training.report.content import evaluation_document
from training.report.model_figures import misjudged_images
from training.report.pictures import draw_pictures
from training.report.thumbnails import Misjudged

HTML_NAME, JSON_NAME, PICTURES_NAME = "evaluation.html", "evaluation.json", "pictures"


def write_report(
    evaluation: Evaluation, misjudged: Sequence[Misjudged], out: Path, language: Language = "en"
) -> Path:
    """Write ``evaluation.html``, ``evaluation.json`` and ``pictures/*.png`` and return the page.

    Each file is written in one step; the page, which shows the others, comes last.

    Parameters
    ----------
    evaluation : figures and judged batteries
    misjudged : batteries with pictures, the worst first
    out : folder, made where it is missing
    language : of the page; the charts' captions are English

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    at = datetime.now(UTC)
    pictures = draw_pictures(evaluation)
    document = evaluation_document(evaluation, misjudged, pictures, language, at)
    (out / PICTURES_NAME).mkdir(parents=True, exist_ok=True)
    for stem, png in pictures.items():
        write_atomic(out / PICTURES_NAME / f"{stem}.png", png)
    figures = as_document(evaluation) | {"created_at": at.isoformat(timespec="seconds")}
    text = json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(out / JSON_NAME, text + "\n")
    write_atomic(out / HTML_NAME, html_file(document))
    return out / HTML_NAME


def as_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return the figures with every misjudged image by name: what ``evaluation.json`` holds."""

    def row(image: JudgedImage) -> dict[str, Any]:
        return {
            "battery": image.battery,
            "file": image.ref.file_name,
            "label": image.truth.name,
            "predicted": image.pred_label,
            "score": image.score,
        }

    images = {}
    for slot in evaluation.slots:
        missed, alarms, failed = misjudged_images(evaluation.images(slot))
        images[slot] = {
            "escapes": [row(image) for image in missed],
            "overkills": [row(image) for image in alarms],
            "failed": [
                {"battery": i.battery, "file": i.ref.file_name, "problem": i.error.text("en")}
                for i in failed
                if i.error
            ],
        }
    return evaluation.figures | {"misjudged_images": images}
