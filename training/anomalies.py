"""Synthetic anomalies painted on normal images, so that a detector needs no real defect to train.

The recipes are generic on purpose (foreign texture, moved patches, curves, shading, blur, specks,
smears): nothing here imitates the defects of a particular product or lot generator. What a
detector learns from them is "this region does not belong here", which is what it is judged on.

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

Image = NDArray[np.uint8]
Alpha = NDArray[np.float32]
WINDOW = (144, 192)
"""Height and width of the part that one anomaly is painted in; sizes are in input pixels."""
Painter = Callable[[Image, Alpha, Alpha, Image, np.random.Generator], tuple[Image, Alpha]]


def add_anomaly(
    image: Image, foreign: Image, rng: np.random.Generator, min_change: float = 5.0
) -> tuple[Image, NDArray[np.uint8]]:
    """Return a copy of a normal image with one to four anomalies, and their mask.

    Parameters
    ----------
    image : (H, W, 3) uint8, a normal image
    foreign : (H, W, 3) uint8, another normal image, the source of foreign texture
    rng : the only source of randomness
    min_change : mean absolute change over the channels, in grey levels, from which a pixel
        counts as changed; what nobody could see is not taught as an anomaly

    Returns
    -------
    image : (H, W, 3) uint8
    mask : (H, W) uint8, 1 where the image was changed; all zero where no attempt was visible
    """
    result = image.copy()
    where = foreground(image)
    mask = np.zeros(image.shape[:2], np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        for _attempt in range(4):
            view = _window(where, rng)
            shape, paint = _RECIPES[int(rng.integers(len(_RECIPES)))]
            before, object_ = result[view], where[view]
            painted, alpha = paint(before, shape(object_, rng), object_, foreign[view], rng)
            change = np.abs(painted.astype(np.int16) - before).mean(axis=2)
            # A soft edge counts as far as it shows.
            changed = (change >= min_change) & (alpha > 0.25)
            if np.count_nonzero(changed) >= 6:
                result[view] = painted
                mask[view] |= changed.astype(np.uint8)
                break
    return result, cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))


def _window(where: Alpha, rng: np.random.Generator) -> tuple[slice, slice]:
    """Return a window around a random point of the object: painting a part is quick."""
    x, y = _centre(where, rng)
    top, left = max(0, y - WINDOW[0] // 2), max(0, x - WINDOW[1] // 2)
    return slice(top, top + WINDOW[0]), slice(left, left + WINDOW[1])


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
    if not 0.1 < mask.mean() < 0.9:
        mask = np.ones_like(mask)
    size = (image.shape[1], image.shape[0])
    return cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST).astype(np.float32)


# Shapes: (where, rng) -> (H, W) float32 alpha in [0, 1].


def _centre(where: Alpha, rng: np.random.Generator) -> tuple[int, int]:
    """Return a random (x, y) on the object."""
    ys, xs = np.nonzero(where[::4, ::4])
    pick = int(rng.integers(len(ys)))
    return int(xs[pick]) * 4, int(ys[pick]) * 4


def _soften(mask: Alpha, rng: np.random.Generator, most: float = 2.5) -> Alpha:
    sigma = float(rng.uniform(0.0, most))
    return mask if sigma < 0.4 else cv2.GaussianBlur(mask, (0, 0), sigma)


def _noise(h: int, w: int, cells: float, rng: np.random.Generator) -> Alpha:
    """Return (h, w) smooth noise in [0, 1] with about ``cells`` bumps along the long side."""
    step = max(h, w) / cells
    grid = rng.random((max(2, round(h / step) + 1), max(2, round(w / step) + 1)))
    noise = cv2.resize(grid.astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    return np.clip(noise, 0.0, 1.0)


def _blob(where: Alpha, rng: np.random.Generator) -> Alpha:
    """An irregular spot: an ellipse with a noisy outline."""
    h, w = where.shape
    a = float(np.exp(rng.uniform(np.log(2.0), np.log(40.0))))
    b = a * float(rng.uniform(0.3, 1.0))
    turn = float(rng.uniform(0, np.pi))
    x0, y0 = _centre(where, rng)
    ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
    u = ((xs - x0) * np.cos(turn) + (ys - y0) * np.sin(turn)) / a
    v = ((ys - y0) * np.cos(turn) - (xs - x0) * np.sin(turn)) / b
    radius = np.sqrt(u * u + v * v) + 0.8 * (_noise(h, w, w / max(a, 4.0), rng) - 0.5)
    return _soften((radius < 1.0).astype(np.float32), rng)


def _patches(where: Alpha, rng: np.random.Generator) -> Alpha:
    """Noise over a threshold inside a window: several ragged islands."""
    h, w = where.shape
    noise = _noise(h, w, float(np.exp(rng.uniform(np.log(5), np.log(40)))), rng)
    x0, y0 = _centre(where, rng)
    half = float(rng.uniform(12, 50))
    ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
    window = np.exp(-(((xs - x0) / half) ** 2 + ((ys - y0) / half) ** 2))
    return _soften((noise * window > rng.uniform(0.4, 0.65)).astype(np.float32), rng)


def _rectangle(where: Alpha, rng: np.random.Generator) -> Alpha:
    h, w = where.shape
    size = np.exp(rng.uniform(np.log(3.0), np.log(70.0), size=2))
    box = cv2.boxPoints((_centre(where, rng), tuple(size), float(rng.uniform(0, 180))))
    mask = np.zeros((h, w), np.float32)
    cv2.fillPoly(mask, [np.round(box).astype(np.int32)], 1.0)
    return _soften(mask, rng, 1.5)


def _curve(where: Alpha, rng: np.random.Generator) -> Alpha:
    """A thin line that wanders: straight to curly, short to long."""
    h, w = where.shape
    x, y = (float(v) for v in _centre(where, rng))
    heading, curl = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.0, 0.35))
    steps = int(rng.integers(4, 26))
    stride = float(np.exp(rng.uniform(np.log(2.5), np.log(9.0))))
    points = [(x, y)]
    for _ in range(steps):
        heading += float(rng.normal(0, curl))
        x, y = x + stride * np.cos(heading), y + stride * np.sin(heading)
        points.append((x, y))
    mask = np.zeros((h, w), np.uint8)
    fixed = np.round(np.array(points) * 16).astype(np.int32)
    thickness = int(rng.choice((1, 1, 1, 2, 2, 3, 4)))
    cv2.polylines(mask, [fixed], False, 255, thickness, cv2.LINE_AA, shift=4)
    return _soften(mask.astype(np.float32) / 255.0, rng, 1.2)


def _specks(where: Alpha, rng: np.random.Generator) -> Alpha:
    """A scatter of dots around one place."""
    h, w = where.shape
    x0, y0 = _centre(where, rng)
    spread = float(rng.uniform(5, 30))
    mask = np.zeros((h, w), np.uint8)
    for _ in range(int(rng.integers(3, 40))):
        x, y = rng.normal((x0, y0), spread)
        radius = max(8, int(16 * np.exp(rng.uniform(np.log(0.6), np.log(3.0)))))
        cv2.circle(mask, (int(x * 16), int(y * 16)), radius, 255, -1, cv2.LINE_AA, shift=4)
    return _soften(mask.astype(np.float32) / 255.0, rng, 1.0)


def _smear(where: Alpha, rng: np.random.Generator) -> Alpha:
    """A blob dragged in one direction, uneven along its length."""
    h, w = where.shape
    spot = _blob(where, rng) * (0.5 + 0.5 * _noise(h, w, 40, rng))
    length = int(rng.integers(5, 45))
    kernel = np.zeros((length, length), np.float32)
    angle = float(rng.uniform(0, np.pi))
    mid, reach = (length - 1) / 2, length / 2
    dx, dy = reach * np.cos(angle), reach * np.sin(angle)
    ends = [(round(mid - dx), round(mid - dy)), (round(mid + dx), round(mid + dy))]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1)
    smeared = cv2.filter2D(spot, -1, kernel / kernel.sum())
    peak = float(smeared.max())
    return smeared / peak if peak > 0 else smeared


# Paints: (image, region, where, foreign, rng) -> painted image and the alpha it was painted with.


def _mix(image: Image, paint: NDArray[np.float32], alpha: Alpha) -> Image:
    a = alpha[..., None]
    mixed = image * (1.0 - a) + np.clip(paint, 0, 255) * a
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)


def _opacity(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.2, 1.0))


def _tint(
    image: Image, region: Alpha, where: Alpha, foreign: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """A flat or mottled foreign colour: muted more often than vivid, as dirt is."""
    h, w = where.shape
    grey = rng.uniform(0, 255)
    colour = grey + rng.normal(0, rng.choice((6.0, 25.0, 70.0)), size=3)
    mottle = (_noise(h, w, float(rng.uniform(8, 100)), rng) - 0.5) * rng.uniform(0, 70)
    paint = (colour[None, None] + mottle[..., None]).astype(np.float32)
    return _mix(image, paint, region * where * _opacity(rng)), region * where


def _ink(
    image: Image, region: Alpha, where: Alpha, foreign: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """A flat colour far from the surface's own, nearly opaque: a chip, a pen, bright dust."""
    alpha = region * where
    own = np.average(image.reshape(-1, 3), axis=0, weights=alpha.ravel() + 1e-6)
    lightest = 255.0 - own.mean()
    up = rng.random() < lightest / 255.0
    reach = lightest if up else own.mean()
    shift = float(rng.uniform(0.35, 1.0)) * reach * (1 if up else -1)
    # Towards grey: what is neither print nor wrap seldom shares their hue.
    hue = float(rng.uniform(0.0, 1.0))
    colour = own.mean() + hue * (own - own.mean()) + shift + rng.normal(0, 8, size=3)
    paint = np.broadcast_to(colour.astype(np.float32), image.shape)
    return _mix(image, paint, alpha * float(rng.uniform(0.6, 1.0))), alpha


