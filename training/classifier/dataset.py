"""Labelled CT slices: read from lots, seen as the station sees them, served in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection.classes import class_table
from inspection.errors import ConfigError
from inspection.images.grey import GreyWindow
from inspection.records import BatteryType, ImageRef, Rect
from training.classifier.class_folders import class_folders, read_class_folders
from training.classifier.config import CnnConfig
from training.data.image_cache import ImageCache, PreparedImage
from training.data.labelled import read_classes
from training.data.prefetch import prefetch
from training.data.split_files import PARTS
from training.data.splits import Split, deal
from training.data.transforms import (
    Polygon,
    Transform,
    draw_mask,
    get_transforms,
    heat_target,
    normalise,
)
from training.evaluation.metrics import defect_indices
from training.loop.distributed import Processes

MIN_CROP_PIXELS = 8
"""A crop that shows less of a defect than this counts as normal."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A labelled CT slice.

    Parameters
    ----------
    ref : the image
    battery : type and number: what must not be on two sides of a split
    label : index into the table's classes of CT
    polygons : defects, (n, 2) float32 in source pixels; of a plain folder none are known
    """

    ref: ImageRef
    battery: str
    label: int
    polygons: tuple[Polygon, ...]

    @property
    def placed(self) -> bool:
        """True where it is known what the maps should show: nothing, or the defect's place."""
        return bool(self.polygons) or self.label not in defect_indices()


def read_slices(lots: Sequence[Path]) -> list[Slice]:
    """Return the labelled CT slices of some lots, or plain folders of classes.

    Raises
    ------
    ConfigError
        If a folder beside those of classes has another name.
    LotError, LabelError
        As `read_classes`.
    """
    table, slices = class_table().ct, []
    plain = [folder for folder in lots if class_folders(folder)]
    for folder in plain:
        for ref, name in read_class_folders(folder):
            owner = f"{folder.name}/{ref.battery_id}"
            slices.append(Slice(ref, owner, table.index(name), ()))
    lots = [folder for folder in lots if folder not in plain]
    for image in read_classes(lots, "ct"):
        label, ref = image.label, image.ref
        if label is not None and image.name in table:
            polygons = tuple(np.asarray(d.points, np.float32) for d in label.defects)
            # With the CT's own number: a body may have been scanned under two.
            owner = f"{image.owner.name}/{ref.battery_type}/{image.owner.battery.ct_id}"
            slices.append(Slice(ref, owner, table.index(image.name), polygons))
    return slices


def split_batteries(
    slices: Sequence[Slice], split: Split, seed: int
) -> tuple[list[Slice], list[Slice], list[Slice]]:
    """Return (train, val, test) slices; no battery is in two of them.

    Raises
    ------
    ConfigError
        If there are too few batteries to train and to validate on.
    """
    classes: dict[str, set[str]] = {}
    for item in slices:
        classes.setdefault(item.battery, set()).add(class_table().ct[item.label])
    dealt = deal([classes], split, seed)
    train, val, test = ([s for s in slices if dealt[s.battery] == part] for part in PARTS)
    if not train or (split.val > 0 and not val):
        raise ConfigError("too_few_batteries", found=len(classes))
    return train, val, test


class SliceImages:
    """Slices as the station letterboxes them, decoded when first asked for.

    Parameters
    ----------
    slices : what they are
    config : preprocess
    images : where pixels come from
    windows : grey window of each battery's stack
    """

    def __init__(
        self,
        slices: Sequence[Slice],
        config: CnnConfig,
        images: ImageCache,
        windows: Mapping[str, GreyWindow | None],
    ) -> None:
        self.slices = list(slices)
        self._windows = windows
        self.labels: NDArray[np.int64] = np.array([item.label for item in slices], np.int64)
        self.placed: NDArray[np.bool_] = np.array([item.placed for item in slices], bool)
        self._spec = config.preprocess
        self._images = images

    def __len__(self) -> int:
        return len(self.slices)

    def read(self, index: int) -> tuple[PreparedImage, list[Polygon]]:
        """Return a slice and its defects in pixels of the network's input.

        Raises
        ------
        ImageError
            If the image cannot be read.
        """
        item = self.slices[index]
        window = self._windows[item.battery]
        found = self._images.read(item.ref.source, "ct", self._spec, window)
        return found, [to_input(p, found.roi, found.content) for p in item.polygons]


