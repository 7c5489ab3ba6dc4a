"""How a line's batteries look: wrap, light, layers and noise, which another line has otherwise.

A model that was taught on one look has never seen another; what it then says of it is what a
first real lot would get.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Design:
    """Colours of a wrap, RGB, 0 to 255."""

    base: Colour
    ink: Colour
    stripe: Colour


@dataclass(frozen=True, slots=True)
class Style:
    """A look.

    Parameters
    ----------
    designs : one for each battery, by chance
    name : printed on the wrap
    stripes : where rings run round the wrap, as shares of its length
    light_from : where the light stands, -1 above to 1 below the cell
    gloss : strength of its streak, times the plain one
    tint : of the light
    belt : grey levels that the belt is lighter
    noise, blur : of the camera, and of the scanner, times the plain ones
    period, amplitude : of the electrode layers, times the plain ones
    layers : grey levels that the layers are brighter
    """

    designs: tuple[Design, ...]
    name: str = "LI-ION 21700"
    stripes: tuple[tuple[float, float], ...] = ((0.03, 0.08), (0.90, 0.96))
    light_from: float = -0.15
    gloss: float = 1.0
    tint: Colour = (1.0, 1.0, 1.0)
    belt: float = 0.0
    noise: float = 1.0
    blur: float = 1.0
    period: float = 1.0
    amplitude: float = 1.0
    layers: float = 0.0


PLAIN = Style(
    designs=(
        Design((38, 92, 168), (235, 238, 240), (20, 48, 96)),
        Design((46, 132, 82), (240, 240, 232), (24, 74, 48)),
        Design((196, 198, 202), (40, 44, 52), (206, 122, 40)),
        Design((62, 64, 70), (226, 200, 96), (150, 40, 44)),
    )
)
"""The look that the demo models were taught on."""
NAMES = ("LFP 32700", "NMC 18650", "POWER-CELL", "HX-46800", "NCA 26650")


def style_of(seed: int | None) -> Style:
    """Return the look of a number; the plain one for None."""
    if seed is None:
        return PLAIN
    rng = np.random.default_rng([seed, 7])

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    designs = []
    for _ in range(int(rng.integers(1, 3))):
        base = rng.uniform(30, 215, 3)
        # Print can be read on its wrap, whatever its colour.
        ink = rng.uniform(0, 50, 3) if base.mean() > 120 else rng.uniform(200, 250, 3)
        designs.append(Design(_colour(base), _colour(ink), _colour(rng.uniform(20, 235, 3))))
    first = between(0.02, 0.30)
    stripes = [(first, first + between(0.01, 0.08))]
    if rng.random() < 0.6:
        stripes.append((0.97 - between(0.02, 0.12), 0.97))
    return Style(
        designs=tuple(designs),
        name=str(rng.choice(NAMES)),
        stripes=tuple(stripes),
        light_from=between(-0.5, 0.5),
        gloss=between(0.2, 1.5),
        tint=_colour(rng.uniform(0.88, 1.1, 3)),
        belt=between(-40, 90),
        noise=between(0.6, 2.2),
        blur=between(0.8, 1.8),
        period=between(0.65, 1.7),
        amplitude=between(0.7, 1.4),
        layers=between(-15, 25),
    )


def _colour(values: np.ndarray) -> Colour:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
