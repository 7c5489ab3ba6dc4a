"""Pictures and captions of the VLG's training, as batches of one size each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inspection.systems.vlg.config import VlgLimits
from inspection.systems.vlg.model import scaled_size
from training.data.examples import Example, augment
from training.data.transforms import Pixels
from training.loop.prefetch import prefetch
from training.vlg.config import DemoVlgConfig, VlgTraining
from training.vlg.text import Caption, Captions

Step = tuple[Example, ...]
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be found in a picture.

    Parameters
    ----------
    boxes : (n, 4) float32, centre x, centre y, width and height as shares of the picture
    tokens : (n, T) bool, which tokens of the caption each answers to
    """

    boxes: Tensor
    tokens: Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures of one size.

    Parameters
    ----------
    pixels : (B, 3, H, W) float32, normalised
    ids, mask : (B, T) int64, tokens of the captions, and 1 where there is one
    targets : one a picture
    """

    pixels: Tensor
    ids: Tensor
    mask: Tensor
    targets: tuple[Target, ...]

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        targets = tuple(Target(t.boxes.to(device), t.tokens.to(device)) for t in self.targets)
        return Batch(self.pixels.to(device), self.ids.to(device), self.mask.to(device), targets)


def plan(examples: Sequence[Example], training: VlgTraining, epoch: int) -> list[Step]:
    """Return the pictures of each step of an epoch: of one modality, and alike in shape."""
    rng = np.random.default_rng([training.seed, epoch])
    colour = [e for e in examples if e.modality == "rgb"]
    grey = [e for e in examples if e.modality == "ct"]
    samples, size = pace(training, epoch)
    count = max(1, samples // size)
    share = training.rgb_share if colour and grey else float(bool(colour))
    steps = [
        step
        for pictures, wanted in (
            (colour, round(count * share)),
            (grey, count - round(count * share)),
        )
        for step in _steps(pictures, wanted, size, training.defect_share, rng)
    ]
    return [steps[index] for index in rng.permutation(len(steps))]


def pace(training: VlgTraining, epoch: int) -> tuple[int, int]:
    """Return the pictures of an epoch, and of each of its steps."""
    phase = training.warmup if epoch < training.warmup.epochs else training
    return phase.samples, phase.batch_size


def _steps(
    pictures: Sequence[Example],
    count: int,
    size: int,
    defect_share: float,
    rng: np.random.Generator,
) -> list[Step]:
    if not count:
        return []
    defective = [e for e in pictures if e.is_defect]
    normal = [e for e in pictures if not e.is_defect]
    of_defects = round(size * (defect_share if defective and normal else float(bool(defective))))
    drawn = (
        _alike(defective, count, of_defects, rng),
        _alike(normal, count, size - of_defects, rng),
    )
    return [tuple(first + second) for first, second in zip(*drawn, strict=True)]


def _alike(
    pictures: Sequence[Example], count: int, size: int, rng: np.random.Generator
) -> list[list[Example]]:
    """Draw `count` groups of `size` pictures, the widest first, the tallest last."""
    if not size:
        return [[] for _ in range(count)]
    rounds = -(-count * size // len(pictures))
    order = np.concatenate([rng.permutation(len(pictures)) for _ in range(rounds)])
    drawn = [pictures[index] for index in order[: count * size]]
    drawn.sort(key=lambda e: e.pixels.shape[0] / e.pixels.shape[1])
    return [drawn[start : start + size] for start in range(0, len(drawn), size)]


def training_batches(
    examples: Sequence[Example],
    config: DemoVlgConfig,
    captions: Captions,
    limits: VlgLimits,
    epoch: int,
) -> Iterator[Batch]:
    """Yield an epoch's batches, the same ones whenever asked.

    Parameters
    ----------
    limits : the station's, with the sides that the network is trained at
    """
    steps = plan(examples, config.training, epoch)
    build = partial(_build, config=config, captions=captions, limits=limits, epoch=epoch)
    return prefetch(build, enumerate(steps), config.training.workers)


def _build(
    numbered: tuple[int, Step],
    config: DemoVlgConfig,
    captions: Captions,
    limits: VlgLimits,
    epoch: int,
) -> Batch:
    number, step = numbered
    rng = np.random.default_rng([config.training.seed, epoch, number])
    warmup = config.training.warmup
    size = warmup.crop if epoch < warmup.epochs else _common_size(step, limits)
    pictures: list[Tensor] = []
    asked: list[Caption] = []
    there: list[tuple[list[str], NDArray[np.float32]]] = []
    for example in step:
        pixels, boxes = augment(example, config.augmentation, rng)
        kinds = list(example.kinds)
        if epoch < warmup.epochs:
            pixels, boxes, kept = cut(pixels, boxes, _as_source(pixels, size, limits), rng)
            kinds = [kind for kind, is_kept in zip(kinds, kept, strict=True) if is_kept]
        pictures.append(prepare(pixels, size))
        there.append((kinds, boxes))
        asked.append(captions.drawn(example.modality, kinds, config.captions, rng))
    ids, mask = padded(asked)
    targets = [
        target(kinds, boxes, caption, captions, ids.shape[1])
        for (kinds, boxes), caption in zip(there, asked, strict=True)
    ]
    return Batch(torch.cat(pictures), ids, mask, tuple(targets))


def _common_size(step: Step, limits: VlgLimits) -> tuple[int, int]:
    height, width = np.median([example.pixels.shape[:2] for example in step], axis=0)
    return scaled_size((round(width), round(height)), limits)


def _as_source(pixels: Pixels, size: tuple[int, int], limits: VlgLimits) -> tuple[int, int]:
    """Return a size that the network sees in the picture's own pixels."""
    height, width = pixels.shape[:2]
    scale = width / scaled_size((width, height), limits)[0]
    return min(width, round(size[0] * scale)), min(height, round(size[1] * scale))


