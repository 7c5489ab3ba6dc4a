"""Synthetic anomalies painted on normal images, so that a detector needs no real defect to train.

The recipes are generic on purpose (foreign texture, moved patches, curves, shading, blur, specks,
smears, cracks and holes darker than their surroundings): nothing here imitates the defects of a
particular product or lot generator. What a detector learns from them is "this region does not
belong here", which is what it is judged on. Which kinds are worth painting on a surface, and how
often, is the configuration's choice.

References
----------
Zavrtanik et al., DRAEM: a discriminatively trained reconstruction embedding for surface anomaly
detection, arXiv:2108.07610. Li et al., CutPaste, arXiv:2104.04015.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from training.autoencoder.config import AnomalyConfig, Kind
from training.autoencoder.paints import (
    Image,
    Painted,
    Window,
    brighten,
    emboss,
    hollow,
    ink,
    raised,
    ripple,
    tint,
    transplant,
    warp,
)
from training.autoencoder.shapes import (
    Alpha,
    blob,
    centre,
    curve,
    fissure,
    patches,
    pit,
    rectangle,
    smear,
    specks,
)

WINDOW = (144, 192)
"""Height and width of the part that one anomaly is painted in; sizes are in input pixels."""
RIM = 14
"""Width of what counts as the rim of the object, input pixels."""
Painter = Callable[[Window, np.random.Generator], Painted]
Shape = Callable[[Alpha, np.random.Generator], Alpha]
Recipe = tuple[Shape, Painter]
RECIPES: dict[Kind, tuple[Recipe, ...]] = {
    "texture": (
        (blob, transplant),
        (blob, emboss),
        (blob, warp),
        (blob, ripple),
        (patches, transplant),
        (patches, ripple),
        (rectangle, transplant),
        (rectangle, emboss),
        (curve, emboss),
        (smear, warp),
    ),
    "stain": (
        (blob, tint),
        (blob, brighten),
        (patches, tint),
        (patches, brighten),
        (rectangle, tint),
        (curve, tint),
        (curve, brighten),
        (specks, tint),
        (specks, brighten),
        (smear, tint),
        (smear, brighten),
    ),
    "mark": ((curve, ink), (specks, ink), (blob, ink)),
    "hollow": ((fissure, hollow), (fissure, hollow), (pit, hollow), (pit, hollow), (blob, hollow)),
    "raised": (
        (fissure, raised),
        (fissure, raised),
        (curve, raised),
        (specks, raised),
        (pit, raised),
    ),
}
"""Shape and paint of each kind; a recipe listed twice is painted twice as often."""
DEFAULT = AnomalyConfig()


def add_anomaly(
    image: Image,
    foreign: Image,
    rng: np.random.Generator,
    config: AnomalyConfig = DEFAULT,
) -> tuple[Image, NDArray[np.uint8]]:
    """Return a copy of a normal image with one to four anomalies, and their mask.

    Parameters
    ----------
    image : (H, W, 3) uint8, a normal image; on a grey one the anomalies are grey
    foreign : (H, W, 3) uint8, another normal image, the source of foreign texture
    rng : the only source of randomness
    config : which kinds, where, and how faint they may be

    Returns
    -------
    image : (H, W, 3) uint8
    mask : (H, W) uint8, 1 where the image was changed; all zero where no attempt was visible
    """
    result = image.copy()
    where = foreground(image) if config.region == "object" else frame(image)
    # The outermost part, unless the object is too small to have one.
    rim = where - cv2.erode(where, np.ones((2 * RIM + 1,) * 2), borderValue=0)
    has_rim = bool(rim[::4, ::4].any())  # points are drawn from every fourth pixel
    kinds, weights = list(config.kinds), np.array(list(config.kinds.values()))
    mask = np.zeros(image.shape[:2], np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        # A mark may fall where it cannot be seen, on glare or in its own colour.
        for _attempt in range(4):
            near = rim if has_rim and rng.random() < config.rim else where
            # Painting a part is quick: a window around a random point of the object.
            x, y = centre(near, rng)
            top, left = max(0, y - WINDOW[0] // 2), max(0, x - WINDOW[1] // 2)
            view = slice(top, top + WINDOW[0]), slice(left, left + WINDOW[1])
            recipes = RECIPES[kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]]
            shape, paint = recipes[int(rng.integers(len(recipes)))]
            before = result[view]
            region = shape(near[view], rng)
            painted, alpha = paint(Window(before, region, where[view], foreign[view]), rng)
            change = np.abs(painted.astype(np.int16) - before).mean(axis=2)
            # A soft edge counts as far as it shows.
            changed = (change >= config.min_change) & (alpha > 0.25)
            if np.count_nonzero(changed) >= 6:
                result[view] = painted
                mask[view] |= changed.astype(np.uint8)
                break
    red, green, blue = cv2.split(image)
    if np.array_equal(red, green) and np.array_equal(green, blue):
        # Coloured marks would be found by their colour alone.
        grey = cv2.cvtColor(result, cv2.COLOR_RGB2GRAY)
        result = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return result, np.asarray(closed, np.uint8)


def frame(image: Image) -> Alpha:
    """Return (H, W) float32, 1 within the picture, 0 on the repeated edges around it."""
    where = np.zeros(image.shape[:2], np.float32)
    across = cv2.absdiff(image[:, 1:], image[:, :-1]).reshape(image.shape[0], -1)
    down = cv2.absdiff(image[1:], image[:-1]).reshape(image.shape[0] - 1, -1)
    changes = cv2.reduce(across, 0, cv2.REDUCE_MAX).reshape(-1, image.shape[2])
    columns = np.flatnonzero(changes.max(axis=1))
    rows = np.flatnonzero(cv2.reduce(down, 1, cv2.REDUCE_MAX))
    if not len(rows) or not len(columns):
        return np.ones_like(where)
    where[rows[0] : rows[-1] + 2, columns[0] : columns[-1] + 2] = 1.0
    return where


def foreground(image: Image) -> Alpha:
    """Return (H, W) float32, 1 where the object is, judged by its difference from the border.

    Falls back to the whole frame where the border says nothing (an object that fills the frame).
    """
    small = cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    distance = np.abs(small.astype(np.float32) - np.median(border, axis=0)).max(axis=2)
    grey = np.clip(distance, 0, 255).astype(np.uint8)
    _, mask = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    # Next to nothing or next to all: the border was no background.
    if not 0.1 < mask.mean() < 0.9:
        mask = np.ones_like(mask)
    size = (image.shape[1], image.shape[0])
    return cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST).astype(np.float32)
