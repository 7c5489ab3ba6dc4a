"""Pictures that are no battery's, or a battery's spoilt: what `out_of_place.py` tries.

Every kind is a function of a generator and of a real picture of the modality, which it may use.
``seen`` says that the gate's checks and limits were chosen while looking at the kind; the others
were tried once, for the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Make = Callable[[np.random.Generator, Pixels], Pixels]


@dataclass(frozen=True, slots=True)
class OddKind:
    """A kind of picture that is out of place."""

    make: Make
    seen: bool


KINDS: dict[str, OddKind] = {}


def kind(*, seen: bool) -> Callable[[Make], Make]:
    """Add a kind under the function's name."""

    def add(make: Make) -> Make:
        KINDS[make.__name__] = OddKind(make, seen)
        return make

    return add


def clipped(values: NDArray[np.floating]) -> Pixels:
    """Return values as pixels."""
    return np.clip(values, 0, 255).astype(np.uint8)


def stretched(values: NDArray[np.floating]) -> Pixels:
    """Return values over the whole scale."""
    low, high = float(values.min()), float(values.max())
    return clipped((values - low) / max(high - low, 1e-9) * 255)


def canvas(real: Pixels, level: int = 0) -> Pixels:
    """Return an even grey picture of the size of a real one."""
    return np.full(real.shape[:2], level, np.uint8)


@kind(seen=True)
def grey_with_noise(rng: np.random.Generator, real: Pixels) -> Pixels:
    """An even grey, with a detector's noise."""
    return clipped(rng.normal(rng.integers(40, 220), 2, real.shape[:2]))


@kind(seen=True)
def noise(rng: np.random.Generator, real: Pixels) -> Pixels:
    """Nothing but noise."""
    return rng.integers(0, 256, real.shape, dtype=np.uint8)


@kind(seen=True)
def blobs(rng: np.random.Generator, real: Pixels) -> Pixels:
    """Bright discs on black."""
    picture = canvas(real)
    for _ in range(int(rng.integers(3, 25))):
        at = int(rng.integers(real.shape[1])), int(rng.integers(real.shape[0]))
        cv2.circle(picture, at, int(rng.integers(8, 70)), int(rng.integers(60, 255)), -1)
    return picture


@kind(seen=True)
def text(rng: np.random.Generator, real: Pixels) -> Pixels:
    """A printed page."""
    picture = canvas(real, 255)
    for row in range(25, real.shape[0], 26):
        letters = "".join(chr(rng.integers(65, 91)) for _ in range(40))
        cv2.putText(picture, letters, (5, row), 0, 0.6, 0, 1)
    return picture


@kind(seen=True)
def screenshot(rng: np.random.Generator, real: Pixels) -> Pixels:
    """Windows with menus."""
    picture = canvas(real, 240)
    picture[:24] = 60
    for _ in range(int(rng.integers(4, 9))):
        x, y = int(rng.integers(real.shape[1] - 90)), int(rng.integers(30, real.shape[0] - 60))
        corner = x + int(rng.integers(60, 220)), y + int(rng.integers(30, 150))
        cv2.rectangle(picture, (x, y), corner, int(rng.integers(120, 255)), -1)
        cv2.rectangle(picture, (x, y), corner, 90, 1)
        cv2.putText(picture, "File Edit View", (x + 4, y + 16), 0, 0.38, 20, 1)
    return picture


@kind(seen=True)
def chequers(rng: np.random.Generator, real: Pixels) -> Pixels:
    """A calibration target."""
    y, x = np.indices(real.shape[:2]) // int(rng.integers(4, 40))
    return clipped((x + y) % 2 * float(rng.integers(80, 255)))


@kind(seen=True)
def other_product(rng: np.random.Generator, real: Pixels) -> Pixels:
    """A case with a few parts in it."""
    picture, (height, width) = canvas(real), real.shape[:2]
    x, y = int(rng.integers(20, 120)), int(rng.integers(10, 60))
    cv2.rectangle(picture, (x, y), (width - x, height - y), int(rng.integers(70, 160)), -1)
    for _ in range(6):
        at = int(rng.integers(x + 20, width - x - 20)), int(rng.integers(y + 20, height - y - 20))
        corners = (at[0] - 14, at[1] - 10), (at[0] + 14, at[1] + 10)
        cv2.rectangle(picture, *corners, int(rng.integers(150, 250)), -1)
    return clipped(picture + rng.normal(0, 4, picture.shape))


@kind(seen=True)
def blurred(_rng: np.random.Generator, real: Pixels) -> Pixels:
    """The battery, out of focus."""
    return np.asarray(cv2.GaussianBlur(real, (0, 0), 4.0), np.uint8)


@kind(seen=True)
def moved(rng: np.random.Generator, real: Pixels) -> Pixels:
    """The battery, moved while it was taken."""
    length = int(rng.integers(15, 31))
    return np.asarray(cv2.filter2D(real, -1, np.ones((1, length), np.float32) / length), np.uint8)


@kind(seen=True)
def negative(_rng: np.random.Generator, real: Pixels) -> Pixels:
    """White and black exchanged."""
    return 255 - real


@kind(seen=True)
def turned(_rng: np.random.Generator, real: Pixels) -> Pixels:
    """The battery, lying on its side."""
    return np.ascontiguousarray(np.rot90(real))


