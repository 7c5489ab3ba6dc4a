"""What a VLM wrote, read as a judgement. Pure; whatever the model writes, nothing is raised.

An answer that cannot be read, contradicts itself or was cut off before it was sure is ``review``:
only an answer that plainly says so is ``normal``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from inspection.classes import class_table
from inspection.records import BatteryType, Modality
from inspection.results import Box, Judgement, VlmImage, VlmResult
from inspection.systems.vlm.boxes import BoxFrame, boxes_of
from inspection.systems.vlm.json_in_text import Fragment, find_json, texts_in
from inspection.systems.vlm.words import (
    JUDGEMENT_WORDS,
    NO_TYPE,
    claims_of,
    is_normal_type,
    type_of,
)

MAX_CHARACTERS = 20_000
"""Longer answers are not read: the prompt asks for a few lines."""
MAX_EXPLANATION = 2_000

Form = Literal["json", "boxes", "prose", "unread"]

_KEYS = {
    "judgement": ("judgement", "judgment", "verdict", "prediction", "판정"),
    "defect_type": ("defect_type", "defect type", "label", "class", "결함유형", "결함 유형"),
    "explanation": ("explanation", "reason", "description", "설명", "이유"),
    "confidence": ("confidence", "score", "신뢰도", "확신도"),
    "bboxes": ("bboxes", "bbox", "bbox_2d", "boxes", "box", "위치"),
}
_FIELDS = frozenset(name for names in _KEYS.values() for name in names)
_CHOICE = re.compile(r"[,/|]|\bor\b|또는")
_BUT = re.compile(r"\b(?:but|however|(?:al)?though|yet)\b|지만|그러나|다만")
_FENCE = re.compile(r"```[a-zA-Z]*")
_TOKEN = re.compile(r"<\|[a-z_]{1,30}\|>")
_REFERENCE = re.compile(r"<\|object_ref_start\|>(.{0,200}?)<\|object_ref_end\|>", re.DOTALL)
_TOKEN_BOX = re.compile(
    r"\(\s*(-?[\d.]{1,12})\s*,\s*(-?[\d.]{1,12})\s*\)\s*,?\s*"
    r"\(\s*(-?[\d.]{1,12})\s*,\s*(-?[\d.]{1,12})\s*\)"
)
_CONFIDENCE = re.compile(r"(?:confidence|신뢰도|확신도)[^\d\n]{0,20}(\d{1,3}(?:\.\d{1,6})?\s?%?)")


@dataclass(frozen=True, slots=True)
class Answer:
    """A VLM's answer on one image, as read.

    Parameters
    ----------
    judgement : ``review`` where the answer could not be read or contradicts itself
    form : how it was read
    boxes : source pixels
    """

    judgement: Judgement
    form: Form
    defect_type: str | None = None
    explanation: str = ""
    confidence: float | None = None
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class _Statement:
    """One statement of an answer before its parts are weighed against each other."""

    judgement: Judgement | None
    types: tuple[str, ...]
    unknown_type: bool
    normal_type: bool
    explanation: str
    confidence: float | None
    boxes: tuple[Box, ...]
    box_claimed: bool


def read_answer(
    text: str,
    *,
    modality: Modality,
    frame: BoxFrame,
    battery_type: BatteryType | None = None,
    finished: bool = True,
) -> Answer:
    """Read an answer.

    Parameters
    ----------
    text : as the model wrote it, special tokens included
    modality : of the image; a defect type of the other one makes the answer ``review``
    frame : what the coordinates of boxes refer to
    battery_type : decides between the porosity of a cell and of a module
    finished : False where the model was stopped in the middle
    """
    if not text.strip() or len(text) > MAX_CHARACTERS:
        return Answer("review", "unread")
    plain = _FENCE.sub(" ", text)
    # An answer, not a list of numbers or a note in brackets.
    fragments = [
        fragment
        for fragment in find_json(plain)
        if any(_FIELDS & item.keys() for item in _objects(fragment.value))
    ]
    if fragments:
        answer = _from_json(plain, fragments, modality, frame, battery_type)
    else:
        answer = _from_prose(plain, modality, frame, battery_type)
    # What was not written any more may have turned it round: in prose the meaning stands at the
    # end, in Korean always.
    if not finished and (answer.judgement == "normal" or answer.form == "prose"):
        return replace(answer, judgement="review")
    return answer


def _objects(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]


def _from_json(
    text: str,
    fragments: Sequence[Fragment],
    modality: Modality,
    frame: BoxFrame,
    battery_type: BatteryType | None,
) -> Answer:
    items = [item for fragment in fragments for item in _objects(fragment.value)]
    statements = [_statement_of(item, frame, battery_type) for item in items if item]
    answer = _combine(statements, modality, "json")
    if answer.judgement != "normal":
        return answer
    starts = [fragment.start for fragment in fragments]
    ends = [fragment.end for fragment in fragments]
    outside = [text[a:b] for a, b in zip([0, *ends], [*starts, len(text)], strict=True)]
    around = claims_of(_TOKEN.sub(" ", " ".join(outside)))
    # The explanation of a normal part speaks of a defect outright, or turns round.
    claims = claims_of(answer.explanation)
    turned = _BUT.search(answer.explanation.lower()) is not None
    contradicts = claims.defect and not claims.doubt and (turned or not claims.normal)
    asides = [t for item in items for key in item.keys() - _FIELDS for t in texts_in(item[key])]
    unsure = (
        around.defect
        or around.doubt
        or contradicts
        # The part that was cut off might have named a defect.
        or not all(fragment.complete for fragment in fragments)
        or any(claims_of(aside).defect for aside in asides)
    )
    return replace(answer, judgement="review") if unsure else answer


def _statement_of(
    item: dict[str, Any], frame: BoxFrame, battery_type: BatteryType | None
) -> _Statement:
    judgements = [_judgement(item[key]) for key in _KEYS["judgement"] if key in item]
    names = [name for name in _type_values(item) if name.strip().lower() not in NO_TYPE]
    normal = [name for name in names if is_normal_type(name)]
    found = [type_of(name, battery_type) for name in names if name not in normal]
    boxes, claimed = boxes_of(_first(item, "bboxes"), frame)
    explanation = _first(item, "explanation")
    return _Statement(
        judgement=judgements[0] if len(set(judgements)) == 1 else None,
        types=tuple(dict.fromkeys(name for name in found if name is not None)),
        unknown_type=None in found,
        normal_type=bool(normal),
        explanation=explanation.strip() if isinstance(explanation, str) else "",
        confidence=_confidence(_first(item, "confidence")),
        boxes=boxes,
        box_claimed=claimed,
    )


def _first(item: dict[str, Any], field: str) -> Any:
    return next((item[key] for key in _KEYS[field] if key in item), None)


def _type_values(item: dict[str, Any]) -> Iterator[str]:
    """Yield the texts given for the defect type: one, a list of them, or labels on boxes."""
    values = [_first(item, "defect_type")]
    boxes = _first(item, "bboxes")
    for box in _objects(boxes) if isinstance(boxes, list) else []:
        values.append(box.get("label", box.get("defect_type")))
    for value in values:
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, str):
                yield part


def _judgement(value: Any) -> Judgement | None:
    if not isinstance(value, str):
        return None
    text = " ".join(value.lower().split()).strip(" .")
    if text in JUDGEMENT_WORDS:
        return JUDGEMENT_WORDS[text]
    offered = {JUDGEMENT_WORDS.get(part.strip(" .\"'")) for part in _CHOICE.split(text)} - {None}
    # The choice of the prompt, repeated: nothing was chosen.
    return "review" if len(offered) > 1 else claims_of(value).judgement


def _confidence(value: Any) -> float | None:
    """Return 0.85, 85 and "85%" alike as 0.85; None for what is no share."""
    percent = False
    if isinstance(value, str):
        text = value.strip()
        percent = text.endswith("%")
        try:
            value = float(text.removesuffix("%"))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    share = value / 100 if percent or value > 1 else value
    return float(share) if 0 <= share <= 1 else None


def _combine(statements: Sequence[_Statement], modality: Modality, form: Form) -> Answer:
    """Bring the statements of an answer together; whatever does not fit makes it ``review``."""
    judgements = {s.judgement for s in statements if s.judgement is not None}
    types = list(dict.fromkeys(t for s in statements for t in s.types))
    foreign = [t for t in types if t not in class_table().defects(modality)]
    boxes = tuple(dict.fromkeys(box for s in statements for box in s.boxes))
    claimed = bool(types) or any(s.unknown_type or s.box_claimed for s in statements)
    confidences = [s.confidence for s in statements if s.confidence is not None]
    judgement: Judgement = "review"
    if foreign or len(judgements) > 1:
        judgement = "review"
    elif judgements:
        judgement = judgements.pop()
        if judgement == "normal" and claimed:
            judgement = "review"
        if judgement == "defect" and any(s.normal_type for s in statements):
            judgement = "review"
    elif types and boxes:
        # A list of boxes, each with a kind of defect: the form Qwen3-VL was trained on.
        judgement = "defect"
    return Answer(
        judgement=judgement,
        form=form,
        defect_type=types[0] if types and not foreign else None,
        explanation="\n".join(s.explanation for s in statements if s.explanation)[:MAX_EXPLANATION],
        confidence=confidences[0] if confidences else None,
        boxes=boxes,
    )


def _from_prose(
    text: str, modality: Modality, frame: BoxFrame, battery_type: BatteryType | None
) -> Answer:
    boxes: list[Box | None] = []
    for found in _TOKEN_BOX.finditer(text):
        try:
            x1, y1, x2, y2 = map(float, found.groups())
        except ValueError:  # such as "1.2.3"
            boxes.append(None)
        else:
            boxes.append(frame.to_source((x1, y1, x2, y2)))
    references = [type_of(name, battery_type) for name in _REFERENCE.findall(text)]
    bare = _TOKEN_BOX.sub(" ", _TOKEN.sub(" ", _REFERENCE.sub(" ", text)))
    judgement = claims_of(bare).judgement
    if judgement is None and not boxes and not any(references):
        return Answer("review", "unread")
    if judgement in (None, "normal") and (boxes or any(references)):
        # Boxes around named defects are a defect; boxes around anything else say nothing.
        judgement = "defect" if judgement is None and boxes and any(references) else "review"
    stated = _CONFIDENCE.search(bare.lower())
    types = references if any(references) else [type_of(bare, battery_type)]
    statement = _Statement(
        judgement=judgement,
        types=tuple(dict.fromkeys(t for t in types if t)) if judgement != "normal" else (),
        unknown_type=False,
        normal_type=False,
        explanation=" ".join(bare.split()),
        confidence=_confidence(stated.group(1).replace(" ", "")) if stated else None,
        boxes=tuple(dict.fromkeys(box for box in boxes if box is not None)),
        box_claimed=bool(boxes),
    )
    return _combine([statement], modality, "boxes" if boxes else "prose")


def judge_battery(images: Sequence[VlmImage]) -> VlmResult:
    """Bring the answers on a battery's images to one: a defect counts before a doubt.

    ``normal`` only where every image was looked at and every answer says so.
    """
    done = [image for image in images if image.state == "done"]
    for judgement in ("defect", "review"):
        told = [image for image in done if image.prediction == judgement]
        if told:
            return _decided_by(max(told, key=_sureness), images)
    if not done or len(done) < len(images):
        return VlmResult(prediction="review", explanation="", images=list(images))
    return _decided_by(min(done, key=_sureness), images)


def _sureness(image: VlmImage) -> float:
    return image.confidence if image.confidence is not None else 0.0


def _decided_by(image: VlmImage, images: Sequence[VlmImage]) -> VlmResult:
    return VlmResult(
        prediction=image.prediction or "review",
        defect_type=image.defect_type,
        explanation=image.explanation or (image.answer if image.form == "unread" else ""),
        confidence=image.confidence,
        bbox=image.bbox,
        image=image.image,
        images=list(images),
    )
