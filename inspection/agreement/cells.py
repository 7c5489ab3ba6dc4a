"""What one system says of an image, or of a battery, in the form common to all three. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from inspection.classes import class_table
from inspection.messages import Message
from inspection.results import (
    AnyImage,
    BatteryResult,
    Box,
    ImageResult,
    Judgement,
    SystemName,
    VlmImage,
)

CellState = Literal["done", "failed", "missing"]


@dataclass(frozen=True, slots=True)
class Cell:
    """What one system says of one image, or of the battery.

    Parameters
    ----------
    system : who speaks
    state : ``failed`` where it tried in vain; ``missing`` where it was not asked, or not yet
    judgement : None unless ``state`` is ``done``
    defect_type : only of a defect, and only where the system names types: the exterior
        autoencoder does not
    boxes : source pixels, surest first, with scores where the system gives them
    explanation : the VLM's words, as the model wrote them
    confidence : of the judgement, where the system gives one
    seconds : time taken; None where nothing was done
    reason : why there is no judgement, or why it is ``review``
    """

    system: SystemName
    state: CellState
    judgement: Judgement | None = None
    defect_type: str | None = None
    boxes: tuple[Box, ...] = ()
    explanation: str = ""
    confidence: float | None = None
    seconds: float | None = None
    reason: Message | None = None

    @property
    def decided(self) -> bool:
        """True where the system said normal or defect."""
        return self.judgement in ("normal", "defect")


def silent_cell(result: BatteryResult, system: SystemName) -> Cell | None:
    """Return the cell of a system that did not finish the battery, None where it did."""
    state = result.systems.get(system, "off")
    if state == "done":
        return None
    reason = result.system_messages.get(system) or Message(code=f"comparison_state_{state}")
    return Cell(system, "failed" if state == "failed" else "missing", reason=reason)


def image_cell(system: SystemName, image: AnyImage) -> Cell:
    """Return a system's word on an image."""
    failed = image.state == "failed" or (
        isinstance(image, ImageResult) and image.is_anomaly is None
    )
    if failed:
        gate = image.gate if isinstance(image, ImageResult) else []
        reason = image.error or next(iter(gate), None)
        return Cell(system, "failed", seconds=image.seconds, reason=reason)
    if isinstance(image, ImageResult):
        return _ensemble_cell(image)
    if isinstance(image, VlmImage):
        unread = Message(code="comparison_unread") if image.form == "unread" else None
        return Cell(
            system,
            "done",
            judgement=image.prediction or "review",
            defect_type=image.defect_type if image.prediction == "defect" else None,
            boxes=tuple(image.bbox),
            explanation=image.explanation or (image.answer if unread else ""),
            confidence=image.confidence,
            seconds=image.seconds,
            reason=unread,
        )
    boxes = image.bboxes
    if len(boxes) == len(image.scores):
        pairs = zip(boxes, image.scores, strict=True)
        boxes = [box.model_copy(update={"score": score}) for box, score in pairs]
    # It only knows boxes, so none means that it saw nothing.
    return Cell(
        system,
        "done",
        judgement="defect" if boxes else "normal",
        defect_type=next(iter(image.defect_types), None),
        boxes=tuple(boxes),
        confidence=next(iter(image.scores), None),
        seconds=image.seconds,
    )


def _ensemble_cell(image: ImageResult) -> Cell:
    defect_type, confidence = None, image.pred_score if image.modality == "ct" else None
    if confidence is not None and not image.is_anomaly:
        confidence = 1.0 - confidence
    if image.is_anomaly:
        # The likeliest defect, not the likeliest class: together defects may outweigh a normal
        # one in front.
        names = [name for name in class_table().ct_defects if name in image.probabilities]
        defect_type = max(names, key=image.probabilities.__getitem__, default=None)
    return Cell(
        "ensemble",
        "done",
        judgement="defect" if image.is_anomaly else "normal",
        defect_type=defect_type,
        boxes=tuple(image.pred_boxes),
        confidence=confidence,
        seconds=image.seconds,
    )


def battery_cell(result: BatteryResult, system: SystemName) -> Cell:
    """Return a system's word on the battery as a whole."""
    silent = silent_cell(result, system)
    if silent is not None:
        return silent
    said = _BATTERY_WORDS[system](result)
    if said is None:
        return Cell(system, "failed", reason=Message(code="comparison_no_word"))
    return replace(said, seconds=result.system_seconds.get(system))


def _ensembles_word(result: BatteryResult) -> Cell | None:
    verdict = result.verdict
    confidence = result.ensemble.confidence if result.ensemble else None
    if verdict.kind == "not_inspected":
        return None
    if verdict.kind == "normal" or verdict.kind == "review":
        return Cell("ensemble", "done", verdict.kind, confidence=confidence)
    return Cell("ensemble", "done", "defect", verdict.defect_type, confidence=confidence)


def _vlms_word(result: BatteryResult) -> Cell | None:
    vlm = result.vlm
    if vlm is None:
        return None
    defect_type = vlm.defect_type if vlm.prediction == "defect" else None
    return Cell(
        "vlm",
        "done",
        vlm.prediction,
        defect_type,
        explanation=vlm.explanation,
        confidence=vlm.confidence,
    )


def _vlgs_word(result: BatteryResult) -> Cell | None:
    vlg = result.vlg
    if vlg is None:
        return None
    if vlg.bboxes:
        # The surest box speaks for the battery, wherever it stands in the list.
        sure = max(zip(vlg.scores, vlg.defect_types, strict=False), default=(None, None))
        return Cell("vlg", "done", "defect", sure[1], confidence=sure[0])
    # Silence on an image that could not be judged clears nothing.
    unseen = any(image.state == "failed" for image in vlg.images)
    return Cell("vlg", "done", "review" if unseen else "normal")


_BATTERY_WORDS: dict[SystemName, Callable[[BatteryResult], Cell | None]] = {
    "ensemble": _ensembles_word,
    "vlm": _vlms_word,
    "vlg": _vlgs_word,
}
"""Of a system that finished the battery; None where it left no word."""
