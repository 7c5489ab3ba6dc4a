"""How unlike the normal pictures each place of a picture is, told by features of a frozen network.

The network was taught on ImageNet and stays as it is. What is learned is one Gaussian over its
features on normal pictures, and how far normal pictures lie from it at each place: in minutes'
worth of pictures, without an epoch of training.

References
----------
Defard et al., PaDiM: a patch distribution modeling framework for anomaly detection and
localization, arXiv:2011.08785. One Gaussian for all places instead of one for each: a part is
never put down twice at quite the same place, and a handful of pictures is enough.

Roth et al., Towards total recall in industrial anomaly detection, arXiv:2106.08265: features
pooled over their neighbourhood, and the memory of ``knn``.
"""

from __future__ import annotations

from typing import Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from inspection.config import Config
from inspection.systems.ensemble.cae_network import inside
from inspection.systems.ensemble.efficientnet_lite import (
    MEAN,
    STD,
    EfficientNetLite,
    Variant,
    stages_of,
)

LAST_OF_STRIDE = {4: 1, 8: 2, 16: 4, 32: 6}
"""The last stage of each resolution, whose output is used."""
TINY = 1e-6
NEIGHBOURS = 3
"""Of a memory, whose mean distance counts: one alone may be a picture's own mark."""
ROWS = 4096
"""Places compared with a memory at a time, so that the distances stay under 150 MB."""