def cut(
    pixels: Pixels,
    boxes: NDArray[np.float32],
    size: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[Pixels, NDArray[np.float32], NDArray[np.bool_]]:
    """Return a part of a picture, with one of its defects where it has any.

    Parameters
    ----------
    boxes : corners as shares of the picture
    size : (width, height) of the part

    Returns
    -------
    The part, the boxes of which at least half is in it as shares of the part, and which they are.
    """
    whole = np.array([pixels.shape[1], pixels.shape[0]])
    part = np.array(size)
    first, last = np.zeros(2), whole - part
    if len(boxes):
        box = boxes[rng.integers(len(boxes))] * np.tile(whole, 2)
        lowest, highest = np.maximum(first, box[2:] - part), np.minimum(last, box[:2])
        middle = np.clip((box[:2] + box[2:] - part) / 2, first, last)
        fits = lowest <= highest
        first, last = np.where(fits, lowest, middle), np.where(fits, highest, middle)
    corner = np.round(rng.uniform(first, last)).astype(int)
    moved = boxes * np.tile(whole, 2) - np.tile(corner, 2)
    inside = np.clip(moved, 0, np.tile(part, 2))
    kept = _areas(inside) >= 0.5 * _areas(moved)
    x, y = corner
    shares = (inside[kept] / np.tile(part, 2)).astype(np.float32)
    return pixels[y : y + part[1], x : x + part[0]], shares, kept


def _areas(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((corners[:, 2:] - corners[:, :2]).prod(axis=1), np.float64)


def prepare(pixels: Pixels, size: tuple[int, int]) -> Tensor:
    """Return (1, 3, H, W) float32 of a picture scaled to (width, height), as the station does."""
    colour = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    image = torch.from_numpy(np.ascontiguousarray(colour)).permute(2, 0, 1)[None]
    if image.shape[-2:] != size[::-1]:
        image = torch.nn.functional.interpolate(
            image, size=size[::-1], mode="bilinear", antialias=True
        )
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (image.float() / 255 - mean) / std


def padded(captions: Sequence[Caption]) -> tuple[Tensor, Tensor]:
    """Return the tokens of captions at one length, and where there are any."""
    length = max(len(caption.ids) for caption in captions)
    ids = torch.zeros(len(captions), length, dtype=torch.long)
    for row, caption in zip(ids, captions, strict=True):
        row[: len(caption.ids)] = torch.tensor(caption.ids)
    return ids, (ids != 0).long()


def target(
    kinds: Sequence[str],
    corners: NDArray[np.float32],
    caption: Caption,
    captions: Captions,
    length: int,
) -> Target:
    """Return what a caption asks for that is there."""
    asked = [
        (captions.tokens(caption, kind), box) for kind, box in zip(kinds, corners, strict=True)
    ]
    there = [(tokens, box) for tokens, box in asked if tokens]
    boxes = torch.zeros(len(there), 4)
    tokens_there = torch.zeros(len(there), length, dtype=torch.bool)
    for number, (tokens, (left, top, right, bottom)) in enumerate(there):
        boxes[number] = torch.tensor(
            [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
        )
        tokens_there[number, tokens] = True
    return Target(boxes, tokens_there)