def _ripple(
    image: Image, region: Alpha, where: Alpha, foreign: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """Fine waves, straight or bent, lighter or darker than the surface."""
    h, w = where.shape
    ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
    turn, period = float(rng.uniform(0, np.pi)), float(rng.uniform(3.0, 10.0))
    bend = (_noise(h, w, float(rng.uniform(2, 10)), rng) - 0.5) * rng.uniform(0, 60)
    phase = (xs * np.cos(turn) + ys * np.sin(turn) + bend) * (2 * np.pi / period)
    alpha = region * where * (0.5 + 0.5 * np.sin(phase))
    shade = np.float32(rng.choice((-1.0, 1.0)) * rng.uniform(15, 90))
    painted = _mix(image, image.astype(np.float32) + shade, alpha)
    return painted, region * where


def _brighten(
    image: Image, region: Alpha, where: Alpha, foreign: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """The same surface lighter or darker."""
    gain = float(np.exp(rng.choice((-1.0, 1.0)) * rng.uniform(0.12, 0.9)))
    lift = float(rng.uniform(0, 25)) if gain > 1 else 0.0
    return _mix(image, image * np.float32(gain) + lift, region * where), region * where


def _emboss(
    image: Image, region: Alpha, where: Alpha, foreign: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """Shading of a bump or hollow: one flank lighter, the other darker."""
    height = cv2.GaussianBlur(region, (0, 0), float(rng.uniform(1.0, 6.0)))
    turn = float(rng.uniform(0, 2 * np.pi))
    slope = np.cos(turn) * cv2.Sobel(height, cv2.CV_32F, 1, 0) + np.sin(turn) * cv2.Sobel(
        height, cv2.CV_32F, 0, 1
    )
    peak = float(np.abs(slope).max())
    if peak <= 0:
        return image, region * 0
    slope *= where / peak
    gain = np.exp(slope * rng.uniform(0.25, 1.1))[..., None]
    painted = np.clip(np.round(image * gain + slope[..., None] * rng.uniform(0, 30)), 0, 255)
    return painted.astype(np.uint8), np.abs(slope)


def _transplant(
    image: Image, region: Alpha, where: Alpha, foreign: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """Texture of another image, or of another place of this one, turned and recoloured."""
    source = foreign if rng.random() < 0.5 else image
    h, w = where.shape
    shift = (int(rng.integers(h // 8, h)), int(rng.integers(w // 8, w)))
    texture = np.roll(source, shift, axis=(0, 1)).astype(np.float32)
    if rng.random() < 0.5:
        texture = texture[::-1, ::-1]
    if rng.random() < 0.5:
        texture = texture * rng.uniform(0.6, 1.4, size=3).astype(np.float32)
    alpha = region * where * _opacity(rng)
    return _mix(image, texture, alpha), region * where


def _warp(
    image: Image, region: Alpha, where: Alpha, foreign: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """The surface pushed aside, or out of focus."""
    h, w = where.shape
    if rng.random() < 0.5:
        moved = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(1.5, 5.0)))
    else:
        ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
        push = float(rng.uniform(4, 16))
        dx = (_noise(h, w, 12, rng) - 0.5) * 2 * push
        dy = (_noise(h, w, 12, rng) - 0.5) * 2 * push
        moved = cv2.remap(image, xs + dx, ys + dy, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)
    return _mix(image, moved.astype(np.float32), region * where), region * where


_RECIPES: tuple[tuple[Callable[[Alpha, np.random.Generator], Alpha], Painter], ...] = (
    (_blob, _tint),
    (_blob, _transplant),
    (_blob, _brighten),
    (_blob, _emboss),
    (_blob, _warp),
    (_patches, _tint),
    (_patches, _transplant),
    (_patches, _brighten),
    (_rectangle, _transplant),
    (_rectangle, _tint),
    (_rectangle, _emboss),
    (_curve, _tint),
    (_curve, _brighten),
    (_curve, _emboss),
    (_curve, _ink),
    (_curve, _ink),
    (_specks, _ink),
    (_specks, _ink),
    (_blob, _ink),
    (_blob, _ripple),
    (_patches, _ripple),
    (_specks, _tint),
    (_specks, _brighten),
    (_smear, _tint),
    (_smear, _brighten),
    (_smear, _warp),
)
