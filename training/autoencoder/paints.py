"""What painted anomalies look like: each changes a window of an image within a shape.

Each takes (image, region, where, foreign, rng): the window (H, W, 3) uint8, the shape and the
object's mask (H, W) float32 in [0, 1], and the same window of another image. It returns the
painted window and the alpha it was painted with.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.autoencoder.shapes import Alpha, bumps

Image = NDArray[np.uint8]
SURROUNDINGS = 15
"""Side, in pixels, of the square whose mean a hollow's contrast is relative to."""


def mix(image: Image, paint: NDArray[np.float32], alpha: Alpha) -> Image:
    """Return the image with the paint over it, as opaque as ``alpha`` says."""
    a = alpha[..., None]
    mixed = image * (1.0 - a) + np.clip(paint, 0, 255) * a
    return np.asarray(np.clip(np.round(mixed), 0, 255), np.uint8)


def opacity(rng: np.random.Generator) -> float:
    """Return how much of the surface a paint hides."""
    return float(rng.uniform(0.2, 1.0))


def tint(
    image: Image, region: Alpha, where: Alpha, foreign: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """A flat or mottled foreign colour: muted more often than vivid, as dirt is."""
    h, w = where.shape
    grey = rng.uniform(0, 255)
    colour = grey + rng.normal(0, rng.choice((6.0, 25.0, 70.0)), size=3)
    mottle = (bumps(h, w, float(rng.uniform(8, 100)), rng) - 0.5) * rng.uniform(0, 70)
    paint = (colour[None, None] + mottle[..., None]).astype(np.float32)
    return mix(image, paint, region * where * opacity(rng)), region * where


def ink(
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
    return mix(image, paint, alpha * float(rng.uniform(0.6, 1.0))), alpha


def ripple(
    image: Image, region: Alpha, where: Alpha, foreign: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """Fine waves, straight or bent, lighter or darker than the surface."""
    h, w = where.shape
    ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
    turn, period = float(rng.uniform(0, np.pi)), float(rng.uniform(3.0, 10.0))
    bend = (bumps(h, w, float(rng.uniform(2, 10)), rng) - 0.5) * rng.uniform(0, 60)
    phase = (xs * np.cos(turn) + ys * np.sin(turn) + bend) * (2 * np.pi / period)
    alpha = region * where * (0.5 + 0.5 * np.sin(phase))
    shade = np.float32(rng.choice((-1.0, 1.0)) * rng.uniform(15, 90))
    painted = mix(image, image.astype(np.float32) + shade, alpha)
    return painted, region * where


def brighten(
    image: Image, region: Alpha, where: Alpha, foreign: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """The same surface lighter or darker."""
    gain = float(np.exp(rng.choice((-1.0, 1.0)) * rng.uniform(0.12, 0.9)))
    lift = float(rng.uniform(0, 25)) if gain > 1 else 0.0
    return mix(image, image * np.float32(gain) + lift, region * where), region * where


def emboss(
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


def transplant(
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
    alpha = region * where * opacity(rng)
    return mix(image, texture, alpha), region * where


def warp(
    image: Image, region: Alpha, where: Alpha, foreign: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """The surface pushed aside, or out of focus."""
    h, w = where.shape
    if rng.random() < 0.5:
        moved = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(1.5, 5.0)))
    else:
        ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
        push = float(rng.uniform(4, 16))
        dx = (bumps(h, w, 12, rng) - 0.5) * 2 * push
        dy = (bumps(h, w, 12, rng) - 0.5) * 2 * push
        moved = cv2.remap(image, xs + dx, ys + dy, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)
    return mix(image, moved.astype(np.float32), region * where), region * where


def hollow(
    image: Image, region: Alpha, where: Alpha, foreign: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """Darker than the surroundings by a share of them, as a hole or an open crack is.

    The surface's own grain fades inside; a hole at times has a lighter rim on one side.
    """
    h, w = region.shape
    alpha = region * where
    pixels = image.astype(np.float32)
    local = cv2.blur(pixels, (SURROUNDINGS, SURROUNDINGS))
    depth = float(rng.uniform(0.25, 0.9))
    grain = float(rng.uniform(0.0, 0.6))
    uneven = 1.0 + float(rng.uniform(0.0, 0.5)) * (bumps(h, w, w / 6.0, rng) - 0.5)
    paint = local * (1.0 - depth * uneven[..., None]) + grain * (pixels - local)
    result = mix(image, paint, alpha)
    if rng.random() < 0.35:
        shift = rng.normal(0, 1.5, size=2)
        move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
        grown = cv2.GaussianBlur(cv2.warpAffine(alpha, move, (w, h)), (0, 0), 1.0)
        rim = np.clip(grown - alpha, 0.0, 1.0) * where
        light = local * float(rng.uniform(1.1, 1.7)) + float(rng.uniform(0, 15))
        result = mix(result, np.maximum(result, light), rim)
    return result, alpha


def raised(
    image: Image, region: Alpha, where: Alpha, foreign: Image, rng: np.random.Generator
) -> tuple[Image, Alpha]:
    """Lighter than the surroundings: a scratch to bare metal, a fibre, a grain of dust."""
    alpha = region * where
    pixels = image.astype(np.float32)
    local = cv2.blur(pixels, (SURROUNDINGS, SURROUNDINGS))
    # Part of the way to white, so that a light surface takes it as well as a dark one.
    lift = float(rng.uniform(0.15, 0.8))
    grain = float(rng.uniform(0.0, 0.8))
    paint = local + lift * (255.0 - local) * float(rng.uniform(0.3, 1.0))
    return mix(image, paint + grain * (pixels - local), alpha), alpha
