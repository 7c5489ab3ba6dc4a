"""Pictures that do not exist: what they might show, and what their visual tokens would say of it.

A decoder learns from them to read visual tokens, to tell where they are, and to write numbers.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inspection.records import Modality
from training.vlm.config import MERGE, PATCH, VlmArchitecture
from training.vlm.sight import KINDS, SIDES, ImaginedSight
from training.vlm.texts import Seen

# How imagined tokens differ from one another: much as those of a tower do that has learnt.
_ABSENT, _PRESENT = (-1.0, 0.3), (0.5, 0.4)
"""Mean and standard deviation of a defect's trait where there is none, and where there is one."""
_BUILT = (2.5, 0.8)
"""The same of what is certain: a module, or with the other sign none."""
_UNSURE = 0.08
"""Mean amount by which a side is missed, in tokens."""
_ELSEWHERE = np.array([-0.35, -0.45, 0.35, 0.45]), 0.3
"""Sides that tokens without a defect give, and the standard deviation."""
_OVERLOOKED = 0.2
"""Share of a defect's tokens that do not show it; one of them always does."""
_REST = 1.5
"""Length at most of what else is in a vector."""
_COUNTS = (0.75, 0.15, 0.06, 0.04)
"""How often there are one to four defects."""
_NORMAL = 0.1
_ASPECTS: dict[Modality, tuple[float, float]] = {"ct": (0.26, 0.5), "rgb": (1.6, 2.0)}
"""Least and greatest width of a picture, in heights."""
_SIZES = {
    "porosity": ((0.012, 0.05), (0.03, 0.13)),
    "resin_overflow": ((0.03, 0.5), (0.025, 0.25)),
    "pollution": ((0.03, 0.08), (0.03, 0.14)),
    "damaged": ((0.012, 0.1), (0.02, 0.15)),
}
"""Least and greatest width and height of a defect, in shares of the picture."""


def imagine_tokens(
    kinds: Tensor, offsets: Tensor, width: int, rng: np.random.Generator
) -> ImaginedSight:
    """Return what tokens might say of what they show, as a tower would that is mostly right.

    Parameters
    ----------
    kinds, offsets : (V, 5) and (V, 4) of one picture, as in `SightBatch`
    width : of a token's vector
    """
    count = len(kinds)
    shown = kinds.numpy() > 0
    on_defect = shown[:, : len(KINDS)].any(axis=1)
    overlooked = on_defect & (rng.random(count) < _OVERLOOKED)
    if on_defect.any() and (overlooked == on_defect).all():
        overlooked[np.flatnonzero(on_defect)[0]] = False
    shown[overlooked, : len(KINDS)] = False
    noise = rng.standard_normal(shown.shape)
    absent, present, built = (mean + by * noise for mean, by in (_ABSENT, _PRESENT, _BUILT))
    # A defect that is shown is shown: a decoder cannot know what no token says.
    traits = np.where(shown, np.maximum(present, 0.1), np.minimum(absent, -0.1))
    traits[:, len(KINDS)] = np.where(shown, built, -built)[:, len(KINDS)]
    told = offsets.numpy() + rng.laplace(0, _UNSURE, (count, SIDES))
    mean, by = _ELSEWHERE
    untold = mean + by * rng.standard_normal((count, SIDES))
    sides = np.where((on_defect & ~overlooked)[:, None], told, untold)
    common, own = (rng.standard_normal((rows, width)) for rows in (1, count))
    rest = rng.uniform(0, _REST) * (common + own) / math.sqrt(2 * width)
    return ImaginedSight(
        *(torch.from_numpy(part.astype(np.float32)) for part in (traits, sides, rest))
    )


def imagine(
    sizes: VlmArchitecture, ct_share: float, rng: np.random.Generator
) -> tuple[Seen, tuple[int, int]]:
    """Return what a picture might show, and its (rows, columns) of visual tokens.

    Parameters
    ----------
    ct_share : share of CT slices
    """
    modality: Modality = "ct" if rng.random() < ct_share else "rgb"
    # A photograph has more pixels than the network takes; a slice's content has as many as it has.
    least = sizes.min_pixels if modality == "ct" else 0.9 * sizes.max_pixels
    area = rng.uniform(least, sizes.max_pixels) / (PATCH * MERGE) ** 2
    aspect = math.exp(rng.uniform(*map(math.log, _ASPECTS[modality])))
    grid = max(2, round(math.sqrt(area / aspect))), max(2, round(math.sqrt(area * aspect)))
    if modality == "ct":
        built = "module" if rng.random() < 0.6 else "cell"
        kind = KINDS[int(rng.random() < 0.4)] if built == "module" else KINDS[0]
        normal, name = f"{built}_normal", f"{built}_{kind}"
    else:
        normal, name = "normal", KINDS[2 + int(rng.random() < 0.5)]
        kind = name
    boxes = np.zeros((0, 4), np.float32)
    if rng.random() >= _NORMAL:
        boxes = _scattered(1 + int(rng.choice(len(_COUNTS), p=_COUNTS)), kind, rng)
    return Seen(modality, name if len(boxes) else normal, (kind,) * len(boxes), boxes), grid


def _scattered(count: int, kind: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return up to so many boxes, one at least, that do not touch."""
    found: list[NDArray[np.float64]] = []
    for _ in range(count):
        size = np.array([math.exp(rng.uniform(*map(math.log, s))) for s in _SIZES[kind]])
        corner = rng.uniform(0, 1 - size)
        box = np.concatenate([corner, corner + size])
        if all((box[:2] > other[2:]).any() or (box[2:] < other[:2]).any() for other in found):
            found.append(box)
    return np.array(found, np.float32)
