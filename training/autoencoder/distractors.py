"""What normal surfaces have and a detector must not report: shadows, faint lines, dark borders.

Painted on images that stay normal, so that the head learns how strong and how sharp a mark must
be to count, rather than that any change counts.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.autoencoder.paints import Image
from training.autoencoder.shapes import Alpha, blob, bumps, curve, fissure


def add_distractors(image: Image, where: Alpha, rng: np.random.Generator) -> Image:
    """Return a copy of a normal image with a shadow over it and a few faint marks.

    Parameters
    ----------
    image : (H, W, 3) uint8
    where : (H, W) float32, 1 on the object
    rng : the only source of randomness
    """
    h, w = where.shape
    gain = np.ones((h, w), np.float32)
    if rng.random() < 0.5:
        depth = float(rng.uniform(0.1, 0.5))
        gain += depth * (bumps(h, w, float(rng.uniform(1.5, 6.0)), rng) - 0.5)
    for _ in range(int(rng.integers(0, 4))):
        gain *= 1.0 - _faint(where, rng)
    painted = np.clip(np.round(image * gain[..., None]), 0, 255)
    return painted.astype(np.uint8)


def show_border(image: Image, where: Alpha, rng: np.random.Generator) -> Image:
    """Return a copy with a dark border along some of the picture's sides and corners.

    Where a part does not quite fill its picture, what is behind it shows as dark wedges and
    notches, sharp as a hole but normal.

    Parameters
    ----------
    image : (H, W, 3) uint8
    where : (H, W) float32, 1 within the picture, 0 on the repeated edges around it
    rng : the only source of randomness
    """
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    inner = image[top:bottom, left:right]
    h, w = inner.shape[:2]
    mask = np.zeros((h, w), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        outline = _corner(h, w, rng) if rng.random() < 0.5 else _side(h, w, rng)
        cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 255)
    soft = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.6, 2.0)))
    alpha = (soft / np.float32(255.0))[..., None]
    dark = inner * float(rng.uniform(0.05, 0.5)) + float(rng.uniform(0.0, 12.0))
    painted = np.clip(np.round(inner * (1.0 - alpha) + dark * alpha), 0, 255).astype(np.uint8)
    # What lies around the picture repeats its new edge, as the preprocess would.
    sides = (top, image.shape[0] - bottom, left, image.shape[1] - right)
    padded = cv2.copyMakeBorder(painted, *map(int, sides), cv2.BORDER_REPLICATE)
    return np.asarray(padded, np.uint8)


def _side(h: int, w: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the outline, (n, 2) as x, y, of a sliver along one side, straight or bowed."""
    along = np.linspace(-0.02, 1.02, 12)
    depth = float(rng.uniform(0, 9)) + float(rng.uniform(-8, 8)) * along
    depth += float(rng.uniform(-12, 12)) * along * (1 - along)
    depth = np.append(np.maximum(depth, -1.0), (-3.0, -3.0))
    across = np.append(along, (1.02, -0.02))
    side = int(rng.integers(4))
    if side < 2:
        return np.column_stack([across * w, depth if side == 0 else h - 1 - depth])
    return np.column_stack([depth if side == 2 else w - 1 - depth, across * h])


def _corner(h: int, w: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the outline of a notch in one corner, cut off or rounded."""
    a, b = rng.uniform(6, 45), rng.uniform(4, 22)
    reach = np.array([[-3, -3], [a, -3], [a, 0], [a * 0.6, b * 0.7], [0, b], [-3, b]], np.float64)
    reach[3] *= rng.uniform(0.6, 1.4)
    if rng.random() < 0.5:
        reach = reach[:, ::-1].copy()
    if rng.random() < 0.5:
        reach[:, 0] = w - 1 - reach[:, 0]
    if rng.random() < 0.5:
        reach[:, 1] = h - 1 - reach[:, 1]
    return reach


def _faint(where: Alpha, rng: np.random.Generator) -> Alpha:
    """Return how much darker (or, below zero, lighter) each pixel gets, (H, W)."""
    sign = -1.0 if rng.random() < 0.3 else 1.0
    if rng.random() < 0.5:
        soft = cv2.GaussianBlur(blob(where, rng), (0, 0), float(rng.uniform(4.0, 14.0)))
        return np.asarray(sign * float(rng.uniform(0.05, 0.35)) * soft, np.float32)
    line = fissure(where, rng) if rng.random() < 0.5 else curve(where, rng)
    return np.asarray(sign * float(rng.uniform(0.03, 0.15)) * line, np.float32)
