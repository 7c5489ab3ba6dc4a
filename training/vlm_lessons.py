"""Pictures and the answers to them as batches: what the decoder reads, what it is to write.

What stands before an answer is made by the chat template and the image processor that the station
uses, so that training and inspection see the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inspection.messages import Language
from inspection.records import CT_DEFECT_CLASSES, RGB_DEFECT_TYPES, Modality
from inspection.vlm_config import Prompts
from training.examples import Example
from training.transforms import Pixels
from training.vlm_config import MERGE, PATCH, VlmArchitecture
from training.vlm_network import KINDS, MEAN, STD
from training.vlm_texts import CONFIDENCES, STEP, Seen, answer_of

if TYPE_CHECKING:
    from transformers import Qwen2TokenizerFast

LANGUAGES: tuple[Language, ...] = ("en", "ko")
_COVERED = 0.3
"""A token is on a defect that covers this share of it, or has this share of itself there; in any
case the token that has the most of it is."""

# What a token of an answer is, by which its loss is weighed.
WORD, VERDICT, COORDINATE, CONFIDENCE = range(4)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A picture, what it shows, and the language it is asked about in.

    Parameters
    ----------
    confidence : that stands in the answer, hundredths. It is not what is learnt, which is the
        network's own; but what comes after any confidence is.
    """

    pixels: Pixels
    seen: Seen
    language: Language
    confidence: int = CONFIDENCES[-1]


