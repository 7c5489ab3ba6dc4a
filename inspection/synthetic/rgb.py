"""Exterior views of a synthetic cylindrical cell, turned about its axis from view to view."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.synthetic.blemishes import draw_blemish
from inspection.synthetic.noise import add_blob, noise_patch
from inspection.synthetic.spec import Visibility
from inspection.synthetic.style import PLAIN, Style
from inspection.synthetic.wrap import draw_wrap

Image = NDArray[np.float32]
Polygon = NDArray[np.float32]

FULL_SIZE = (1920, 1080)
MIN_VISIBLE_SHARE = 0.3
"""A view that would show less of a defect than this share of its area, at the limb of the cell,
shows none of it: a picture of which nobody could say whether it is normal has no true label."""


@dataclass(frozen=True, slots=True)
class Exterior:
    """A battery's outside: its unrolled wrap, and where on it a defect is."""

    wrap: Image
    clean_wrap: Image
    defect_mask: Image | None
    defect_name: str | None
    radius: float
    length: int
    start_angle: float
    light: float
    warmth: NDArray[np.float32]
    belt: float
    width: int
    height: int
    style: Style


def rgb_size(canvas: int) -> tuple[int, int]:
    """Return (width, height) of the views that go with a CT canvas."""
    scale = float(np.clip(canvas / 1536, 0.25, 1.0))
    return round(FULL_SIZE[0] * scale), round(FULL_SIZE[1] * scale)


def build_exterior(
    canvas: int,
    defect: str | None,
    visibility: Visibility,
    rng: np.random.Generator,
    style: Style = PLAIN,
) -> Exterior:
    """Draw what all views of a battery share; ``defect`` is ``pollution``, ``damaged`` or None."""
    width, height = rgb_size(canvas)
    radius = height * rng.uniform(0.25, 0.28)
    length = round(width * rng.uniform(0.76, 0.82))
    around = round(2 * np.pi * radius)
    wrap = draw_wrap(length, around, rng, style)
    start = rng.uniform(0, 2 * np.pi)
    mask, clean = None, wrap
    # Drawn from a generator of its own, so that the rest of the battery is the same without it.
    own = np.random.default_rng(rng.integers(1 << 31))
    if defect is not None:
        # Rolled so that the defect is far from the seam where the texture wraps around.
        turn = int(own.integers(around))
        wrap = np.roll(wrap, turn, 0)
        centre = (own.uniform(0.14, 0.86) * length, around / 2)
        mask = np.roll(draw_blemish(wrap, defect, visibility, centre, own), -turn, 0)
        wrap = np.roll(wrap, -turn, 0)
    return Exterior(
        wrap=wrap,
        clean_wrap=clean,
        defect_mask=mask,
        defect_name=defect,
        radius=radius,
        length=length,
        start_angle=start,
        light=rng.uniform(0.92, 1.08),
        warmth=(rng.normal(1, 0.015, 3) * style.tint).astype(np.float32),
        belt=rng.uniform(55, 85) + style.belt,
        width=width,
        height=height,
        style=style,
    )


def render_view(
    exterior: Exterior, angle: float, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[tuple[str, Polygon]]]:
    """Draw one view.

    Parameters
    ----------
    exterior : the battery's outside
    angle : turn about the axis, radians
    rng : this view's own

    Returns
    -------
    tuple
        (h, w, 3) uint8 RGB picture, and the outline (n, 2) of the defect where it is in sight.
    """
    picture = _belt(exterior, rng)
    rows = _visible_rows(exterior, exterior.start_angle + angle)
    left = round((exterior.width - exterior.length) / 2)
    top = round(exterior.height / 2 - rows.size / 2)
    style = exterior.style
    # Darker away from the light and towards the limbs, with a streak of gloss.
    across = np.linspace(-1, 1, rows.size, dtype=np.float32)
    shade = 0.35 + 0.70 * np.sqrt(np.clip(1 - (across - style.light_from) ** 2 * 0.85, 0, 1))
    # As far beyond the middle of the light as it is where it stands above.
    peak = rng.uniform(-0.52, -0.40) + (style.light_from - PLAIN.light_from)
    gloss = (
        style.gloss
        * rng.uniform(38, 60)
        * np.exp(-0.5 * ((across - peak) / rng.uniform(0.07, 0.10)) ** 2)
    )
    shade, gloss = shade.astype(np.float32), gloss.astype(np.float32)
    in_sight = _in_sight(exterior, rows)
    wrap = exterior.wrap if in_sight else exterior.clean_wrap
    body = wrap[rows] * shade[:, None, None] + gloss[:, None, None]
    _caps(picture, left, top, rows.size, exterior, shade, gloss)
    picture[top : top + rows.size, left : left + exterior.length] = body
    size = (exterior.width, exterior.height)
    centre = (exterior.width / 2, exterior.height / 2)
    turn = cv2.getRotationMatrix2D(centre, rng.uniform(-1.5, 1.5), rng.uniform(0.97, 1.03))
    pose = np.asarray(turn, np.float64)
    pose[:, 2] += rng.normal(0, 0.006, 2) * exterior.width
    picture = _warp(picture, pose, size)
    _glints(picture, rng)
    picture *= exterior.light * exterior.warmth * rng.uniform(0.97, 1.03)
    blur = style.blur * rng.uniform(0.4, 0.7) * exterior.width / 640
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.float32)
    picture += noise_patch(picture.shape, rng)[..., None] * (style.noise * rng.uniform(1.5, 3.0))
    outlines: list[tuple[str, Polygon]] = []
    if in_sight and exterior.defect_mask is not None and exterior.defect_name is not None:
        mask = np.zeros(picture.shape[:2], np.float32)
        mask[top : top + rows.size, left : left + exterior.length] = exterior.defect_mask[rows]
        mask = _warp(mask, pose, size)
        binary = (mask > 0.4).astype(np.uint8)
        contours, _ = cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        outlines = [
            (exterior.defect_name, np.asarray(contour[:, 0], np.float32))
            for contour in contours
            if len(contour) >= 3 and cv2.contourArea(contour) >= 6
        ]
    return np.clip(picture, 0, 255).astype(np.uint8), outlines