def to_input(polygon: Polygon, roi: Rect, content: Rect) -> Polygon:
    """Return a polygon of source pixels in pixels of the network's input."""
    scale = np.array([content.w / roi.w, content.h / roi.h], np.float32)
    return ((polygon - (roi.x, roi.y)) * scale + (content.x, content.y)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class SliceBatch:
    """Training images.

    Parameters
    ----------
    inputs : (B, C, H, W) float32, normalised
    labels : (B,) indices into the table's classes of CT
    heat : (B, defects, h, w) float32 in [0, 1], the maps wanted of the defect classes
    placed : (B,) bool, False where it is not known what they should show
    shares : into how many such parts the batch is divided
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    heat: NDArray[np.float32]
    placed: NDArray[np.bool_]
    shares: int


class SliceBatches:
    """Shuffled, augmented batches; the same for the same configuration and epoch.

    Each image draws from a generator of its own, so that neither threads nor the number of
    processes can change the result.

    Parameters
    ----------
    images : what the batches are made of
    config : of the training
    processes : of which each gets its share of every batch
    """

    def __init__(self, images: SliceImages, config: CnnConfig, processes: Processes) -> None:
        self._images = images
        self._config = config
        self._processes = processes
        self._transform: Transform = get_transforms("ct", "train", config.augmentation)

    def whole(self, epoch: int) -> Iterator[SliceBatch]:
        """Yield every slice once."""
        order = self._rng(epoch).permutation(len(self._images))
        return self._batches(order, self._config.training.batch_size, epoch, crop=False)

    def crops(self, epoch: int) -> Iterator[SliceBatch]:
        """Yield crops, the configured share of them around a defect."""
        warmup, rng, labels = self._config.warmup, self._rng(epoch), self._images.labels
        count = self._crops
        # What a crop shows of a defect whose place nobody has marked is not known.
        placed = np.flatnonzero(self._images.placed)
        defects = placed[np.isin(labels[placed], defect_indices())]
        picks = placed[rng.integers(len(placed), size=count)]
        if len(defects):
            # Every defect class alike, so that the rare ones are learnt from the start.
            classes = np.unique(labels[defects])
            chosen = rng.random(count) < warmup.defect_share
            for index in np.flatnonzero(chosen):
                picks[index] = rng.choice(defects[labels[defects] == rng.choice(classes)])
        return self._batches(picks, warmup.batch_size, epoch, crop=True)

    @property
    def whole_count(self) -> int:
        """Batches in an epoch of whole slices."""
        return len(self._images) // self._config.training.batch_size

    @property
    def crop_count(self) -> int:
        """Batches in an epoch of crops."""
        return self._crops // self._config.warmup.batch_size

    @property
    def _crops(self) -> int:
        warmup = self._config.warmup
        return max(warmup.batch_size, round(warmup.crops_per_image * len(self._images)))

    def _rng(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self._config.training.seed, epoch])

    def _batches(
        self, picks: NDArray[np.int64], size: int, epoch: int, *, crop: bool
    ) -> Iterator[SliceBatch]:
        def build(start: int) -> SliceBatch:
            rows = []
            for place in self._processes.share(range(start, start + size)):
                rng = np.random.default_rng([self._config.training.seed, epoch, place])
                rows.append(self._row(int(picks[place]), rng, crop=crop))
            inputs, labels, heat, placed = zip(*rows, strict=True)
            return SliceBatch(
                np.stack(inputs),
                np.array(labels, np.int64),
                np.stack(heat),
                np.array(placed, bool),
                self._processes.size,
            )

        # A last, smaller batch would have noisier statistics to normalise with: it is left out.
        starts = range(0, len(picks) - size + 1, size)
        return prefetch(build, starts, self._config.training.workers)

    def _row(
        self, index: int, rng: np.random.Generator, *, crop: bool
    ) -> tuple[NDArray[np.float32], int, NDArray[np.float32], bool]:
        """Return an augmented slice or a part of it: input, label, wanted heat, if it is known."""
        image, polygons = self._images.read(index)
        pixels, polygons = self._transform(image.pixels, polygons, rng)
        item, defects = self._images.slices[index], defect_indices()
        label = item.label
        if crop:
            side = self._config.warmup.crop
            left, top = crop_corner(pixels, polygons, side, rng)
            pixels = pixels[top : top + side, left : left + side]
            polygons = [polygon - np.array((left, top), np.float32) for polygon in polygons]
            lost = draw_mask(polygons, (side, side)).sum() < MIN_CROP_PIXELS
            if label in defects and lost:
                label, polygons = normal_beside(label, item.ref.battery_type), []
        height, width = pixels.shape[:2]
        stride = self._config.architecture.output_stride
        heat = np.zeros((len(defects), height // stride, width // stride), np.float32)
        if label in defects:
            sigma = self._config.localisation.sigma
            wanted = heat_target(polygons, (width, height), stride, sigma)
            heat[defects.index(label)] = wanted
        return normalise(pixels, self._config.preprocess), label, heat, item.placed


def normal_beside(label: int, battery_type: BatteryType | None) -> int:
    """Return the class of a part that shows nothing, in a slice that shows a defect.

    Parameters
    ----------
    label : of the slice, whose class may occur on cells and modules alike
    battery_type : of the slice, where that is known
    """
    table = class_table()
    known = table.rows[table.ct[label]].battery_type or battery_type
    normal = table.class_of(None, "ct", known)
    if normal is None:
        normal = next((name for name in table.ct if table.rows[name].kind is None), table.ct[label])
    return table.ct.index(normal)


def crop_corner(
    pixels: NDArray[np.uint8], polygons: Sequence[Polygon], side: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Return (left, top) of a crop: a random point of a defect somewhere in it, if there is one."""
    height, width = pixels.shape[:2]
    if polygons:
        polygon = polygons[int(rng.integers(len(polygons)))]
        x, y = polygon[int(rng.integers(len(polygon)))]
        # Not in the middle, where every defect would then be looked for.
        left, top = np.round((x, y) - rng.uniform(0.1, 0.9, size=2) * side)
    else:
        left, top = rng.integers(width) - side // 2, rng.integers(height) - side // 2
    return int(np.clip(left, 0, width - side)), int(np.clip(top, 0, height - side))
