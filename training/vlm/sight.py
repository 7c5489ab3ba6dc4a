"""What a visual token says of itself, as numbers along fixed directions of its vector.

The vision tower is taught to say there what it sees. Since the directions are known beforehand, a
decoder can learn to read them from tokens that nothing but a random generator has made, without
any picture: tens of thousands of defects in all places cost it no more than the words about them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.vlm.config import MERGE
from training.vlm.texts import Seen

KINDS = ("porosity", "resin_overflow", "pollution", "damaged")
"""Of defects, as labels name them."""
TRAITS = (*KINDS, "module")
"""What a token says yes or no to: whether it lies on such a defect, whether it is of a module."""
SIDES = 4
SHARPNESS = 4.0
"""Logits of a trait for each unit along its direction."""
_SEED = 7

_COVERED = 0.3
"""A token is on a defect that covers this share of it, or has this share of itself there; in any
case the token that has the most of it is."""


class SightCode(nn.Module):
    """Reads and writes what visual tokens say.

    Parameters
    ----------
    width : of a token's vector
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(_SEED)
        any_directions = torch.randn(width, len(TRAITS) + SIDES, generator=generator)
        self._directions: Tensor
        self.register_buffer("_directions", torch.linalg.qr(any_directions)[0], persistent=False)

    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (n, 5) by trait, and (n, 4) the sides from the token's centre in tokens."""
        said = tokens.float() @ self._directions
        traits, sides = said.tensor_split([len(TRAITS)], dim=1)
        return SHARPNESS * traits, sides

    def write(self, traits: Tensor, sides: Tensor, rest: Tensor) -> Tensor:
        """Return the tokens (n, width) that say so.

        Parameters
        ----------
        traits, sides : (n, 5) and (n, 4) as along the directions
        rest : (n, width) of which only what says nothing is taken
        """
        free = rest - rest @ self._directions @ self._directions.T
        return free + torch.cat([traits, sides], dim=1) @ self._directions.T


@dataclass(frozen=True, slots=True)
class ImaginedSight:
    """What tokens of pictures that do not exist say; V of them.

    Parameters
    ----------
    traits, sides : (V, 5) and (V, 4)
    rest : (V, width)
    """

    traits: Tensor
    sides: Tensor
    rest: Tensor

    @classmethod
    def joined(cls, parts: Sequence[ImaginedSight]) -> ImaginedSight:
        """Return the tokens of several pictures as one."""
        return cls(*(torch.cat([getattr(p, name) for p in parts]) for name in cls.__slots__))

    def to(self, device: torch.device) -> ImaginedSight:
        """Return the tokens on a device."""
        return ImaginedSight(*(getattr(self, name).to(device) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class SightBatch:
    """Pictures, and what their visual tokens show; B of them, P patches, V visual tokens.

    Parameters
    ----------
    patches, grids : (P, 1176) float32 and (B, 3), as the image processor gives them
    kinds : (V, 5) 1 where a visual token lies on a defect of that kind; the last is of a module
    offsets : (V, 4) from the token's centre to that defect's sides, in tokens; else zeros
    places : (V, 6) that defect's box and the token's own centre, in tokens from the picture's
        upper left corner
    imagined : what the visual tokens say where there are no pictures; P is 0 then
    """

    patches: Tensor
    grids: Tensor
    kinds: Tensor
    offsets: Tensor
    places: Tensor
    imagined: ImaginedSight | None = None

    def to(self, device: torch.device) -> SightBatch:
        """Return the batch on a device."""
        parts = (self.patches, self.grids, self.kinds, self.offsets, self.places)
        imagined = None if self.imagined is None else self.imagined.to(device)
        return SightBatch(*(part.to(device) for part in parts), imagined)


def shown_by(seen: Seen, grid: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return what the visual tokens of a picture show; see `SightBatch`."""
    height, width = grid[1] // MERGE, grid[2] // MERGE
    kinds = torch.zeros(height, width, len(TRAITS))
    kinds[..., TRAITS.index("module")] = seen.name.startswith("module")
    offsets = torch.zeros(height, width, 4)
    places = torch.zeros(height, width, 6)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places[..., 4], places[..., 5] = x + 0.5, y + 0.5
    for kind, box in zip(seen.kinds, seen.boxes, strict=True):
        corners = torch.from_numpy(box) * torch.tensor([width, height, width, height])
        left, top, right, bottom = corners.tolist()
        cells = [
            (row, column)
            for row in range(int(top), min(height, math.ceil(bottom)))
            for column in range(int(left), min(width, math.ceil(right)))
        ]
        shares = [
            (min(right, column + 1) - max(left, column)) * (min(bottom, row + 1) - max(top, row))
            for row, column in cells
        ]
        area = max((right - left) * (bottom - top), 1e-6)
        least = min(_COVERED * min(1.0, area), max(shares, default=0.0))
        for (row, column), shared in zip(cells, shares, strict=True):
            if shared >= least:
                kinds[row, column, KINDS.index(kind)] = 1
                centre = torch.tensor([column + 0.5, row + 0.5] * 2)
                offsets[row, column] = corners - centre
                places[row, column, :4] = corners
    shown = kinds, offsets, places
    return tuple(part.view(height * width, -1) for part in shown)  # type: ignore[return-value]
