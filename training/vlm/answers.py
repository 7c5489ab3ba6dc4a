"""What a VLM is taught to answer: JSON as the station's prompts ask for it, built from labels.

The sentences (``configs/vlm_answers.yaml``) say what is seen, where, how large and how many. Their
wording varies with what they describe, so that it can be learnt: the same defect at another place
is described in other words.
"""

from __future__ import annotations

import functools
import zlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inspection.config import Config, load_config
from inspection.messages import Language
from inspection.paths import config_path
from inspection.records import Modality
from training.data.examples import Example

Part = Literal["word", "verdict", "confidence", "box"]
"""What a piece of an answer is, by which its loss is weighed."""
THOUSANDTHS = (1000, 1000)


class AnswerWords(Config):
    """The wordings of a language, to be filled with ``{size}``, ``{place}`` and ``{count}``.

    Parameters
    ----------
    places : three rows of three
    sizes, counts : rising, from small and from one
    alike, mixed, many : of several defects of one kind, of several kinds, and of more than counted
    defects, normal : by kind of defect, and by modality
    """

    places: list[list[str]]
    sizes: list[str]
    counts: list[str]
    alike: str
    mixed: str
    many: str
    defects: dict[str, list[str]]
    normal: dict[Modality, list[str]]


class _AnswersFile(Config):
    en: AnswerWords
    ko: AnswerWords


@functools.cache
def load_answer_words(language: Language) -> AnswerWords:
    """Return the wordings of a language."""
    words: AnswerWords = getattr(
        load_config(config_path("vlm_answers.yaml"), _AnswersFile), language
    )
    return words


def answer_of(
    example: Example,
    language: Language,
    confidence: int,
    scale: tuple[int, int] = THOUSANDTHS,
) -> list[tuple[str, Part]]:
    """Return the answer to be learnt in pieces, which joined are the JSON.

    Parameters
    ----------
    example : the labelled picture
    language : of the explanation
    confidence : hundredths, two digits. What the label says is certain; vary it, so that what
        comes after any confidence is learnt.
    scale : what a box's sides count up to: thousandths of the picture, or for a family that writes
        pixels the (width, height) of the model's input
    """
    boxes = ", ".join(str(corners_of(example.boxes[i], scale)) for i in _by_size(example.boxes))
    return [
        ('{"judgement": "', "word"),
        ("defect" if example.kinds else "normal", "verdict"),
        ('", "defect_type": ', "word"),
        (f'"{example.name}"' if example.kinds else "null", "verdict"),
        (f', "explanation": "{explain(example, language)}", "confidence": 0.', "word"),
        (str(confidence), "confidence"),
        (', "bboxes": ', "word"),
        (f"[{boxes}]", "box"),
        ("}", "word"),
    ]


def corners_of(box: NDArray[np.float32], scale: tuple[int, int] = THOUSANDTHS) -> list[int]:
    """Return left, top, right and bottom as they are written, at least 1 apart.

    Parameters
    ----------
    box : (4,) the same as shares of the picture
    """
    left, top, right, bottom = np.round(box * (*scale, *scale)).astype(int).tolist()
    # A sliver at the far edge must span something too, or the station reads no box.
    left, top = min(left, scale[0] - 1), min(top, scale[1] - 1)
    return [left, top, max(right, left + 1), max(bottom, top + 1)]


def explain(example: Example, language: Language) -> str:
    """Return one or two sentences on what is seen, and where."""
    words = load_answer_words(language)
    if not example.kinds:
        return _one_of(words.normal[example.modality], example.name)
    largest = _by_size(example.boxes)[0]
    kind, box = example.kinds[largest], example.boxes[largest]
    column, row = np.minimum(3 * (box[:2] + box[2:]) / 2, 2).astype(int)
    longer = float((box[2:] - box[:2]).max())
    size = 0 if longer < 0.06 else 1 if longer < 0.12 else 2
    wording = _one_of(words.defects[kind], f"{kind}/{row}/{column}/{size}")
    text = wording.format(size=words.sizes[size], place=words.places[row][column])
    count = len(example.boxes)
    if count == 1:
        return text
    more = words.alike if len(set(example.kinds)) == 1 else words.mixed
    counted = more.format(count=words.counts[count - 1]) if count <= len(words.counts) else None
    # Two sentences at most, as the prompt asks.
    return f"{text.split('. ')[0].rstrip('.')}. {counted or words.many}"


def _by_size(boxes: NDArray[np.float32]) -> list[int]:
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return [int(i) for i in np.argsort(-areas, kind="stable")]


def _one_of(wordings: list[str], key: str) -> str:
    """Return the wording for a key: not Python's own hash, which differs from run to run."""
    return wordings[zlib.crc32(key.encode()) % len(wordings)]