class FeatureArchitecture(Config):
    """What rebuilds the network and turns its output into a score; part of the manifest.

    Parameters
    ----------
    backbone : whose features
    finest, coarsest : strides of the features that are used, with those between; the map has the
        finest one's resolution
    neighbourhood : features are the mean over so many cells each way, odd
    method : distance to one ``gaussian``, or to the nearest of a memory of normal places (``knn``)
    places : rows and columns of the grid on which normal distances are known by place
    own_level : share of a picture's median distance that is taken off: a picture in other light
        is a little odd everywhere, a defect is odd in one place
    top_fraction : the score is the mean of this share of the map's highest cells
    """

    name: Literal["features"] = "features"
    backbone: Variant = "lite0"
    finest: Literal[4, 8, 16] = 16
    coarsest: Literal[8, 16, 32] = 32
    neighbourhood: Literal[1, 3, 5] = 1
    method: Literal["gaussian", "knn"] = "gaussian"
    places: int = Field(default=32, ge=1, le=64)
    own_level: float = Field(default=0.75, ge=0.0, le=1.0)
    top_fraction: float = Field(default=0.001, gt=0.0, le=1.0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.finest > self.coarsest:
            raise ValueError("finest must not be coarser than coarsest")
        return self

    @property
    def step(self) -> int:
        """Width and height of the input must be multiples of this."""
        return self.coarsest

    @property
    def taps(self) -> list[int]:
        """Stages whose output is used."""
        wanted = self.finest, self.coarsest
        return [n for s, n in LAST_OF_STRIDE.items() if wanted[0] <= s <= wanted[1]]

    @property
    def width(self) -> int:
        """Features of a place."""
        stages = stages_of(self.backbone)
        return sum(stages[n].channels for n in self.taps)


class FeatureNetwork(nn.Module):
    """Backbone, what is known of normal features, and what is known of normal distances.

    Parameters
    ----------
    arch : sizes and method
    mean, std : of the model's input, which is brought to the backbone's own
    memory : places that a ``knn`` remembers; 0 for a Gaussian
    """

    mean: Tensor
    scale: Tensor
    whiten: Tensor
    memory: Tensor
    place_mean: Tensor
    place_std: Tensor

    def __init__(
        self,
        arch: FeatureArchitecture,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        memory: int = 0,
    ) -> None:
        super().__init__()
        self.arch = arch
        self.backbone = EfficientNetLite(arch.backbone, max(arch.taps) + 1)
        width, places = arch.width, (arch.places, arch.places)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("whiten", torch.eye(width))
        self.register_buffer("memory", torch.zeros(memory, width))
        self.register_buffer("place_mean", torch.zeros(places))
        self.register_buffer("place_std", torch.ones(places))
        self._input = [(s / STD, (m - MEAN) / STD) for m, s in zip(mean, std, strict=True)]

    def embed(self, image: Tensor) -> Tensor:
        """Return the features of each place, (B, C, h, w), pooled over their neighbourhood.

        Parameters
        ----------
        image : (B, 3, H, W) float32, preprocessed
        """
        image = torch.cat(
            [image[:, i : i + 1] * gain + offset for i, (gain, offset) in enumerate(self._input)], 1
        )
        size = image.shape[2] // self.arch.finest, image.shape[3] // self.arch.finest
        found = []
        for number, features in enumerate(self.backbone.features(image)):
            if number not in self.arch.taps:
                continue
            side = self.arch.neighbourhood
            pooled = F.avg_pool2d(features, side, 1, side // 2, count_include_pad=False)
            if pooled.shape[2:] != size:
                pooled = F.interpolate(pooled, size=size, mode="bilinear", align_corners=False)
            found.append(pooled)
        return torch.cat(found, dim=1)

    def distances(self, features: Tensor, where: Tensor) -> Tensor:
        """Return the logarithm of each place's distance from normal, (B, h, w).

        Parameters
        ----------
        features : (B, C, h, w)
        where : (B, h, w) bool, see `picture_cells`
        """
        b, c, h, w = features.shape
        flat = features.permute(0, 2, 3, 1).reshape(-1, c)
        white = ((flat - self.mean) / self.scale) @ self.whiten  # (B h w, C)
        if self.arch.method == "knn":
            count = min(NEIGHBOURS, len(self.memory))
            nearest = [
                torch.cdist(rows, self.memory).topk(count, largest=False).values.mean(dim=1)
                for rows in torch.split(white, ROWS)
            ]
            far = torch.cat(nearest)
        else:
            far = white.square().mean(dim=1)
        logs = torch.log(far + TINY).view(b, h, w)
        # Of the picture alone: its padding repeats the edge, and would draw the level there.
        levels = torch.where(where, logs, torch.nan).flatten(1).nanmedian(dim=1).values
        return logs - self.arch.own_level * levels.nan_to_num().view(-1, 1, 1)

    def calibrated(self, logs: Tensor, where: Tensor) -> Tensor:
        """Return distances in spreads of normal ones at the same place of the picture, (B, h, w).

        Parameters
        ----------
        logs : of `distances`
        where : (B, h, w) bool, see `picture_cells`
        """
        grid = places_of(where)
        known = torch.stack([self.place_mean, self.place_std]).unsqueeze(0)  # (1, 2, P, P)
        expected = F.grid_sample(
            known.expand(len(logs), -1, -1, -1), grid, padding_mode="border", align_corners=False
        )
        return (logs - expected[:, 0]) / expected[:, 1]

    def heat(self, logs: Tensor, where: Tensor) -> Tensor:
        """Return (B, h, w): above 0, larger where it is less like normal; 0 on padding.

        Parameters
        ----------
        logs : of `distances`
        where : (B, h, w) bool, see `picture_cells`
        """
        # Near 0 below what is normal, the distance itself above: a threshold has to be positive.
        return F.softplus(self.calibrated(logs, where)) * where

    def raw_map(self, features: Tensor, image: Tensor) -> Tensor:
        """Return the heat of pictures, (B, h, w).

        Parameters
        ----------
        features : of `embed`, by whatever computed them
        image : (B, 3, H, W) float32, preprocessed
        """
        where = picture_cells(image, (features.shape[2], features.shape[3]))
        return self.heat(self.distances(features, where), where)


def picture_cells(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Return which cells of a map show the picture and not its padding, (B, h, w) bool.

    Parameters
    ----------
    image : (B, 3, H, W), letterboxed
    size : (h, w)
    """
    shares = F.adaptive_avg_pool2d(inside(image, 0).unsqueeze(1), size).squeeze(1)
    where = shares > 0.5
    # A picture so narrow that no cell is half its own must not pass unjudged.
    some = where.flatten(1).any(dim=1).view(-1, 1, 1)
    return torch.where(some, where, torch.ones_like(where))


def places_of(where: Tensor) -> Tensor:
    """Return each cell's place in its picture, (B, h, w, 2) as x and y from -1 to 1.

    Parameters
    ----------
    where : (B, h, w) bool, the picture within the input, a rectangle
    """
    along = []
    for axis, other in ((2, 1), (1, 2)):
        occupied = where.any(dim=other).float()  # (B, n)
        index = torch.arange(occupied.shape[1], device=where.device, dtype=torch.float32)
        first = torch.where(occupied > 0, index, torch.inf).amin(dim=1, keepdim=True)
        last = torch.where(occupied > 0, index, -torch.inf).amax(dim=1, keepdim=True)
        share = (index + 0.5 - first) / (last - first + 1.0)
        share = (2.0 * share - 1.0).nan_to_num().clamp(-1.0, 1.0)
        along.append(share.unsqueeze(3 - axis).expand(where.shape))
    return torch.stack(along, dim=-1)
