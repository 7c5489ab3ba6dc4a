"""What a VLM is taught to answer: JSON as the station's prompts ask for it, built from labels.

The sentences say what is seen, where, how large and how many. Their wording varies with what they
describe, so that it can be learnt: the same defect at another place is described in other words.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection.messages import Language
from inspection.records import Modality

STEP = 5
"""Boxes are written in steps of so many thousandths: few enough to learn each as one token."""
CONFIDENCES = tuple(range(50, 100, 5))
"""Hundredths that an answer may state."""

_PLACES: dict[Language, tuple[tuple[str, ...], ...]] = {
    "en": (
        ("in the upper left", "at the top in the middle", "in the upper right"),
        ("at the left in the middle", "in the centre", "at the right in the middle"),
        ("in the lower left", "at the bottom in the middle", "in the lower right"),
    ),
    "ko": (
        ("왼쪽 위에", "위쪽 가운데에", "오른쪽 위에"),
        ("왼쪽 가운데에", "중앙에", "오른쪽 가운데에"),
        ("왼쪽 아래에", "아래쪽 가운데에", "오른쪽 아래에"),
    ),
}
_SIZES: dict[Language, tuple[str, ...]] = {
    "en": ("small", "medium-sized", "large"),
    "ko": ("작은", "중간 크기의", "큰"),
}
_COUNTS: dict[Language, tuple[str, ...]] = {
    "en": ("one", "two", "three", "four", "five"),
    "ko": ("한", "두", "세", "네", "다섯"),
}

# {size} comes first in Korean as in English; {place} carries its own preposition or particle.
_DEFECTS: dict[Language, dict[str, tuple[str, ...]]] = {
    "en": {
        "porosity": (
            "A {size} dark pore lies between the layers {place}.",
            "There is a {size} void {place}. It is darker than the layers around it.",
            "A {size} gas pore interrupts the layers {place}.",
        ),
        "resin_overflow": (
            "A {size} bead of resin has run out of the housing {place}.",
            "Resin overflow is seen {place}. It forms a {size} lump outside the housing.",
            "There is a {size} excess of resin {place}, outside the housing.",
        ),
        "pollution": (
            "A {size} stain lies on the wrap {place}.",
            "The wrap is soiled {place}. The stain is {size}.",
            "A {size} patch of contamination is seen {place}.",
        ),
        "damaged": (
            "There is a {size} damaged spot on the surface {place}.",
            "A {size} mark of damage is seen {place}.",
            "The surface is damaged {place}. The mark is {size}.",
        ),
    },
    "ko": {
        "porosity": (
            "{place} {size} 기공이 있습니다.",
            "{place} {size} 공극이 보입니다. 주변 층보다 어둡습니다.",
            "{place} {size} 기공이 있어 전극층이 끊겨 보입니다.",
        ),
        "resin_overflow": (
            "{place} {size} 수지 넘침이 있습니다.",
            "{place} 하우징 밖으로 넘친 {size} 수지 덩어리가 보입니다.",
            "{place} 하우징 밖으로 흘러나온 {size} 수지가 있습니다.",
        ),
        "pollution": (
            "{place} {size} 얼룩이 있습니다.",
            "{place} {size} 오염이 보입니다. 외피에 이물이 묻어 있습니다.",
            "{place} {size} 오염 자국이 있습니다.",
        ),
        "damaged": (
            "{place} {size} 손상이 있습니다.",
            "{place} {size} 손상 부위가 보입니다.",
            "{place} {size} 외피 손상이 확인됩니다.",
        ),
    },
}
# By whether all defects are of one kind.
_MORE: dict[Language, dict[bool, str]] = {
    "en": {
        True: " There are {count} such places in all.",
        False: " There are {count} defects in all.",
    },
    "ko": {
        True: " 이러한 곳이 모두 {count} 군데 있습니다.",
        False: " 결함은 모두 {count} 군데 있습니다.",
    },
}
_MANY: dict[Language, str] = {
    "en": " There are more than five defects.",
    "ko": " 결함이 다섯 군데를 넘습니다.",
}
_NORMAL: dict[Language, dict[Modality, tuple[str, ...]]] = {
    "en": {
        "ct": (
            "The layers run evenly and no pore is seen.",
            "The structure is dense, without pores or resin overflow.",
        ),
        "rgb": (
            "The wrap is clean and no damage is seen.",
            "The surface is even, without stains or scratches.",
        ),
    },
    "ko": {
        "ct": (
            "층이 고르게 이어져 있으며 기공이 보이지 않습니다.",
            "구조가 치밀하며 기공이나 수지 넘침이 없습니다.",
        ),
        "rgb": (
            "외피가 깨끗하며 손상이 보이지 않습니다.",
            "표면이 고르며 얼룩이나 긁힘이 없습니다.",
        ),
    },
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to say of a picture.

    Parameters
    ----------
    modality : of the picture
    name : its class, ``cell_porosity``, ``normal``, …
    kinds : the kind of each defect
    boxes : (n, 4) left, top, right and bottom as shares of the picture
    """

    modality: Modality
    name: str
    kinds: tuple[str, ...]
    boxes: NDArray[np.float32]