@dataclass(frozen=True, slots=True)
class SightBatch:
    """Pictures, and what their visual tokens show; B of them, P patches, V visual tokens.

    Parameters
    ----------
    patches, grids : (P, 1176) float32 and (B, 3), as the image processor gives them
    kinds : (V, 4) 1 where a visual token lies on a defect of that kind
    offsets : (V, 4) from the token's centre to that defect's sides, in tokens; else zeros
    places : (V, 6) that defect's box and the token's own centre, as shares of the picture
    """

    patches: Tensor
    grids: Tensor
    kinds: Tensor
    offsets: Tensor
    places: Tensor

    def to(self, device: torch.device) -> SightBatch:
        """Return the batch on a device."""
        return SightBatch(*(getattr(self, name).to(device) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class LessonBatch:
    """Lessons as tensors; B of them, T tokens, A answer tokens.

    Parameters
    ----------
    sight : their pictures
    ids, mask : (B, T) tokens, and 1 where there is one
    asked : (A,) flat place in (B, T) of the token after which each answer token comes
    targets : (A,) answer tokens
    parts : (A,) `WORD`, `VERDICT`, `COORDINATE` or `CONFIDENCE`
    rows : (A,) lesson of each answer token
    """

    sight: SightBatch
    ids: Tensor
    mask: Tensor
    asked: Tensor
    targets: Tensor
    parts: Tensor
    rows: Tensor

    def to(self, device: torch.device) -> LessonBatch:
        """Return the batch on a device."""
        return LessonBatch(*(getattr(self, name).to(device) for name in self.__slots__))


def lesson_of(
    example: Example, pixels: Pixels, boxes: NDArray[np.float32], language: Language
) -> Lesson:
    """Return a lesson on a picture, augmented or as it is."""
    return Lesson(pixels, Seen(example.modality, example.name, example.kinds, boxes), language)


class Teacher:
    """Turns lessons into batches.

    Parameters
    ----------
    tokenizer : of the network
    sizes : of the network
    prompts : the station's
    places : whether answers say where a defect is
    """

    def __init__(
        self,
        tokenizer: Qwen2TokenizerFast,
        sizes: VlmArchitecture,
        prompts: Prompts,
        *,
        places: bool = True,
    ) -> None:
        from transformers import Qwen2VLImageProcessorFast

        self.tokenizer = tokenizer
        self._places = places
        self._images: Any = Qwen2VLImageProcessorFast(
            min_pixels=sizes.min_pixels,
            max_pixels=sizes.max_pixels,
            patch_size=PATCH,
            merge_size=MERGE,
            image_mean=list(MEAN),
            image_std=list(STD),
        )
        self._pad, self._end = (_one(tokenizer, text) for text in ("<|image_pad|>", "<|im_end|>"))
        self._questions: dict[tuple[Modality, Language], tuple[list[int], list[int]]] = {}
        modalities: tuple[Modality, ...] = ("ct", "rgb")
        for modality in modalities:
            for language in LANGUAGES:
                prompt = prompts.of(modality, language)
                self._questions[modality, language] = self._question(prompt)
        self.numbers = {
            _one(tokenizer, str(number)): number for number in range(0, 1000 + STEP, STEP)
        }
        self.confidences = [_one(tokenizer, str(number)) for number in CONFIDENCES]
        self.normal, self.defect = (_one(tokenizer, word) for word in ("normal", "defect"))
        names = ("null", *CT_DEFECT_CLASSES, *RGB_DEFECT_TYPES)
        self._verdicts = {self.normal, self.defect, *(_one(tokenizer, name) for name in names)}

    def _question(self, prompt: str) -> tuple[list[int], list[int]]:
        """Return the tokens before and after those of the picture."""
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        turn: Any = [{"role": "user", "content": content}]
        text = self.tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
        ids = self.tokenizer.encode(str(text), add_special_tokens=False)
        place = ids.index(self._pad)
        return ids[:place], ids[place + 1 :]

    def sight(self, lessons: Sequence[Lesson], min_pixels: int | None = None) -> SightBatch:
        """Return the pictures of lessons as one batch.

        Parameters
        ----------
        min_pixels : instead of the network's own, for cut-outs
        """
        colour = [
            cv2.cvtColor(lesson.pixels, cv2.COLOR_GRAY2RGB)
            if lesson.pixels.ndim == 2
            else lesson.pixels
            for lesson in lessons
        ]
        limits = {} if min_pixels is None else {"min_pixels": min_pixels}
        seen = self._images(
            images=colour, input_data_format="channels_last", return_tensors="pt", **limits
        )
        grids = seen["image_grid_thw"]
        shown = [
            _shown(item.seen, grid) for item, grid in zip(lessons, grids.tolist(), strict=True)
        ]
        kinds, offsets, places = (torch.cat(part) for part in zip(*shown, strict=True))
        return SightBatch(seen["pixel_values"], grids, kinds, offsets, places)

    def batch(self, lessons: Sequence[Lesson]) -> LessonBatch:
        """Return lessons as one batch, filled up at the right."""
        sight = self.sight(lessons)
        grids = sight.grids.tolist()
        rows = [self._row(item, grid) for item, grid in zip(lessons, grids, strict=True)]
        length = max(len(row) for row, _, _ in rows)
        ids = torch.full((len(rows), length), self._end)
        mask = torch.zeros(len(rows), length, dtype=torch.long)
        asked: list[int] = []
        targets: list[int] = []
        parts: list[int] = []
        owners: list[int] = []
        for number, (row, start, kinds) in enumerate(rows):
            ids[number, : len(row)] = torch.tensor(row)
            mask[number, : len(row)] = 1
            first = number * length - 1
            asked += range(first + start, first + len(row))
            targets += row[start:]
            parts += kinds
            owners += [number] * len(kinds)
        lists = (torch.tensor(numbers) for numbers in (asked, targets, parts, owners))
        return LessonBatch(sight, ids, mask, *lists)

    def _row(self, lesson: Lesson, grid: list[int]) -> tuple[list[int], int, list[int]]:
        """Return all tokens of a lesson, where its answer starts, and what its tokens are."""
        before, after = self._questions[lesson.seen.modality, lesson.language]
        text = answer_of(lesson.seen, lesson.language, lesson.confidence, places=self._places)
        answer = self.tokenizer.encode(text, add_special_tokens=False)
        visual = [self._pad] * (math.prod(grid) // MERGE**2)
        question = [*before, *visual, *after]
        return [*question, *answer, self._end], len(question), [*self._parts(answer), WORD]

    def _parts(self, answer: Sequence[int]) -> list[int]:
        """Say of each token of an answer what it is."""
        stated = next(i for i, token in enumerate(answer) if token in self.confidences)
        kinds = []
        for place, token in enumerate(answer):
            if place == stated:
                kinds.append(CONFIDENCE)
            elif place > stated and token in self.numbers:
                kinds.append(COORDINATE)
            elif place < stated and token in self._verdicts:
                kinds.append(VERDICT)
            else:
                kinds.append(WORD)
        return kinds


def _one(tokenizer: Qwen2TokenizerFast, text: str) -> int:
    ids = tokenizer.encode(text, add_special_tokens=False)
    if len(ids) != 1:
        raise ValueError(f"{text!r} is not one token")
    return int(ids[0])


def _shown(seen: Seen, grid: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return what the visual tokens of a picture show; see `SightBatch`."""
    height, width = grid[1] // MERGE, grid[2] // MERGE
    kinds = torch.zeros(height, width, len(KINDS))
    offsets = torch.zeros(height, width, 4)
    places = torch.zeros(height, width, 6)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places[..., 4], places[..., 5] = (x + 0.5) / width, (y + 0.5) / height
    for kind, box in zip(seen.kinds, seen.boxes, strict=True):
        corners = torch.from_numpy(box) * torch.tensor([width, height, width, height])
        left, top, right, bottom = corners.tolist()
        cells = [
            (row, column)
            for row in range(int(top), min(height, math.ceil(bottom)))
            for column in range(int(left), min(width, math.ceil(right)))
        ]
        shares = [
            (min(right, column + 1) - max(left, column)) * (min(bottom, row + 1) - max(top, row))
            for row, column in cells
        ]
        area = max((right - left) * (bottom - top), 1e-6)
        least = min(_COVERED * min(1.0, area), max(shares, default=0.0))
        for (row, column), shared in zip(cells, shares, strict=True):
            if shared >= least:
                kinds[row, column, KINDS.index(kind)] = 1
                centre = torch.tensor([column + 0.5, row + 0.5] * 2)
                offsets[row, column] = corners - centre
                places[row, column, :4] = torch.from_numpy(box)
    shown = kinds, offsets, places
    return tuple(part.view(height * width, -1) for part in shown)  # type: ignore[return-value]


def cut_out(example: Example, side: int, rng: np.random.Generator) -> Example:
    """Return a square part of a picture, one with a defect around one of its defects.

    Parameters
    ----------
    side : pixels; less where the picture is narrower
    """
    height, width = example.pixels.shape[:2]
    size = np.minimum([width, height], side)
    free = np.array([width, height]) - size
    corner = np.floor(rng.uniform(0, free + 1)).astype(int)
    scale = np.array([width, height] * 2)
    boxes = example.boxes * scale
    if len(boxes):
        chosen = boxes[int(rng.integers(len(boxes)))]
        # From where the whole of it is in sight; around its middle where it is larger.
        low, high = chosen[2:] - size, chosen[:2]
        middle = (low + high) / 2
        low, high = np.minimum(low, middle), np.maximum(high, middle)
        corner = np.clip(np.round(rng.uniform(low, high)), 0, free).astype(int)
    left, top = (int(v) for v in corner)
    pixels = example.pixels[top : top + size[1], left : left + size[0]]
    moved = np.clip((boxes - [left, top] * 2) / np.tile(size, 2), 0, 1).astype(np.float32)
    kept = [i for i, box in enumerate(moved) if (box[2:] > box[:2]).all()]
    kinds = tuple(example.kinds[i] for i in kept)
    return replace(example, pixels=pixels, kinds=kinds, boxes=moved[kept].reshape(-1, 4))
