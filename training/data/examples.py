"""Lots as the VLM and the VLG see them: each picture's content, its class, its defects' boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection.agreement.overlap import defect_rectangles
from inspection.images.preprocess import ImageData, load_content
from inspection.lot.labels import class_of, read_label
from inspection.records import ImageRef, Modality
from training.data.labelled import scan_lots
from training.data.prefetch import prefetch
from training.data.stack_windows import DeepStack

READERS = 4
"""Threads that decode."""


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled picture, as the station cuts it for these models.

    Parameters
    ----------
    ref : the image
    image : its content, and where that lies in the source
    name : its class: one of the table's, or ``normal`` of a view
    kinds : the kind of each defect, such as ``porosity``
    boxes : (n, 4) float32, left, top, right and bottom as shares of the picture
    """

    ref: ImageRef
    image: ImageData
    name: str
    kinds: tuple[str, ...]
    boxes: NDArray[np.float32]

    @property
    def modality(self) -> Modality:
        """What kind of picture it is."""
        return self.ref.modality

    def polygons(self) -> list[NDArray[np.float32]]:
        """Return the defects' boxes as (4, 2) outlines in source pixels."""
        roi = self.image.roi
        corners = self.boxes * [roi.w, roi.h, roi.w, roi.h] + [roi.x, roi.y, roi.x, roi.y]
        return [
            np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
            for x0, y0, x1, y1 in corners
        ]


def read_examples(lots: Sequence[Path], max_pixels: int) -> Iterator[Example]:
    """Yield the labelled pictures of some lots in a fixed order.

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
    batteries = scan_lots(lots).batteries
    images: list[tuple[ImageRef, DeepStack | None]] = []
    for item in batteries:
        stack = DeepStack(item.battery.ct) if item.battery.ct else None
        images += [(ref, stack) for ref in item.battery.ct]
        images += [(ref, None) for ref in item.battery.rgb]
    for example in prefetch(partial(_read, max_pixels=max_pixels), images, READERS):
        if example is not None:
            yield example


def _read(item: tuple[ImageRef, DeepStack | None], max_pixels: int) -> Example | None:
    ref, stack = item
    label = read_label(ref.label_path) if ref.label_path else None
    name = class_of(label, ref.modality) if label else None
    if label is None or name is None:
        return None
    window = stack.window if stack else None
    image = load_content(ref.source, modality=ref.modality, max_pixels=max_pixels, window=window)
    roi = image.roi
    kinds: list[str] = []
    boxes: list[NDArray[np.float64]] = []
    for kind in dict.fromkeys(defect.name for defect in label.defects):
        polygons = [np.asarray(d.points, np.float32) for d in label.defects if d.name == kind]
        for corners in defect_rectangles(polygons):
            shares = (corners - [roi.x, roi.y] * 2) / ([roi.w, roi.h] * 2)
            kinds.append(kind)
            boxes.append(np.clip(shares, 0.0, 1.0))
    return Example(ref, image, name, tuple(kinds), np.array(boxes, np.float32).reshape(-1, 4))
