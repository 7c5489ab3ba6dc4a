"""What painted anomalies look like: each changes a window of an image within a shape.

Each takes a window and a generator, and returns the painted window and the alpha, (H, W) float32,
that it was painted with.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.autoencoder.shapes import Alpha, bumps

Image = NDArray[np.uint8]
SURROUNDINGS = 15
"""Side, in pixels, of the square whose mean a hollow's contrast is relative to."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of an image, and where it may be painted.

    Parameters
    ----------
    image, foreign : (H, W, 3) uint8, and the same part of another image
    region, where : (H, W) float32 in [0, 1], the shape, and the object
    """

    image: Image
    region: Alpha
    where: Alpha
    foreign: Image

    @property
    def alpha(self) -> Alpha:
        """The shape within the object."""
        return self.region * self.where


Painted = tuple[Image, Alpha]


def mix(image: Image, paint: NDArray[np.float32], alpha: Alpha) -> Image:
    """Return the image with the paint over it, as opaque as ``alpha`` says."""
    a = alpha[..., None]
    mixed = image * (1.0 - a) + np.clip(paint, 0, 255) * a
    return np.asarray(np.clip(np.round(mixed), 0, 255), np.uint8)


def tint(at: Window, rng: Generator) -> Painted:
    """A flat or mottled foreign colour: muted more often than vivid, as dirt is."""
    h, w = at.where.shape
    grey = rng.uniform(0, 255)
    colour = grey + rng.normal(0, rng.choice((6.0, 25.0, 70.0)), size=3)
    mottle = (bumps(h, w, float(rng.uniform(8, 100)), rng) - 0.5) * rng.uniform(0, 70)
    paint = (colour[None, None] + mottle[..., None]).astype(np.float32)
    return mix(at.image, paint, at.alpha * float(rng.uniform(0.2, 1.0))), at.alpha


def ink(at: Window, rng: Generator) -> Painted:
    """A flat colour far from the surface's own, nearly opaque: a chip, a pen, bright dust."""
    alpha = at.alpha
    own = np.average(at.image.reshape(-1, 3), axis=0, weights=alpha.ravel() + 1e-6)
    lightest = 255.0 - own.mean()
    up = rng.random() < lightest / 255.0
    reach = lightest if up else own.mean()
    shift = float(rng.uniform(0.35, 1.0)) * reach * (1 if up else -1)
    # Towards grey: what is neither print nor wrap seldom shares their hue.
    hue = float(rng.uniform(0.0, 1.0))
    colour = own.mean() + hue * (own - own.mean()) + shift + rng.normal(0, 8, size=3)
    paint = np.broadcast_to(colour.astype(np.float32), at.image.shape)
    return mix(at.image, paint, alpha * float(rng.uniform(0.6, 1.0))), alpha


def ripple(at: Window, rng: Generator) -> Painted:
    """Fine waves, straight or bent, lighter or darker than the surface."""
    h, w = at.where.shape
    ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
    turn, period = float(rng.uniform(0, np.pi)), float(rng.uniform(3.0, 10.0))
    bend = (bumps(h, w, float(rng.uniform(2, 10)), rng) - 0.5) * rng.uniform(0, 60)
    phase = (xs * np.cos(turn) + ys * np.sin(turn) + bend) * (2 * np.pi / period)
    alpha = at.alpha * (0.5 + 0.5 * np.sin(phase))
    shade = np.float32(rng.choice((-1.0, 1.0)) * rng.uniform(15, 90))
    painted = mix(at.image, at.image.astype(np.float32) + shade, alpha)
    return painted, at.alpha


def brighten(at: Window, rng: Generator) -> Painted:
    """The same surface lighter or darker."""
    # By a factor, so that half as light is as likely as twice as light.
    gain = float(np.exp(rng.choice((-1.0, 1.0)) * rng.uniform(0.12, 0.9)))
    lift = float(rng.uniform(0, 25)) if gain > 1 else 0.0
    return mix(at.image, at.image * np.float32(gain) + lift, at.alpha), at.alpha


