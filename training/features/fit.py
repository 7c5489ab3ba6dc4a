"""From the features of normal pictures to what is normal. Pure, but for the network it fills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from inspection.systems.ensemble.features_network import FeatureNetwork, places_of

PRIOR = 200.0
"""Cells' worth of trust that a place is like all others: few pictures say little of one place."""
LEAST_SPREAD = 0.05
"""Of log distances at a place, which a handful of equal pictures would make none of."""


@dataclass
class Moments:
    """Sums over features, which add up over pictures.

    Parameters
    ----------
    count : places
    total : (C,) float64
    products : (C, C) float64
    """

    count: int
    total: Tensor
    products: Tensor

    @classmethod
    def none(cls, width: int) -> Self:
        """Return those of no picture."""
        wide = torch.float64
        return cls(0, torch.zeros(width, dtype=wide), torch.zeros(width, width, dtype=wide))

    def add(self, rows: Tensor) -> None:
        """Add features of places, (N, C)."""
        wide = rows.double().cpu()
        self.count += len(rows)
        self.total += wide.sum(dim=0)
        self.products += wide.T @ wide

    def without(self, other: Moments) -> Moments:
        """Return those of the places that are not in another one."""
        return Moments(
            self.count - other.count, self.total - other.total, self.products - other.products
        )

    def fill(self, network: FeatureNetwork, shrinkage: float) -> None:
        """Put the Gaussian into a network.

        Parameters
        ----------
        shrinkage : of the correlations towards none, which a sample exaggerates
        """
        mean = self.total / self.count
        covariance = self.products / self.count - torch.outer(mean, mean)
        scale = covariance.diagonal().clamp_min(0.0).sqrt()
        # A feature that is always the same must not make the least change of it a distance.
        scale = scale + 1e-3 * scale.mean() + 1e-9
        correlations = covariance / torch.outer(scale, scale)
        size = len(mean)
        shrunk = (1.0 - shrinkage) * correlations + shrinkage * torch.eye(size, dtype=mean.dtype)
        whiten = torch.linalg.cholesky(torch.linalg.inv(shrunk))
        network.mean.copy_(mean)
        network.scale.copy_(scale)
        # As it is stored: what is normal must be told by what will be compared.
        network.whiten.copy_(whiten.half())


def remember(network: FeatureNetwork, rows: Tensor, most: int, rng: np.random.Generator) -> None:
    """Put places of normal pictures into a network's memory.

    Parameters
    ----------
    rows : (N, C) features
    most : how many are kept, drawn by chance
    """
    kept = torch.from_numpy(rng.permutation(len(rows))[:most])
    white = ((rows[kept].float() - network.mean) / network.scale) @ network.whiten
    network.memory = white.half().float()


def fill_places(network: FeatureNetwork, logs: Tensor, where: Tensor) -> None:
    """Put what normal distances are at each place of a picture into a network.

    Parameters
    ----------
    logs : (N, h, w) of normal pictures that the network's Gaussian does not know
    where : (N, h, w) bool, the picture within the input
    """
    side = network.arch.places
    shares = (places_of(where) + 1.0) / 2.0  # (N, h, w, 2)
    cells = (shares * side).long().clamp(0, side - 1)
    index = (cells[..., 1] * side + cells[..., 0])[where]
    values = logs[where].double()
    counts = torch.bincount(index, minlength=side * side).double()
    sums = torch.bincount(index, values, side * side)
    squares = torch.bincount(index, values.square(), side * side)
    overall, variance = values.mean(), values.var(correction=0)
    mean = (sums + PRIOR * overall) / (counts + PRIOR)
    # About the mean of the place, and of what the place is thought to be like.
    spread = squares - 2 * mean * sums + counts * mean.square()
    std = ((spread + PRIOR * variance) / (counts + PRIOR)).clamp_min(0.0).sqrt()
    network.place_mean.copy_(mean.view(side, side).half())
    network.place_std.copy_(std.clamp_min(LEAST_SPREAD).view(side, side).half())
