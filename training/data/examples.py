"""Lots as the VLM and the VLG learn them: each picture's content, its class, its defects' boxes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.agreement.overlap import defect_rectangles
from inspection.config import Config, Fraction
from inspection.images.preprocess import load_content
from inspection.lot.labels import class_of, read_label
from inspection.records import ImageRef, Modality
from training.data.labelled import LabelledLots, scan_lots
from training.data.transforms import Pixels

READERS = 4
"""Threads that decode."""
KEPT = 4
"""Times as many pixels as a model sees are kept at most: memory is bounded, and nearly every
picture is as the station hands it over."""


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled picture, as the station cuts it for these models.

    Parameters
    ----------
    ref : the image
    pixels : (h, w) or (h, w, 3) uint8, not to be written to
    name : its class: one of the five of CT, or ``normal``, ``pollution`` or ``damaged``
    kinds : the kind of each defect: ``porosity``, ``resin_overflow``, ``pollution`` or ``damaged``
    boxes : (n, 4) float32, left, top, right and bottom as shares of the picture
    """

    ref: ImageRef
    pixels: Pixels
    name: str
    kinds: tuple[str, ...]
    boxes: NDArray[np.float32]

    @property
    def modality(self) -> Modality:
        """What kind of picture it is."""
        return self.ref.modality

    @property
    def is_defect(self) -> bool:
        """True where a defect is labelled."""
        return bool(self.kinds)


class ExampleAugmentation(Config):
    """Random changes of training pictures; boxes go with them.

    Parameters
    ----------
    flip_horizontal, flip_vertical : probability of a flip
    gain : largest change of brightness, as a share
    colour : largest change of one channel against the others; colour pictures only
    crop : each side is cut by up to this share, never into a defect
    """

    flip_horizontal: Fraction = 0.5
    flip_vertical: Fraction = 0.5
    gain: Fraction = 0.12
    colour: Fraction = 0.04
    crop: Fraction = 0.04


def read_examples(lots: Sequence[Path], max_pixels: int) -> list[Example]:
    """Return the labelled pictures of some lots in a fixed order.

    Pictures without a label, and those whose label contradicts itself, are left out.

    Parameters
    ----------
    max_pixels : what the model sees at most; the station decodes for that

    Raises
    ------
    LotError
        If a folder is not a lot, or is within another one.
    LabelError
        If a label cannot be read.
    ImageError
        If a picture cannot be read.
    """
    refs = _refs(scan_lots(lots))
    with ThreadPoolExecutor(READERS) as pool:
        read = pool.map(partial(_read, max_pixels=max_pixels), refs)
        return [example for example in read if example is not None]


def _refs(lots: LabelledLots) -> list[ImageRef]:
    return [ref for item in lots.batteries for ref in (*item.battery.ct, *item.battery.rgb)]


def _read(ref: ImageRef, max_pixels: int) -> Example | None:
    label = read_label(ref.label_path) if ref.label_path else None
    name = class_of(label, ref.modality) if label else None
    if label is None or name is None:
        return None
    data = load_content(ref.path, modality=ref.modality, max_pixels=max_pixels)
    kinds: list[str] = []
    boxes: list[NDArray[np.float64]] = []
    whole = np.array([data.roi.w, data.roi.h] * 2, np.float64)
    for kind in dict.fromkeys(defect.name for defect in label.defects):
        polygons = [
            np.asarray(defect.points, np.float32) for defect in label.defects if defect.name == kind
        ]
        for corners in defect_rectangles(polygons):
            shares = (corners - [data.roi.x, data.roi.y] * 2) / whole
            kinds.append(kind)
            boxes.append(np.clip(shares, 0.0, 1.0))
    pixels = reduced(data.pixels, KEPT * max_pixels)
    return Example(ref, pixels, name, tuple(kinds), np.array(boxes, np.float32).reshape(-1, 4))


def both_kinds(examples: Iterable[Example]) -> bool:
    """Return whether there are normal and defective pictures among some."""
    return len({example.is_defect for example in examples}) == 2


def reduced(pixels: Pixels, max_pixels: int) -> Pixels:
    """Return a picture of at most about so many pixels."""
    height, width = pixels.shape[:2]
    scale = (max_pixels / (height * width)) ** 0.5
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def augment(
    example: Example, config: ExampleAugmentation, rng: np.random.Generator
) -> tuple[Pixels, NDArray[np.float32]]:
    """Return a picture cut, flipped and lit a little differently, and its boxes."""
    pixels, boxes = _cut(example.pixels, example.boxes, config.crop, rng)
    if rng.random() < config.flip_horizontal:
        pixels = pixels[:, ::-1]
        boxes[:, [0, 2]] = 1 - boxes[:, [2, 0]]
    if rng.random() < config.flip_vertical:
        pixels = pixels[::-1]
        boxes[:, [1, 3]] = 1 - boxes[:, [3, 1]]
    gains = np.full(3, 1 + rng.uniform(-config.gain, config.gain))
    gains *= 1 + rng.uniform(-config.colour, config.colour, 3)
    if pixels.ndim == 2:
        gains = gains[:1]
    levels = np.clip(np.round(np.arange(256)[:, None] * gains), 0, 255).astype(np.uint8)
    lit = cv2.LUT(np.ascontiguousarray(pixels), levels[None])
    return np.asarray(lit, np.uint8), boxes


def _cut(
    pixels: Pixels, boxes: NDArray[np.float32], share: float, rng: np.random.Generator
) -> tuple[Pixels, NDArray[np.float32]]:
    """Cut up to a share off each side, and nothing of a defect."""
    height, width = pixels.shape[:2]
    cuts = rng.uniform(0, share, 4)
    if len(boxes):
        room = np.concatenate([boxes[:, :2].min(axis=0), 1 - boxes[:, 2:].max(axis=0)])
        cuts = np.minimum(cuts, room)
    left, top = int(cuts[0] * width), int(cuts[1] * height)
    right, bottom = width - int(cuts[2] * width), height - int(cuts[3] * height)
    kept = np.array([right - left, bottom - top] * 2, np.float32)
    moved = boxes * np.array([width, height] * 2) - np.array([left, top] * 2)
    return pixels[top:bottom, left:right], np.clip(moved / kept, 0, 1).astype(np.float32)
