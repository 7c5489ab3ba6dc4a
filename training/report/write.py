"""Writes an evaluation: pictures, one HTML file that needs nothing else, and JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from inspection.atomic import write_atomic
from inspection.messages import Language
from inspection.report.pictures import Jpeg
from training.evaluation.evaluate import Evaluation
from training.evaluation.judge import JudgedImage
from training.report.compose import compose
from training.report.pictures import draw_pictures
from training.report.thumbnails import Misjudged
from training.report.view import EvaluationView, Words

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
    view = compose(evaluation, misjudged, language, at)
    (out / PICTURES_NAME).mkdir(parents=True, exist_ok=True)
    for stem, png in pictures.items():
        write_atomic(out / PICTURES_NAME / f"{stem}.png", png)
    document = as_document(evaluation) | {"created_at": at.isoformat(timespec="seconds")}
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(out / JSON_NAME, text + "\n")
    write_atomic(out / HTML_NAME, render(view, pictures, Words.of(language)))
    return out / HTML_NAME


def as_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return the figures with every misjudged image by name: what ``evaluation.json`` holds."""
    images = {slot: _misjudged(evaluation.images(slot)) for slot in evaluation.slots}
    return evaluation.figures | {"misjudged_images": images}


def render(view: EvaluationView, pictures: Mapping[str, bytes], words: Words) -> bytes:
    """Return the page as UTF-8 HTML: pictures inside, no script, nothing loaded from outside."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def png_uri(stem: str) -> str:
        return _uri("image/png", pictures[stem])

    def jpeg_uri(jpeg: Jpeg) -> str:
        return _uri("image/jpeg", jpeg.data)

    template = environment.get_template("evaluation.html.j2")
    page = template.render(view=view, words=words, png_uri=png_uri, jpeg_uri=jpeg_uri)
    return page.encode("utf-8")


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _misjudged(images: Sequence[JudgedImage]) -> dict[str, list[dict[str, Any]]]:
    known = [image for image in images if image.truth.name and not image.error]
    missed = [i for i in known if i.truth.is_defect and i.score <= i.threshold]
    alarms = [i for i in known if not i.truth.is_defect and i.score > i.threshold]
    failed = [
        {"battery": i.battery, "file": i.ref.path.name, "problem": i.error.text("en")}
        for i in images
        if i.error
    ]
    return {
        "escapes": [_row(image) for image in missed],
        "overkills": [_row(image) for image in alarms],
        "failed": failed,
    }


def _row(image: JudgedImage) -> dict[str, Any]:
    return {
        "battery": image.battery,
        "file": image.ref.path.name,
        "label": image.truth.name,
        "predicted": image.pred_label,
        "score": image.score,
    }
