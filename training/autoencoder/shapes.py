"""Outlines of painted anomalies: where on a window of an image something will be changed.

Each takes the object's mask (H, W) float32 and a generator, and returns alpha, (H, W) float32 in
[0, 1]. Sizes are in input pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Alpha = NDArray[np.float32]
FINE = 3
"""Fissures are drawn this much enlarged, since their width is a fraction of a pixel."""


def centre(where: Alpha, rng: np.random.Generator) -> tuple[int, int]:
    """Return a random (x, y) on the object."""
    # Every fourth pixel is near enough, and found sixteen times as fast.
    ys, xs = np.nonzero(where[::4, ::4])
    pick = int(rng.integers(len(ys)))
    return int(xs[pick]) * 4, int(ys[pick]) * 4


def soften(mask: Alpha, rng: np.random.Generator, most: float = 2.5) -> Alpha:
    """Return the mask out of focus, by up to ``most`` pixels."""
    sigma = float(rng.uniform(0.0, most))
    return mask if sigma < 0.4 else np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma), np.float32)


def bumps(h: int, w: int, cells: float, rng: np.random.Generator) -> Alpha:
    """Return (h, w) smooth noise in [0, 1] with about ``cells`` bumps along the long side."""
    step = max(h, w) / cells
    grid = rng.random((max(2, round(h / step) + 1), max(2, round(w / step) + 1)))
    noise = cv2.resize(grid.astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    # Cubic interpolation overshoots.
    return np.clip(noise, 0.0, 1.0)


def blob(where: Alpha, rng: np.random.Generator) -> Alpha:
    """An irregular spot: an ellipse with a noisy outline."""
    h, w = where.shape
    a = float(np.exp(rng.uniform(np.log(2.0), np.log(40.0))))
    b = a * float(rng.uniform(0.3, 1.0))
    turn = float(rng.uniform(0, np.pi))
    x0, y0 = centre(where, rng)
    ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
    u = ((xs - x0) * np.cos(turn) + (ys - y0) * np.sin(turn)) / a
    v = ((ys - y0) * np.cos(turn) - (xs - x0) * np.sin(turn)) / b
    radius = np.sqrt(u * u + v * v) + 0.8 * (bumps(h, w, w / max(a, 4.0), rng) - 0.5)
    return soften((radius < 1.0).astype(np.float32), rng)


def patches(where: Alpha, rng: np.random.Generator) -> Alpha:
    """Noise over a threshold inside a window: several ragged islands."""
    h, w = where.shape
    noise = bumps(h, w, float(np.exp(rng.uniform(np.log(5), np.log(40)))), rng)
    x0, y0 = centre(where, rng)
    half = float(rng.uniform(12, 50))
    ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
    # Fading out, or the window's own straight edge would be learnt.
    window = np.exp(-(((xs - x0) / half) ** 2 + ((ys - y0) / half) ** 2))
    return soften((noise * window > rng.uniform(0.4, 0.65)).astype(np.float32), rng)


def rectangle(where: Alpha, rng: np.random.Generator) -> Alpha:
    """A rectangle, turned, from a mark to a patch."""
    h, w = where.shape
    size = np.exp(rng.uniform(np.log(3.0), np.log(70.0), size=2))
    box = cv2.boxPoints((centre(where, rng), tuple(size), float(rng.uniform(0, 180))))
    mask = np.zeros((h, w), np.float32)
    cv2.fillPoly(mask, [np.round(box).astype(np.int32)], 1.0)
    return soften(mask, rng, 1.5)


def curve(where: Alpha, rng: np.random.Generator) -> Alpha:
    """A thin line that wanders: straight to curly, short to long."""
    h, w = where.shape
    x, y = (float(v) for v in centre(where, rng))
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
    # Thin more often than thick, as hairs and scratches are.
    thickness = int(rng.choice((1, 1, 1, 2, 2, 3, 4)))
    cv2.polylines(mask, [fixed], False, 255, thickness, cv2.LINE_AA, shift=4)
    return soften(mask.astype(np.float32) / 255.0, rng, 1.2)


def specks(where: Alpha, rng: np.random.Generator) -> Alpha:
    """A scatter of dots around one place."""
    h, w = where.shape
    x0, y0 = centre(where, rng)
    spread = float(rng.uniform(5, 30))
    mask = np.zeros((h, w), np.uint8)
    for _ in range(int(rng.integers(3, 40))):
        x, y = rng.normal((x0, y0), spread)
        radius = max(8, int(16 * np.exp(rng.uniform(np.log(0.6), np.log(3.0)))))
        cv2.circle(mask, (int(x * 16), int(y * 16)), radius, 255, -1, cv2.LINE_AA, shift=4)
    return soften(mask.astype(np.float32) / 255.0, rng, 1.0)


def smear(where: Alpha, rng: np.random.Generator) -> Alpha:
    """A blob dragged in one direction, uneven along its length."""
    h, w = where.shape
    spot = blob(where, rng) * (0.5 + 0.5 * bumps(h, w, 40, rng))
    length = int(rng.integers(5, 45))
    kernel = np.zeros((length, length), np.float32)
    angle = float(rng.uniform(0, np.pi))
    mid, reach = (length - 1) / 2, length / 2
    dx, dy = reach * np.cos(angle), reach * np.sin(angle)
    ends = [(round(mid - dx), round(mid - dy)), (round(mid + dx), round(mid + dy))]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1)
    smeared = cv2.filter2D(spot, -1, kernel / kernel.sum())
    peak = float(smeared.max())
    return np.asarray(smeared / peak if peak > 0 else smeared, np.float32)


def fissure(where: Alpha, rng: np.random.Generator) -> Alpha:
    """A crack: a line of changing direction and width that tapers off, at times forked.

    It may start at the window's edge as cracks start at a part's edge, and run along one
    direction with small deviations rather than wander.
    """
    h, w = where.shape
    mask = np.zeros((h * FINE, w * FINE), np.uint8)
    x, y = (float(v) for v in centre(where, rng))
    heading = float(rng.uniform(0, 2 * np.pi))
    length = float(np.exp(rng.uniform(np.log(14.0), np.log(150.0))))
    width = float(np.exp(rng.uniform(np.log(1.0), np.log(5.0))))
    _crack(mask, (x, y), heading, length, width, rng)
    if rng.random() < 0.2:
        turn = float(rng.choice((-1.0, 1.0)) * rng.uniform(0.3, 1.2))
        _crack(mask, (x, y), heading + turn, 0.5 * length, 0.7 * width, rng)
    small = cv2.resize(mask, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
    return soften(small, rng, 1.0)


def _crack(
    mask: NDArray[np.uint8],
    start: tuple[float, float],
    heading: float,
    length: float,
    width: float,
    rng: np.random.Generator,
) -> None:
    """Draw one branch on an enlarged mask."""
    stride = float(rng.uniform(2.0, 7.0))
    steps = max(3, round(length / stride))
    jitter, pull = float(rng.uniform(0.05, 0.45)), float(rng.uniform(0.1, 0.5))
    x, y = start
    deviation = 0.0
    # Blunt at the start (an edge, a pore), thin at the far end; or thin at both ends.
    blunt = rng.random() < 0.5
    for i in range(steps):
        deviation = (1 - pull) * deviation + float(rng.normal(0, jitter))
        # Now and then it meets a grain and turns sharply.
        if rng.random() < 0.04:
            heading += float(rng.normal(0, 0.7))
        nx = x + stride * np.cos(heading + deviation)
        ny = y + stride * np.sin(heading + deviation)
        along = (i + 0.5) / steps
        taper = (1 - along) ** 0.5 if blunt else (4 * along * (1 - along)) ** 0.5
        local = max(0.5, width * taper * float(rng.uniform(0.6, 1.2)))
        ends = [(round(float(a) * FINE), round(float(b) * FINE)) for a, b in ((x, y), (nx, ny))]
        cv2.line(mask, ends[0], ends[1], 255, max(1, round(local * FINE)), cv2.LINE_AA)
        x, y = float(nx), float(ny)


def pit(where: Alpha, rng: np.random.Generator) -> Alpha:
    """A small hole or lump: round to oblong, now and then with a neighbour."""
    h, w = where.shape
    x0, y0 = centre(where, rng)
    ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
    mask = np.zeros((h, w), np.float32)
    for _ in range(1 if rng.random() < 0.8 else 2):
        a = float(np.exp(rng.uniform(np.log(2.0), np.log(14.0))))
        b = max(1.2, a * float(rng.uniform(0.25, 1.0)))
        turn = float(rng.uniform(0, np.pi))
        u = ((xs - x0) * np.cos(turn) + (ys - y0) * np.sin(turn)) / a
        v = ((ys - y0) * np.cos(turn) - (xs - x0) * np.sin(turn)) / b
        radius = np.sqrt(u * u + v * v) + 0.5 * (bumps(h, w, w / max(a, 4.0), rng) - 0.5)
        # The flank falls off over about a pixel and a half, as the lens would show it.
        mask = np.maximum(mask, np.clip((1.0 - radius) * b / 1.5 + 0.5, 0.0, 1.0))
        x0, y0 = x0 + int(rng.normal(0, 2 * a)), y0 + int(rng.normal(0, 2 * a))
    return soften(mask, rng, 1.5)
