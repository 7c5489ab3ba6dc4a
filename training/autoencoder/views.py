"""RGB views for the autoencoder: which are normal, and batches of them with painted anomalies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inspection.images.grey import GreyWindow
from inspection.images.preprocess import Preprocess
from inspection.records import ImageRef, Modality
from training.autoencoder.anomalies import add_anomaly
from training.autoencoder.config import AutoencoderConfig, NormalAugmentation
from training.data.image_cache import ImageCache
from training.data.labelled import read_classes
from training.data.prefetch import prefetch
from training.data.transforms import Pixels, normalise


@dataclass(frozen=True, slots=True)
class View:
    """A labelled image.

    Parameters
    ----------
    ref : the image
    battery : what must not be on two sides of a split
    defects : names of its defects; empty for a normal image
    window : of the slice's stack; None on RGB, and where grey values are what their type says
    """

    ref: ImageRef
    battery: str
    defects: tuple[str, ...] = ()
    window: GreyWindow | None = None

    @property
    def is_defect(self) -> bool:
        """True where a defect is labelled."""
        return bool(self.defects)


def read_lots(lots: Sequence[Path], modality: Modality) -> list[View]:
    """Return the labelled images of some lots; see `read_classes`."""
    return [
        View(image.ref, image.owner.name, tuple(d.name for d in image.label.defects))
        for image in read_classes(lots, modality)
        if image.label is not None
    ]


def split_by_battery(
    views: Sequence[View], share: float, seed: int
) -> tuple[list[View], list[View]]:
    """Return (training, validation) views; no battery is on both sides."""
    # Sorted: the draw must not depend on the order in which the lots were read.
    batteries = sorted({view.battery for view in views})
    order = np.random.default_rng(seed).permutation(len(batteries))
    held = {batteries[i] for i in order[: max(1, round(share * len(batteries)))]}
    return (
        [view for view in views if view.battery not in held],
        [view for view in views if view.battery in held],
    )


def to_input(images: Sequence[Pixels], spec: Preprocess) -> Tensor:
    """Return (B, 3, H, W) float32, normalised by the station's own code."""
    return torch.from_numpy(np.stack([normalise(image, spec) for image in images]))


def augment(image: Pixels, config: NormalAugmentation, rng: np.random.Generator) -> Pixels:
    """Return a normal image flipped, shifted and lit a little differently."""
    if rng.random() < config.flip_horizontal:
        image = image[:, ::-1]
    if rng.random() < config.flip_vertical:
        image = image[::-1]
    dx, dy = rng.integers(-config.shift, config.shift + 1, size=2)
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    size = (image.shape[1], image.shape[0])
    moved = cv2.warpAffine(np.ascontiguousarray(image), move, size, borderMode=cv2.BORDER_REPLICATE)
    gain = 1 + rng.uniform(-config.gain, config.gain)
    gains = gain * (1 + rng.uniform(-config.colour, config.colour, size=3))
    levels = np.clip(np.round(np.arange(256)[:, None] * gains), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(moved, levels[None]), np.uint8)


@dataclass(frozen=True, slots=True)
class ViewBatch:
    """One step's images.

    Parameters
    ----------
    clean, painted : (B, 3, H, W) float32, normalised; the same where nothing was painted
    masks : (B, 1, H/2, W/2) float32, 1 where something was painted
    corners : (y, x) of each image's crop, in pixels of the mask; all zero without crops
    """

    clean: Tensor
    painted: Tensor
    masks: Tensor
    corners: list[tuple[int, int]]


WHOLE = slice(None)
"""All of a batch: what a process that trains alone prepares."""


