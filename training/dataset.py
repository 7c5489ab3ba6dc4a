"""Labelled CT slices: read from lots, cached as the station sees them, served in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection.images import Preprocess, load_image
from inspection.labels import class_of, read_label
from inspection.lot import scan_lot
from inspection.records import CT_CLASSES, CT_DEFECT_CLASSES, ImageRef, Rect
from training.config import CnnConfig
from training.transforms import (
    Polygon,
    Transform,
    draw_mask,
    get_transforms,
    heat_target,
    letterbox,
    normalise,
)

DEFECT_INDICES = tuple(CT_CLASSES.index(name) for name in CT_DEFECT_CLASSES)
PREFETCHED = 3
"""Batches prepared ahead of the network."""
MIN_CROP_PIXELS = 8
"""A crop that shows less of a defect than this counts as normal."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A labelled CT slice.

    Parameters
    ----------
    ref : the image
    battery : type and number: what must not be on two sides of a split
    label : index into ``CT_CLASSES``
    roi : the label's (width, height), as the station takes it
    polygons : defects, (n, 2) float32 in source pixels
    """

    ref: ImageRef
    battery: str
    label: int
    roi: tuple[int, int] | None
    polygons: tuple[Polygon, ...]


def read_slices(lots: Sequence[Path]) -> list[Slice]:
    """Return the labelled CT slices of some lots, in a fixed order.

    Slices without a label, and those whose label contradicts itself, are left out: their class is
    not known.

    Raises
    ------
    LotError
        If a folder is not a lot.
    LabelError
        If a label cannot be read.
    """
    slices = []
    for lot in lots:
        for battery in scan_lot(lot).batteries:
            for ref in battery.ct:
                if ref.label_path is None:
                    continue
                label = read_label(ref.label_path)
                name = class_of(label, "ct")
                if name not in CT_CLASSES:
                    continue
                polygons = tuple(np.asarray(d.points, np.float32) for d in label.defects)
                # The same number in another lot is another battery.
                owner = f"{lot.resolve().name}/{ref.battery_type}/{battery.ct_id}"
                slices.append(Slice(ref, owner, CT_CLASSES.index(name), label.roi, polygons))
    return slices


@dataclass(frozen=True, slots=True)
class SliceCache:
    """Slices decoded once, as the station letterboxes them.

    Parameters
    ----------
    slices : what they are
    pixels : (N, H, W[, 3]) uint8
    rois : the inspected part of each source image, source pixels
    contents : where that part lies in (H, W)
    polygons : defects in pixels of (H, W)
    """

    slices: list[Slice]
    pixels: NDArray[np.uint8]
    rois: list[Rect]
    contents: list[Rect]
    polygons: list[list[Polygon]]

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) indices into ``CT_CLASSES``."""
        return np.array([item.label for item in self.slices], np.int64)


def cache_slices(slices: Sequence[Slice], spec: Preprocess, file: Path) -> SliceCache:
    """Decode and preprocess slices into a file that epochs read from.

    Parameters
    ----------
    slices : what to decode
    spec : the preprocess
    file : where the pixels are kept, ``.npy``; the system's page cache holds what fits

    Raises
    ------
    ImageError
        If an image cannot be read.
    """
    shape = (len(slices), spec.height, spec.width) + ((3,) if spec.channels == 3 else ())
    pixels = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
    rois: list[Rect] = []
    contents: list[Rect] = []
    polygons: list[list[Polygon]] = []

    def decode(item: Slice) -> tuple[NDArray[np.uint8], Rect, Rect]:
        fit = (spec.width, spec.height)
        image = load_image(item.ref.path, modality="ct", roi=item.roi, fit=fit)
        return (*letterbox(image, spec), image.roi)

    with ThreadPoolExecutor(max_workers=2) as pool:
        for index, (image, content, roi) in enumerate(pool.map(decode, slices)):
            pixels[index] = image
            rois.append(roi)
            contents.append(content)
            polygons.append([to_input(p, roi, content) for p in slices[index].polygons])
    return SliceCache(list(slices), pixels, rois, contents, polygons)


