"""RGB views for the autoencoder: which are normal, and batches of them with painted anomalies."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inspection.images import Preprocess, load_image
from inspection.labels import class_of, read_label
from inspection.lot import scan_lot
from inspection.records import ImageRef, Modality
from training.anomalies import add_anomaly
from training.autoencoder_config import AutoencoderConfig, NormalAugmentation
from training.transforms import Pixels, Polygon, letterbox, normalise

PREFETCHED = 3
"""Batches prepared ahead of the network."""
CACHED = 2048
"""Decoded images kept in memory: 700 MB at 448x256."""


@dataclass(frozen=True, slots=True)
class View:
    """A labelled image.

    Parameters
    ----------
    ref : the image
    battery : what must not be on two sides of a split
    defects : names of its defects; empty for a normal image
    polygons : where they are, (n, 2) float32 in source pixels
    """

    ref: ImageRef
    battery: str
    defects: tuple[str, ...] = ()
    polygons: tuple[Polygon, ...] = ()

    @property
    def is_defect(self) -> bool:
        """True where a defect is labelled."""
        return bool(self.defects)


def read_views(lot: Path, modality: Modality = "rgb") -> list[View]:
    """Return the labelled images of a lot in a fixed order.

    Images without a label, and those whose label contradicts itself, are left out: whether they
    are normal is not known.

    Raises
    ------
    LotError
        If the folder is not a lot.
    LabelError
        If a label cannot be read.
    """
    views = []
    for battery in scan_lot(lot).batteries:
        for ref in battery.rgb if modality == "rgb" else battery.ct:
            label = read_label(ref.label_path) if ref.label_path else None
            if label is None or class_of(label, modality) is None:
                continue
            # The same number in another lot is another battery.
            owner = f"{lot.resolve().name}/{battery.battery_id}"
            names = tuple(d.name for d in label.defects)
            polygons = tuple(np.asarray(d.points, np.float32) for d in label.defects)
            views.append(View(ref, owner, names, polygons))
    return views


def split_by_battery(
    views: Sequence[View], share: float, seed: int
) -> tuple[list[View], list[View]]:
    """Return (training, validation) views; no battery is on both sides."""
    batteries = sorted({view.battery for view in views})
    order = np.random.default_rng(seed).permutation(len(batteries))
    held = {batteries[i] for i in order[: max(1, round(share * len(batteries)))]}
    return (
        [view for view in views if view.battery not in held],
        [view for view in views if view.battery in held],
    )


@functools.lru_cache(maxsize=CACHED)
def load_pixels(ref: ImageRef, spec: Preprocess) -> Pixels:
    """Return (H, W, 3) uint8, not to be written to: the station's input before normalisation."""
    image = load_image(ref.path, modality=ref.modality, fit=(spec.width, spec.height))
    pixels = letterbox(image, spec)[0]
    pixels.flags.writeable = False
    return pixels


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
    return np.clip(np.round(moved * gains), 0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Batch:
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


def training_batches(
    views: Sequence[View], config: AutoencoderConfig, epoch: int
) -> Iterator[Batch]:
    """Yield one epoch of shuffled, augmented views, a share of them with painted anomalies."""
    seed = config.training.seed
    order = np.random.default_rng([seed, epoch]).permutation(len(views))
    yield from _batches(views, order, config, epoch, config.anomalies.share, train=True)


def validation_batches(views: Sequence[View], config: AutoencoderConfig) -> Iterator[Batch]:
    """Yield every view once, each with an anomaly, the same ones every time."""
    yield from _batches(views, np.arange(len(views)), config, 2**31, 1.0, train=False)


def _batches(
    views: Sequence[View],
    order: NDArray[np.int64],
    config: AutoencoderConfig,
    epoch: int,
    share: float,
    *,
    train: bool,
) -> Iterator[Batch]:
    size = config.training.batch_size

    def prepare(picks: NDArray[np.int64]) -> Batch:
        # Each image draws from its own generator, so that threads cannot change the result.
        rngs = [np.random.default_rng([config.training.seed, epoch, int(i)]) for i in picks]
        clean = [load_pixels(views[i].ref, config.preprocess) for i in picks]
        if train:
            clean = [augment(c, config.augmentation, r) for c, r in zip(clean, rngs, strict=True)]
        painted, masks = [], []
        for i, (image, rng) in enumerate(zip(clean, rngs, strict=True)):
            mask = np.zeros(image.shape[:2], np.uint8)
            if rng.random() < share:
                foreign = clean[(i + 1) % len(clean)]
                image, mask = add_anomaly(image, foreign, rng, config.anomalies.min_change)
            painted.append(image)
            masks.append(mask)
        inputs = to_input(painted, config.preprocess)
        touched = [i for i, mask in enumerate(masks) if mask.any()]
        originals = inputs.clone()
        if touched:
            originals[touched] = to_input([clean[i] for i in touched], config.preprocess)
        full = torch.from_numpy(np.stack(masks)).unsqueeze(1).float()
        masks_half = torch.nn.functional.max_pool2d(full, 2)
        crop = config.training.crop if train else None
        corners = [_corner(m[0].numpy(), crop, r) for m, r in zip(masks_half, rngs, strict=True)]
        return Batch(originals, inputs, masks_half, corners)

    chunks = [order[i : i + size] for i in range(0, len(order), size)]
    # A last batch of one has no statistics to normalise with.
    waiting = iter([c for c in chunks if len(c) > 1 or not train])
    with ThreadPoolExecutor(max_workers=1) as pool:
        pending: list[Future[Batch]] = [
            pool.submit(prepare, c) for c in islice(waiting, PREFETCHED)
        ]
        while pending:
            batch = pending.pop(0).result()
            pending += [pool.submit(prepare, c) for c in islice(waiting, 1)]
            yield batch


def _corner(
    mask: NDArray[np.float32], crop: tuple[int, int] | None, rng: np.random.Generator
) -> tuple[int, int]:
    """Return the (y, x) of a crop with some of the mask in it; anywhere for an empty mask."""
    if crop is None:
        return 0, 0
    width, height = crop[0] // 2, crop[1] // 2
    rows, columns = np.nonzero(mask)
    last_y, last_x = max(0, mask.shape[0] - height), max(0, mask.shape[1] - width)
    if not len(rows):
        return int(rng.integers(last_y + 1)), int(rng.integers(last_x + 1))
    pick = int(rng.integers(len(rows)))
    y = int(rows[pick]) - int(rng.integers(height))
    x = int(columns[pick]) - int(rng.integers(width))
    return min(max(y, 0), last_y), min(max(x, 0), last_x)
