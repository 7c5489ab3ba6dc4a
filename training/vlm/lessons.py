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

from inspection.classes import class_table
from inspection.messages import Language
from inspection.records import Modality
from inspection.systems.vlm.config import Prompts
from training.data.examples import Example
from training.data.transforms import Pixels
from training.vlm.config import MERGE, PATCH, VlmArchitecture
from training.vlm.imagined import imagine, imagine_tokens
from training.vlm.network import MEAN, STD
from training.vlm.sight import ImaginedSight, SightBatch, shown_by
from training.vlm.texts import CONFIDENCES, STEP, Seen, answer_of

if TYPE_CHECKING:
    from transformers import Qwen2TokenizerFast

LANGUAGES: tuple[Language, ...] = ("en", "ko")
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
    sides : (A, 4) box that a coordinate belongs to, as shares of the picture; zeros for others
    defective : (B,) whether the picture shows a defect
    """

    sight: SightBatch
    ids: Tensor
    mask: Tensor
    asked: Tensor
    targets: Tensor
    parts: Tensor
    rows: Tensor
    sides: Tensor
    defective: Tensor

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
    """

    def __init__(
        self, tokenizer: Qwen2TokenizerFast, sizes: VlmArchitecture, prompts: Prompts
    ) -> None:
        from transformers import Qwen2VLImageProcessorFast

        self.tokenizer = tokenizer
        self._sizes = sizes
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
        names = ("null", *class_table().all_defects)
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
            shown_by(item.seen, grid) for item, grid in zip(lessons, grids.tolist(), strict=True)
        ]
        kinds, offsets, places = (torch.cat(part) for part in zip(*shown, strict=True))
        return SightBatch(seen["pixel_values"], grids, kinds, offsets, places)

    def imagined(self, count: int, ct_share: float, rng: np.random.Generator) -> LessonBatch:
        """Return lessons on pictures that do not exist.

        Parameters
        ----------
        ct_share : share of CT slices
        """
        lessons: list[Lesson] = []
        grids: list[list[int]] = []
        shown: list[tuple[Tensor, Tensor, Tensor]] = []
        said: list[ImaginedSight] = []
        for _ in range(count):
            seen, (rows, columns) = imagine(self._sizes, ct_share, rng)
            language = LANGUAGES[int(rng.integers(2))]
            confidence = CONFIDENCES[int(rng.integers(len(CONFIDENCES)))]
            lessons.append(Lesson(np.zeros((0, 0), np.uint8), seen, language, confidence))
            grids.append([1, rows * MERGE, columns * MERGE])
            shown.append(shown_by(seen, grids[-1]))
            said.append(imagine_tokens(*shown[-1][:2], self._sizes.text.width, rng))
        kinds, offsets, places = (torch.cat(part) for part in zip(*shown, strict=True))
        sight = SightBatch(
            torch.zeros(0, 3 * 2 * PATCH**2),
            torch.tensor(grids),
            kinds,
            offsets,
            places,
            ImaginedSight.joined(said),
        )
        return self._batch(lessons, sight)

    def batch(self, lessons: Sequence[Lesson]) -> LessonBatch:
        """Return lessons as one batch, filled up at the right."""
        return self._batch(lessons, self.sight(lessons))

    def _batch(self, lessons: Sequence[Lesson], sight: SightBatch) -> LessonBatch:
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
        defective = torch.tensor([bool(item.seen.kinds) for item in lessons])
        return LessonBatch(sight, ids, mask, *lists, self._sides(targets, parts), defective)

    def _sides(self, targets: Sequence[int], parts: Sequence[int]) -> Tensor:
        """Return for each coordinate the box that it is one of; four and four make a box."""
        sides = torch.zeros(len(parts), 4)
        places = [place for place, part in enumerate(parts) if part == COORDINATE]
        shares = torch.tensor([self.numbers[targets[place]] / 1000 for place in places])
        sides[places] = shares.view(-1, 4).repeat_interleave(4, dim=0)
        return sides

    def _row(self, lesson: Lesson, grid: list[int]) -> tuple[list[int], int, list[int]]:
        """Return all tokens of a lesson, where its answer starts, and what its tokens are."""
        before, after = self._questions[lesson.seen.modality, lesson.language]
        text = answer_of(lesson.seen, lesson.language, lesson.confidence)
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
