"""The printed wrap of a cylindrical cell, unrolled."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.synthetic.style import Colour, Style

Image = NDArray[np.float32]


def draw_wrap(length: int, around: int, rng: np.random.Generator, style: Style) -> Image:
    """Draw a wrap.

    Parameters
    ----------
    length : along the cell, pixels
    around : its circumference, pixels
    rng : this battery's own
    style : of the lot

    Returns
    -------
    (around, length, 3) float32 RGB, 0 to 255
    """
    design = style.designs[rng.integers(len(style.designs))]
    base = np.array(design.base, np.float32) * rng.uniform(0.93, 1.07)
    wrap = np.empty((around, length, 3), np.float32)
    wrap[:] = base + rng.normal(0, 3, 3)
    unit = length / 512
    shift = rng.normal(0, 1.5) * unit
    for start, end in style.stripes:
        left, right = round(start * length + shift), round(end * length + shift)
        wrap[:, max(0, left) : right] = np.array(design.stripe, np.float32)
    for row in (0.12, 0.62):
        _print(wrap, design.ink, style.name, round(row * around + rng.normal(0, 2)), unit, rng)
    density = cv2.resize(
        rng.normal(1, 0.018, (6, 10)).astype(np.float32),
        (length, around),
        interpolation=cv2.INTER_CUBIC,
    )
    return wrap * density[..., None]


def _print(
    wrap: Image, ink: Colour, name: str, row: int, unit: float, rng: np.random.Generator
) -> None:
    length = wrap.shape[1]
    colour = ink
    thick = max(1, round(1.6 * unit))
    x = round(0.14 * length)
    serial = f"{rng.integers(10_000, 99_999)}"
    scale, small = 0.9 * unit, 0.5 * unit
    font = cv2.FONT_HERSHEY_SIMPLEX
    canvas = np.ascontiguousarray(wrap)
    cv2.putText(canvas, name, (x, row + round(24 * unit)), font, scale, colour, thick, cv2.LINE_AA)
    line = f"3.6V 5.0Ah  LOT {serial}"
    cv2.putText(canvas, line, (x, row + round(46 * unit)), font, small, colour, 1, cv2.LINE_AA)
    cv2.circle(
        canvas,
        (round(0.58 * length), row + round(26 * unit)),
        round(14 * unit),
        colour,
        thick,
        cv2.LINE_AA,
    )
    bar = round(0.68 * length)
    for bit in rng.random(34) < 0.5:
        width = max(1, round(2.4 * unit))
        if bit:
            cv2.rectangle(canvas, (bar, row), (bar + width - 1, row + round(40 * unit)), colour, -1)
        bar += width
    wrap[:] = canvas