def to_input(polygon: Polygon, roi: Rect, content: Rect) -> Polygon:
    """Return a polygon of source pixels in pixels of the network's input."""
    scale = np.array([content.w / roi.w, content.h / roi.h], np.float32)
    return ((polygon - (roi.x, roi.y)) * scale + (content.x, content.y)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Batch:
    """Training images.

    Parameters
    ----------
    inputs : (B, C, H, W) float32, normalised
    labels : (B,) indices into ``CT_CLASSES``
    heat : (B, 3, h, w) float32 in [0, 1], the maps wanted of the defect classes
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    heat: NDArray[np.float32]


_Row = tuple[NDArray[np.float32], int, NDArray[np.float32]]
_Prepare = Callable[[int, np.random.Generator], _Row]


class SliceBatches:
    """Shuffled, augmented batches; the same for the same configuration and epoch.

    Each image draws from a generator of its own, so that threads cannot change the result.
    """

    def __init__(self, cache: SliceCache, config: CnnConfig) -> None:
        self._cache = cache
        self._config = config
        self._transform: Transform = get_transforms("ct", "train", config.augmentation)

    def whole(self, epoch: int) -> Iterator[Batch]:
        """Yield every slice once."""
        order = self._rng(epoch).permutation(len(self._cache.slices))
        return self._batches(order, self._config.training.batch_size, epoch, self._whole)

    def crops(self, epoch: int) -> Iterator[Batch]:
        """Yield crops, the configured share of them around a defect."""
        warmup, rng, labels = self._config.warmup, self._rng(epoch), self._cache.labels
        count = max(warmup.batch_size, round(warmup.crops_per_image * len(labels)))
        defects = np.flatnonzero(np.isin(labels, DEFECT_INDICES))
        picks = rng.integers(len(labels), size=count)
        if len(defects):
            # Every defect class alike, so that the rare ones are learnt from the start.
            classes = np.unique(labels[defects])
            chosen = rng.random(count) < warmup.defect_share
            for index in np.flatnonzero(chosen):
                picks[index] = rng.choice(np.flatnonzero(labels == rng.choice(classes)))
        return self._batches(picks, warmup.batch_size, epoch, self._crop)

    @property
    def whole_count(self) -> int:
        """Batches in an epoch of whole slices."""
        return len(self._cache.slices) // self._config.training.batch_size

    @property
    def crop_count(self) -> int:
        """Batches in an epoch of crops."""
        warmup = self._config.warmup
        count = max(warmup.batch_size, round(warmup.crops_per_image * len(self._cache.slices)))
        return count // warmup.batch_size

    def _rng(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self._config.training.seed, epoch])

    def _batches(
        self, picks: NDArray[np.int64], size: int, epoch: int, prepare: _Prepare
    ) -> Iterator[Batch]:
        def build(start: int) -> Batch:
            rows = [
                prepare(
                    int(index),
                    np.random.default_rng([self._config.training.seed, epoch, start + offset]),
                )
                for offset, index in enumerate(picks[start : start + size])
            ]
            inputs, labels, heat = zip(*rows, strict=True)
            return Batch(np.stack(inputs), np.array(labels, np.int64), np.stack(heat))

        # A last, smaller batch would have noisier statistics to normalise with: it is left out.
        starts = iter(range(0, len(picks) - size + 1, size))
        with ThreadPoolExecutor(max_workers=1) as pool:
            waiting: list[Future[Batch]] = [
                pool.submit(build, start) for start in islice(starts, PREFETCHED)
            ]
            while waiting:
                batch = waiting.pop(0).result()
                waiting += [pool.submit(build, start) for start in islice(starts, 1)]
                yield batch

    def _whole(self, index: int, rng: np.random.Generator) -> _Row:
        pixels, polygons = self._transform(
            self._cache.pixels[index], self._cache.polygons[index], rng
        )
        return self._row(pixels, polygons, self._cache.slices[index].label)

    def _crop(self, index: int, rng: np.random.Generator) -> _Row:
        pixels, polygons = self._transform(
            self._cache.pixels[index], self._cache.polygons[index], rng
        )
        side = self._config.warmup.crop
        left, top = _crop_corner(pixels, polygons, side, rng)
        part = pixels[top : top + side, left : left + side]
        moved = [polygon - np.float32((left, top)) for polygon in polygons]
        label = self._cache.slices[index].label
        if label in DEFECT_INDICES and draw_mask(moved, (side, side)).sum() < MIN_CROP_PIXELS:
            battery_type = CT_CLASSES[label].split("_")[0]
            label, moved = CT_CLASSES.index(f"{battery_type}_normal"), []
        return self._row(part, moved, label)

    def _row(self, pixels: NDArray[np.uint8], polygons: Sequence[Polygon], label: int) -> _Row:
        size = (pixels.shape[1], pixels.shape[0])
        stride = self._config.architecture.output_stride
        heat = np.zeros((len(DEFECT_INDICES), size[1] // stride, size[0] // stride), np.float32)
        if label in DEFECT_INDICES:
            sigma = self._config.localisation.sigma
            heat[DEFECT_INDICES.index(label)] = heat_target(polygons, size, stride, sigma)
        return normalise(pixels, self._config.preprocess), label, heat


def _crop_corner(
    pixels: NDArray[np.uint8], polygons: Sequence[Polygon], side: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Return (left, top) of a crop: a random point of a defect somewhere in it, if there is one."""
    height, width = pixels.shape[:2]
    if polygons:
        polygon = polygons[int(rng.integers(len(polygons)))]
        x, y = polygon[int(rng.integers(len(polygon)))]
        left, top = np.round((x, y) - rng.uniform(0.1, 0.9, size=2) * side)
    else:
        left, top = rng.integers(width), rng.integers(height)
        left, top = left - side // 2, top - side // 2
    return int(np.clip(left, 0, width - side)), int(np.clip(top, 0, height - side))