def answer_of(seen: Seen, language: Language, confidence: int) -> str:
    """Return the answer to be learnt.

    Parameters
    ----------
    seen : what the label says
    language : of the explanation
    confidence : hundredths, one of `CONFIDENCES`
    """
    order = _by_size(seen.boxes)
    boxes = ", ".join(str(corners_of(seen.boxes[i])) for i in order)
    judgement = "defect" if seen.kinds else "normal"
    kind = f'"{seen.name}"' if seen.kinds else "null"
    return (
        f'{{"judgement": "{judgement}", "defect_type": {kind}, '
        f'"explanation": "{explain(seen, language)}", '
        f'"confidence": 0.{confidence}, "bboxes": [{boxes}]}}'
    )


def corners_of(box: NDArray[np.float32]) -> list[int]:
    """Return a box as it is written: thousandths of the picture, spanning a step at least."""
    left, top, right, bottom = (round(float(v) * 1000 / STEP) * STEP for v in box)
    left, top = min(left, 1000 - STEP), min(top, 1000 - STEP)
    return [left, top, max(right, left + STEP), max(bottom, top + STEP)]


def explain(seen: Seen, language: Language) -> str:
    """Return one or two sentences on what is seen, and where."""
    if not seen.kinds:
        wordings = _NORMAL[language][seen.modality]
        return wordings[_variant(seen.name, len(wordings))]
    largest = _by_size(seen.boxes)[0]
    kind, box = seen.kinds[largest], seen.boxes[largest]
    row, column = (min(2, int(3 * float(box[i] + box[i + 2]) / 2)) for i in (1, 0))
    place = _PLACES[language][row][column]
    size = _size_of(box)
    wordings = _DEFECTS[language][kind]
    wording = wordings[_variant(f"{kind}/{row}/{column}/{size}", len(wordings))]
    text = wording.format(size=_SIZES[language][size], place=place)
    if len(seen.boxes) > 1:
        first = text.split(". ")[0].rstrip(".")
        text = f"{first}.{_how_many(seen, language)}"  # two sentences, as the prompt asks
    return text


def _how_many(seen: Seen, language: Language) -> str:
    counts = _COUNTS[language]
    if len(seen.boxes) > len(counts):
        return _MANY[language]
    same = len(set(seen.kinds)) == 1
    return _MORE[language][same].format(count=counts[len(seen.boxes) - 1])


def every_sentence(language: Language) -> list[str]:
    """Return all that the explanations may say, for the tokenizer to learn."""
    sentences = [s for texts in _NORMAL[language].values() for s in texts]
    for wordings in _DEFECTS[language].values():
        for wording in wordings:
            for row in _PLACES[language]:
                for place in row:
                    for size in _SIZES[language]:
                        sentences.append(wording.format(size=size, place=place))
    for more in _MORE[language].values():
        sentences += [more.format(count=count) for count in _COUNTS[language]]
    sentences.append(_MANY[language])
    return sentences


def _by_size(boxes: NDArray[np.float32]) -> list[int]:
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return [int(i) for i in np.argsort(-areas, kind="stable")]


def _size_of(box: NDArray[np.float32]) -> int:
    """Return 0 to 2 by the longer side, as a share of the picture's."""
    longer = float((box[2:] - box[:2]).max())
    return 0 if longer < 0.06 else 1 if longer < 0.12 else 2


def _variant(key: str, count: int) -> int:
    return zlib.crc32(key.encode()) % count


def texts_for_tokenizer(prompts: Sequence[str]) -> list[str]:
    """Return texts whose pieces the tokenizer should know as one: prompts, answers, numbers."""
    texts: list[str] = [*prompts]
    languages: tuple[Language, ...] = ("en", "ko")
    for language in languages:
        texts += every_sentence(language)
    names = ("cell_porosity", "module_porosity", "module_resin_overflow", "pollution", "damaged")
    for name in names:
        texts += [f'{{"judgement": "defect", "defect_type": "{name}", "explanation": "'] * 20
    texts += ['{"judgement": "normal", "defect_type": null, "explanation": "'] * 20
    numbers = [*range(0, 1000 + STEP, STEP), *CONFIDENCES]
    texts += [f'", "confidence": 0.{c}, "bboxes": []}}' for c in CONFIDENCES] * 8
    texts += [f"[[{n}, {n}, {n}, {n}]], [" for n in numbers] * 8
    return texts