@kind(seen=True)
def lower_half_missing(_rng: np.random.Generator, real: Pixels) -> Pixels:
    """The battery, cut off in the middle."""
    picture = real.copy()
    grey = real if real.ndim == 2 else real.max(axis=2)
    rows = np.flatnonzero((grey > 30).sum(axis=1) > 4)
    picture[int(rows.min() + rows.max()) // 2 :] = 0
    return picture


# -- not looked at before the table was made ----------------------------------------------------


@kind(seen=False)
def clouds(rng: np.random.Generator, real: Pixels) -> Pixels:
    """Noise whose amplitude falls with its frequency, as natural pictures have it."""
    height, width = real.shape[:2]
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    amplitude = 1 / np.maximum(np.hypot(fy, fx), 1 / max(height, width)) ** 1.5
    phases = rng.normal(size=amplitude.shape) + 1j * rng.normal(size=amplitude.shape)
    return stretched(np.fft.irfft2(amplitude * phases, (height, width)))


@kind(seen=False)
def waves(rng: np.random.Generator, real: Pixels) -> Pixels:
    """A grating."""
    y, x = np.indices(real.shape[:2])
    angle, period = rng.uniform(0, np.pi), rng.uniform(6, 60)
    phase = (np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / period
    return stretched(np.sin(phase) + rng.normal(0, 0.05, phase.shape))


@kind(seen=False)
def spiral(rng: np.random.Generator, real: Pixels) -> Pixels:
    """A wound body from its end, as a cylindrical cell is."""
    height, width = real.shape[:2]
    y, x = np.indices((height, width)) - np.array([height / 2, width / 2])[:, None, None]
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    lines = 90 + 70 * np.sin(radius / rng.uniform(1.5, 4) + angle)
    inside = (radius < 0.45 * min(height, width)) & (radius > 12)
    return clipped(np.where(inside, lines, 4) + rng.normal(0, 5, lines.shape))


@kind(seen=False)
def scribble(rng: np.random.Generator, real: Pixels) -> Pixels:
    """Handwriting on paper."""
    picture = canvas(real, 230)
    for _ in range(12):
        steps = rng.normal(0, 18, (40, 2)).cumsum(axis=0)
        start = rng.uniform(0, 1, 2) * real.shape[1::-1]
        cv2.polylines(picture, [(steps + start).astype(np.int32)], False, 30, 2, cv2.LINE_AA)
    return picture


@kind(seen=False)
def matrix_code(rng: np.random.Generator, real: Pixels) -> Pixels:
    """A two-dimensional code."""
    modules = rng.integers(0, 2, (29, 29)).astype(np.uint8) * 255
    size = real.shape[1], real.shape[0]
    return np.asarray(cv2.resize(modules, size, interpolation=cv2.INTER_NEAREST), np.uint8)


@kind(seen=False)
def bars(rng: np.random.Generator, real: Pixels) -> Pixels:
    """A test picture of bars."""
    levels = rng.permutation(np.linspace(10, 250, 8)).astype(np.uint8)
    row = np.repeat(levels, -(-real.shape[1] // 8))[: real.shape[1]]
    return np.tile(row, (real.shape[0], 1))


@kind(seen=False)
def coins(rng: np.random.Generator, real: Pixels) -> Pixels:
    """Shaded round things on a tray."""
    height, width = real.shape[:2]
    y, x = np.indices((height, width))
    picture = np.full((height, width), 35.0)
    for _ in range(18):
        cy, cx, r = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(15, 45)
        inside = np.hypot(y - cy, x - cx) < r
        picture[inside] = (110 + 60 * ((x - cx) + (y - cy)) / r)[inside]
    return clipped(picture + rng.normal(0, 6, picture.shape))


@kind(seen=False)
def quarter_enlarged(rng: np.random.Generator, real: Pixels) -> Pixels:
    """A quarter of the battery, as large as all of it."""
    height, width = real.shape[:2]
    grey = real if real.ndim == 2 else real.max(axis=2)
    rows = np.flatnonzero((grey > 30).sum(axis=1) > 4)
    columns = np.flatnonzero((grey > 30).sum(axis=0) > 4)
    top, left = int(rows.min()), int(columns.min())
    high, wide = max(8, int(np.ptp(rows)) // 2), max(8, int(np.ptp(columns)) // 2)
    top += int(rng.integers(high))
    left += int(rng.integers(wide))
    part = real[top : top + high, left : left + wide]
    return np.asarray(cv2.resize(part, (width, height)), np.uint8)


@kind(seen=False)
def lost_lines(_rng: np.random.Generator, real: Pixels) -> Pixels:
    """Every second band of rows was not transmitted."""
    picture = real.copy()
    picture[np.arange(real.shape[0]) // 8 % 2 == 1] = 0
    return picture


@kind(seen=False)
def dead_channel(rng: np.random.Generator, real: Pixels) -> Pixels:
    """Stripes of a detector that is not calibrated."""
    gains = rng.uniform(0.3, 1.7, real.shape[1])
    gains = gains if real.ndim == 2 else gains[:, None]
    return clipped(real * gains)


@kind(seen=False)
def mosaic(rng: np.random.Generator, real: Pixels) -> Pixels:
    """The battery in pieces, put together wrongly."""
    picture, (height, width) = real.copy(), real.shape[:2]
    cells = [(y, x) for y in range(4) for x in range(4)]
    for (y, x), place in zip(cells, rng.permutation(len(cells)), strict=True):
        sy, sx = cells[place]
        h, w = height // 4, width // 4
        picture[y * h : y * h + h, x * w : x * w + w] = real[
            sy * h : sy * h + h, sx * w : sx * w + w
        ]
    return picture


@kind(seen=False)
def four_at_once(_rng: np.random.Generator, real: Pixels) -> Pixels:
    """Four small copies, as in a contact sheet."""
    half = np.asarray(cv2.resize(real, (real.shape[1] // 2, real.shape[0] // 2)), np.uint8)
    return np.concatenate([np.concatenate([half, half], axis=1)] * 2, axis=0)
