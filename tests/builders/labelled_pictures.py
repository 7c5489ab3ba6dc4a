"""Labelled pictures as the VLM and the VLG learn them, and a small lot of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inspection.images.preprocess import ImageData
from inspection.records import ImageRef, Modality, Rect
from inspection.synthetic import SyntheticLot, write_lot
from training.data.examples import Example


def picture_of(
    modality: Modality,
    name: str,
    kinds: Sequence[str] = (),
    boxes: Sequence[Sequence[float]] = (),
    size: tuple[int, int] = (1000, 1000),
) -> Example:
    """Return a dark picture of (width, height) with what its label says of it."""
    ref = ImageRef(Path("0.png"), modality, "001", None, 0, "module", None, None)
    shape = (size[1], size[0]) if modality == "ct" else (size[1], size[0], 3)
    image = ImageData(np.full(shape, 60, np.uint8), Rect(0, 0, *size), size)
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    return Example(ref, image, name, tuple(kinds), corners)


def labelled_lot(folder: Path) -> Path:
    """Write six batteries, most of them with a defect."""
    spec = SyntheticLot(batteries=6, slices=3, views=2, canvas=128, seed=5, defects=0.7)
    return write_lot(folder, spec, workers=1)