def emboss(at: Window, rng: Generator) -> Painted:
    """Shading of a bump or hollow: one flank lighter, the other darker."""
    height = cv2.GaussianBlur(at.region, (0, 0), float(rng.uniform(1.0, 6.0)))
    turn = float(rng.uniform(0, 2 * np.pi))
    slope = np.cos(turn) * cv2.Sobel(height, cv2.CV_32F, 1, 0) + np.sin(turn) * cv2.Sobel(
        height, cv2.CV_32F, 0, 1
    )
    peak = float(np.abs(slope).max())
    if peak <= 0:
        return at.image, at.region * 0
    slope *= at.where / peak
    gain = np.exp(slope * rng.uniform(0.25, 1.1))[..., None]
    painted = np.clip(np.round(at.image * gain + slope[..., None] * rng.uniform(0, 30)), 0, 255)
    return painted.astype(np.uint8), np.abs(slope)


def transplant(at: Window, rng: Generator) -> Painted:
    """Texture of another image, or of another place of this one, turned and recoloured."""
    source = at.foreign if rng.random() < 0.5 else at.image
    h, w = at.where.shape
    shift = (int(rng.integers(h // 8, h)), int(rng.integers(w // 8, w)))
    # Never in place, where the texture would fit and nothing would be seen.
    texture = np.roll(source, shift, axis=(0, 1)).astype(np.float32)
    if rng.random() < 0.5:
        texture = texture[::-1, ::-1]
    if rng.random() < 0.5:
        texture = texture * rng.uniform(0.6, 1.4, size=3).astype(np.float32)
    alpha = at.alpha * float(rng.uniform(0.2, 1.0))
    return mix(at.image, texture, alpha), at.alpha


def warp(at: Window, rng: Generator) -> Painted:
    """The surface pushed aside, or out of focus."""
    h, w = at.where.shape
    if rng.random() < 0.5:
        moved = cv2.GaussianBlur(at.image, (0, 0), float(rng.uniform(1.5, 5.0)))
    else:
        ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
        push = float(rng.uniform(4, 16))
        dx = (bumps(h, w, 12, rng) - 0.5) * 2 * push
        dy = (bumps(h, w, 12, rng) - 0.5) * 2 * push
        moved = cv2.remap(at.image, xs + dx, ys + dy, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)
    return mix(at.image, moved.astype(np.float32), at.alpha), at.alpha


def hollow(at: Window, rng: Generator) -> Painted:
    """Darker than the surroundings by a share of them, as a hole or an open crack is.

    The surface's own grain fades inside; a hole at times has a lighter rim on one side.
    """
    h, w = at.region.shape
    alpha = at.alpha
    pixels = at.image.astype(np.float32)
    local = cv2.blur(pixels, (SURROUNDINGS, SURROUNDINGS))
    depth = float(rng.uniform(0.25, 0.9))
    # What is within a hole is out of focus and in the dark.
    grain = float(rng.uniform(0.0, 0.6))
    uneven = 1.0 + float(rng.uniform(0.0, 0.5)) * (bumps(h, w, w / 6.0, rng) - 0.5)
    paint = local * (1.0 - depth * uneven[..., None]) + grain * (pixels - local)
    result = mix(at.image, paint, alpha)
    if rng.random() < 0.35:
        shift = rng.normal(0, 1.5, size=2)
        move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
        grown = cv2.GaussianBlur(cv2.warpAffine(alpha, move, (w, h)), (0, 0), 1.0)
        rim = np.clip(grown - alpha, 0.0, 1.0) * at.where
        light = local * float(rng.uniform(1.1, 1.7)) + float(rng.uniform(0, 15))
        result = mix(result, np.maximum(result, light), rim)
    return result, alpha


def raised(at: Window, rng: Generator) -> Painted:
    """Lighter than the surroundings: a scratch to bare metal, a fibre, a grain of dust."""
    alpha = at.alpha
    pixels = at.image.astype(np.float32)
    local = cv2.blur(pixels, (SURROUNDINGS, SURROUNDINGS))
    # Part of the way to white, so that a light surface takes it as well as a dark one.
    lift = float(rng.uniform(0.15, 0.8))
    grain = float(rng.uniform(0.0, 0.8))
    paint = local + lift * (255.0 - local) * float(rng.uniform(0.3, 1.0))
    return mix(at.image, paint + grain * (pixels - local), alpha), alpha
