"""Labelled pictures as batches that a Qwen VLM of any supported family learns from.

What stands before an answer is made by the station's own predictor, so that training and
inspection see the same tokens and the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from inspection.messages import Language
from inspection.systems.vlm.config import Prompts, VlmConfig
from inspection.systems.vlm.model import VlmPredictor
from training.data.examples import Example
from training.vlm.answers import THOUSANDTHS, Part, answer_of

PARTS: tuple[Part, ...] = get_args(Part)
NOT_LEARNT = -1
"""Part of the tokens that are no answer: question, picture and what fills up a row."""
END_MARK = "<|im_end|>"


@dataclass(frozen=True, slots=True)
class Lesson:
    """A picture, the language it is asked about in, and the confidence that its answer states.

    Parameters
    ----------
    confidence : hundredths, two digits
    """

    example: Example
    language: Language
    confidence: int = 90


@dataclass(frozen=True, slots=True)
class LessonBatch:
    """Lessons as tensors; B of them, T tokens.

    Parameters
    ----------
    inputs : of the model's forward pass; its logits at place t are of the token at t + 1
    parts : (B, T) int64 place in ``PARTS`` of each token of an answer, ``NOT_LEARNT`` of the others
    """

    inputs: dict[str, Tensor]
    parts: Tensor


def batch_of(lessons: Sequence[Lesson], predictor: VlmPredictor, config: VlmConfig) -> LessonBatch:
    """Return lessons as one batch on the predictor's device, filled up at the right.

    Parameters
    ----------
    predictor : the station's, around the model that learns (``predictor.model``)
    config : the station's, with its prompts and limits
    """
    scale = predictor.folder.family.scale
    prompts = Prompts(config, scale)
    limits = config.limits.as_trained(*predictor.folder.trained_pixels)
    tokenizer, patch = predictor.processor.tokenizer, predictor.patch
    rows: list[Tensor] = []
    parts: list[Tensor] = []
    pictures: list[dict[str, Tensor]] = []
    for lesson in lessons:
        example = lesson.example
        prompt = prompts.of(example.modality, lesson.language)
        question = predictor.prepare(example.image.pixels, prompt, limits)
        _, height, width = question["image_grid_thw"][0].tolist()
        size = (width * patch, height * patch) if scale == "input_pixels" else THOUSANDTHS
        pieces = answer_of(example, lesson.language, lesson.confidence, size)
        # By character, for tokens are those of the whole text, whatever pieces they span.
        of_character = [PARTS.index(part) for text, part in pieces for _ in text]
        answer = tokenizer(
            "".join(text for text, _ in pieces),
            add_special_tokens=False,
            return_offsets_mapping=True,
        )
        # The end is learnt as a word: a model that does not stop is cut off by the station.
        ids = [*answer["input_ids"], tokenizer.convert_tokens_to_ids(END_MARK)]
        # A word is the first of the parts: a token that has a letter of another is of that one.
        places = answer["offset_mapping"]
        learnt = [max(of_character[start:end], default=0) for start, end in places]
        asked = question["input_ids"][0]
        rows.append(torch.cat([asked, asked.new_tensor(ids)]))
        kinds = [NOT_LEARNT] * len(asked) + [*learnt, PARTS.index("word")]
        parts.append(torch.tensor(kinds, device=asked.device))
        pictures.append(question)
    # Filled up at the right, where causal attention does not look.
    inputs = {
        "input_ids": pad_sequence(rows, batch_first=True, padding_value=tokenizer.pad_token_id),
        "attention_mask": pad_sequence([torch.ones_like(row) for row in rows], batch_first=True),
        **{
            name: torch.cat([picture[name] for picture in pictures])
            for name in ("pixel_values", "image_grid_thw")
        },
    }
    return LessonBatch(inputs, pad_sequence(parts, batch_first=True, padding_value=NOT_LEARNT))


@dataclass(frozen=True, slots=True)
class AnswerWeights:
    """How much each part of an answer counts in the loss.

    Judgement and type are a handful of tokens among a hundred, and decide. A confidence is drawn
    and not known, so that nothing is learnt from its own digits.
    """

    word: float = 0.3
    verdict: float = 3.0
    confidence: float = 0.0
    box: float = 1.0


def answer_loss(logits: Tensor, batch: LessonBatch, weights: AnswerWeights) -> Tensor:
    """Return the weighted cross-entropy of the answers, summed over tokens, a mean over lessons.

    Parameters
    ----------
    logits : (B, T, vocabulary) of the model's forward pass on ``batch.inputs``
    """
    learnt = batch.parts[:, 1:] != NOT_LEARNT
    # (A, vocabulary) and (A,): of every answer token what is said one place before it.
    by_token = cross_entropy(
        logits[:, :-1][learnt].float(), batch.inputs["input_ids"][:, 1:][learnt], reduction="none"
    )
    table = by_token.new_tensor([getattr(weights, part) for part in PARTS])
    return (table[batch.parts[:, 1:][learnt]] * by_token).sum() / len(batch.parts)