def defect_in_sight(exterior: Exterior, angle: float) -> bool:
    """Return whether the view at ``angle`` (radians) shows the defect, and so carries its label."""
    return _in_sight(exterior, _visible_rows(exterior, exterior.start_angle + angle))


def _in_sight(exterior: Exterior, rows: NDArray[np.int64]) -> bool:
    mask = exterior.defect_mask
    return mask is not None and bool(mask[rows].sum() >= MIN_VISIBLE_SHARE * mask.sum())


def _warp(picture: Image, pose: NDArray[np.float64], size: tuple[int, int]) -> Image:
    border = cv2.BORDER_REFLECT if picture.ndim == 3 else cv2.BORDER_CONSTANT
    warped = cv2.warpAffine(picture, pose, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(warped, np.float32)


def _visible_rows(exterior: Exterior, angle: float) -> NDArray[np.int64]:
    """Return the wrap's row for every picture row of the cell, top to bottom."""
    count = round(2 * exterior.radius)
    height = (np.arange(count) + 0.5) / exterior.radius - 1
    around = exterior.wrap.shape[0]
    turned = (np.arcsin(height) + angle) / (2 * np.pi) * around
    return np.asarray(np.floor(turned).astype(np.int64) % around, np.int64)


def _belt(exterior: Exterior, rng: np.random.Generator) -> Image:
    coarse = rng.normal(0, 4, (9, 16)).astype(np.float32)
    size = (exterior.width, exterior.height)
    grain = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    rib = 3 * np.sin(np.arange(exterior.width) * 2 * np.pi / (exterior.width / 40))
    grey = exterior.belt + grain + rib[None].astype(np.float32)
    centre, spread = exterior.height / 2, exterior.radius * 1.25
    rows = (np.arange(exterior.height, dtype=np.float32) - centre - 0.25 * spread) / spread
    shadow = 1 - 0.35 * np.exp(-(rows**4))
    return np.repeat((grey * shadow[:, None])[..., None], 3, 2).astype(np.float32)


def _caps(
    picture: Image, left: int, top: int, rows: int, exterior: Exterior, shade: Image, gloss: Image
) -> None:
    """Metal ends: a flat one, and the raised button."""
    unit = exterior.width / 640
    metal = np.asarray(178 * shade + gloss, np.float32)[:, None, None]
    rim = round(7 * unit)
    picture[top : top + rows, left - rim : left] = metal
    right = left + exterior.length
    picture[top : top + rows, right : right + rim] = metal
    inset = rows // 3
    button = slice(top + inset, top + rows - inset)
    picture[button, right + rim : right + rim + round(9 * unit)] = metal[inset : rows - inset]


def _glints(picture: Image, rng: np.random.Generator) -> None:
    """Harmless light spots and dust on the sensor, on good and bad batteries alike."""
    height, width = picture.shape[:2]
    unit = width / 640
    for _ in range(rng.poisson(1.0)):
        centre = (rng.uniform(0.15, 0.85) * width, rng.uniform(0.30, 0.45) * height)
        size = (rng.uniform(4, 12) * unit, rng.uniform(1.5, 3) * unit)
        add_blob(picture, centre, size, rng.uniform(15, 45))
    for _ in range(rng.poisson(0.8)):
        centre = (rng.uniform(0, width), rng.uniform(0, height))
        add_blob(picture, centre, (1.6 * unit, 1.6 * unit), -rng.uniform(6, 16))