def training_batches(
    views: Sequence[View],
    config: AutoencoderConfig,
    epoch: int,
    images: ImageCache,
    part: slice = WHOLE,
) -> Iterator[ViewBatch]:
    """Yield one epoch of shuffled, augmented views, a share of them with painted anomalies.

    Every view comes ``training.repeats`` times, changed and painted differently each time.

    Parameters
    ----------
    views : normal ones
    epoch : batches are the same for the same configuration and epoch
    images : where pixels come from
    part : which images of each batch are wanted; those are the same whatever the part
    """
    seed = config.training.seed
    order = np.random.default_rng([seed, epoch]).permutation(len(views) * config.training.repeats)
    # A last, smaller batch would have noisier statistics to normalise with, and could not be
    # shared evenly: it is left out, where it is not all there is.
    size = config.training.batch_size
    order = order[: len(order) // size * size or None]
    share = config.anomalies.share
    yield from _batches(views, order, config, epoch, share, images, part, train=True)


def validation_batches(
    views: Sequence[View], config: AutoencoderConfig, images: ImageCache
) -> Iterator[ViewBatch]:
    """Yield every view once, each with an anomaly, the same ones every time."""
    order = np.arange(len(views))
    yield from _batches(views, order, config, 2**31, 1.0, images, WHOLE, train=False)


def _batches(
    views: Sequence[View],
    order: NDArray[np.int64],
    config: AutoencoderConfig,
    epoch: int,
    share: float,
    images: ImageCache,
    part: slice,
    *,
    train: bool,
) -> Iterator[ViewBatch]:
    size = config.training.batch_size

    def normal(index: int) -> tuple[Pixels, np.random.Generator]:
        # Each image draws from its own generator, so that threads cannot change the result.
        rng = np.random.default_rng([config.training.seed, epoch, index])
        view = views[index % len(views)]
        source, modality = view.ref.source, view.ref.modality
        pixels = images.read(source, modality, config.preprocess, view.window).pixels
        if train:
            pixels = augment(pixels, config.augmentation, rng)
            # Two draws that options long gone had: a seed paints what it painted before.
            rng.random(2)
        return pixels, rng

    def prepare(picks: NDArray[np.int64]) -> ViewBatch:
        wanted = range(len(picks))[part]
        # The next of the whole batch, whichever process prepares that one.
        neighbours = {place: (place + 1) % len(picks) for place in wanted}
        made = {i: normal(int(picks[i])) for i in sorted({*wanted, *neighbours.values()})}
        clean = [made[place][0] for place in wanted]
        rngs = [made[place][1] for place in wanted]
        painted, masks = [], []
        for place, image, rng in zip(wanted, clean, rngs, strict=True):
            mask = np.zeros(image.shape[:2], np.uint8)
            if rng.random() < share:
                foreign = made[neighbours[place]][0]
                image, mask = add_anomaly(image, foreign, rng, config.anomalies)
            painted.append(image)
            masks.append(mask)
        inputs = to_input(painted, config.preprocess)
        # Half of them are not painted on, and need not be normalised twice.
        touched = [i for i, mask in enumerate(masks) if mask.any()]
        originals = inputs.clone()
        if touched:
            originals[touched] = to_input([clean[i] for i in touched], config.preprocess)
        full = torch.from_numpy(np.stack(masks)).unsqueeze(1).float()
        masks_half = torch.nn.functional.max_pool2d(full, 2)
        crop = config.training.crop if train else None
        corners = [_corner(m[0].numpy(), crop, r) for m, r in zip(masks_half, rngs, strict=True)]
        return ViewBatch(originals, inputs, masks_half, corners)

    chunks = [order[i : i + size] for i in range(0, len(order), size)]
    yield from prefetch(prepare, chunks, config.training.workers)


def _corner(
    mask: NDArray[np.float32], crop: tuple[int, int] | None, rng: np.random.Generator
) -> tuple[int, int]:
    """Return the (y, x) of a crop with some of the mask in it; anywhere for an empty mask."""
    if crop is None:
        return 0, 0
    width, height = crop[0] // 2, crop[1] // 2
    rows, columns = np.nonzero(mask)
    # A picture smaller than the crop is taken whole.
    last_y, last_x = max(0, mask.shape[0] - height), max(0, mask.shape[1] - width)
    if not len(rows):
        return int(rng.integers(last_y + 1)), int(rng.integers(last_x + 1))
    pick = int(rng.integers(len(rows)))
    y = int(rows[pick]) - int(rng.integers(height))
    x = int(columns[pick]) - int(rng.integers(width))
    return min(max(y, 0), last_y), min(max(x, 0), last_x)
