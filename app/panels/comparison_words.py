"""What the comparison says: the systems' results so far, and the words for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.lot.review import BatteryView
from app.wording import (
    DASH,
    class_text,
    judgement_text,
    score_and_threshold_text,
    score_text,
    spot_words,
    system_text,
    tr,
)
from inspection.results import (
    BatteryResult,
    ImageResult,
    SystemName,
    Verdict,
    VlgImage,
    VlgResult,
    VlmImage,
    VlmResult,
)
from inspection.run.status import LiveAnswers

if TYPE_CHECKING:
    from inspection.agreement.battery import BatteryComparison, ImageComparison

CLASSES_SHOWN = 3


def result_so_far(
    view: BatteryView, live: Mapping[SystemName, LiveAnswers]
) -> BatteryResult | None:
    """Return a battery's result with what was answered of images since; None before any word.

    Parameters
    ----------
    live : what the VLM and the VLG are at; goes before what they said earlier
    """
    result, row = view.result, view.row
    answered = [
        answer
        for system, said in live.items()
        if said.battery_id == row.battery_id and row.systems.get(system) != "done"
        for answer in said.answered
    ]
    if result is None and answered:
        result = BatteryResult(
            battery_id=row.battery_id,
            state="running",
            systems=dict(row.systems),
            verdict=Verdict(kind="not_inspected"),
        )
    if result is None:
        return None
    news: dict[str, VlmResult | VlgResult] = {}
    if vlm := [answer for answer in answered if isinstance(answer, VlmImage)]:
        news["vlm"] = VlmResult(prediction="review", explanation="", images=vlm)
    if vlg := [answer for answer in answered if isinstance(answer, VlgImage)]:
        news["vlg"] = VlgResult(images=vlg)
    return result.model_copy(update=news)


def image_words(image: ImageComparison) -> str:
    """Return an image's modality, axis and number."""
    axis = f" {image.axis}" if image.axis else ""
    return f"{image.modality.upper()}{axis} {image.number}"


def battery_words(comparison: BatteryComparison) -> str:
    """Return every system's word on the battery as a whole."""
    words = []
    for system, cell in comparison.cells.items():
        word = judgement_text(cell.judgement) if cell.judgement else DASH
        kind = f" ({class_text(cell.defect_type)})" if cell.defect_type else ""
        words.append(f"{system_text(system)}: {word}{kind}")
    return " · ".join(words)


def overlap_words(image: ImageComparison | None) -> str:
    """Return how far the systems' boxes lie on each other."""
    if image is None:
        return ""
    if not image.overlaps:
        return tr("IoU of the boxes: no two systems have boxes here.")
    pairs = [
        f"{system_text(first)} – {system_text(second)} {score_text(found.best, 2)}"
        for (first, second), found in image.overlaps.items()
    ]
    text = tr("IoU of the boxes, best pair: {pairs}")
    return text.format(pairs=" · ".join(pairs))


def detail_words(result: BatteryResult, system: SystemName, image: str) -> tuple[str, ...]:
    """Return what only one system gives of an image: probabilities, a score, or phrases."""
    found = next((one for one in result.images_of(system) if one.image == image), None)
    if isinstance(found, VlgImage):
        boxes = zip(found.phrases, found.scores, strict=True)
        return tuple(
            f"{score_text(score, 2)}  {spot_words(found, number)} ({phrase})"
            for number, (phrase, score) in enumerate(boxes)
        )
    if not isinstance(found, ImageResult):
        return ()
    if found.probabilities:
        ranked = sorted(found.probabilities.items(), key=lambda item: -item[1])
        return tuple(
            f"{score_text(value, 2)}  {class_text(name)}" for name, value in ranked[:CLASSES_SHOWN]
        )
    return () if found.pred_score is None else (score_and_threshold_text(found),)
