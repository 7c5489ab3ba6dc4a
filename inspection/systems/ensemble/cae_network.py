"""The RGB autoencoder: reconstructs a normal surface, and says where the picture differs from it.

Two methods share one class, one predictor and one bundle format; the manifest says which:

- ``mse``: the squared reconstruction error is the anomaly map (the classical autoencoder).
- ``discriminative``: a small U-Net compares picture and reconstruction and gives each pixel's
  probability of being abnormal. Error alone cannot tell a fine scratch from fine print, which
  no reconstruction through 128 numbers reproduces either.

References
----------
Zavrtanik et al., DRAEM: a discriminatively trained reconstruction embedding for surface anomaly
detection, arXiv:2108.07610.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from inspection.config import Config
from inspection.systems.ensemble.backends import Forward
from inspection.systems.ensemble.cae_head import ComparisonHead, block

FLIPS = ((0,), (1,), (0, 1))
"""Mirrored along height, along width, along both."""
RIM_WEIGHT = 0.25
"""Of heat in a damped rim: too little for an alarm, enough to show where a mark runs on."""
Method = Literal["mse", "discriminative"]


class CaeArchitecture(Config):
    """What rebuilds the network and turns its output into a score; part of the manifest.

    Parameters
    ----------
    method : see the module
    latent_dim : numbers that a picture is squeezed through
    reduction : how many times smaller than the input the autoencoder's own picture is
    base, levels : the autoencoder halves its picture ``levels`` times, with ``base`` channels
        first and then twice as many
    head_base, head_levels : the head works at half the input's size and halves it
        ``head_levels`` times, with ``head_base`` channels, then two and then four times as many
    local_contrast : the head is also given the picture freed of its local mean and contrast, so
        that a mark looks alike on a dark and on a light part
    flips : the map is the mean over the picture and its mirror images, at four times the
        computation; for surfaces without an upright or a left and right
    damped_rim : input pixels along the picture's sides where heat is damped, since a part's own
        edge shows there; the padding around the picture is then cold
    smooth_sigma : Gaussian smoothing of the map, in pixels of the map
    top_fraction : the score is the mean of this share of the map's highest pixels
    """

    name: Literal["conv_autoencoder"] = "conv_autoencoder"
    method: Method = "discriminative"
    latent_dim: int = Field(default=128, ge=1, le=8192)
    reduction: int = Field(default=4, ge=1, le=64)
    base: int = Field(default=32, ge=1, le=1024)
    levels: int = Field(default=4, ge=1, le=10)
    head_base: int = Field(default=16, ge=1, le=1024)
    head_levels: int = Field(default=3, ge=1, le=8)
    local_contrast: bool = False
    flips: bool = False
    damped_rim: int = Field(default=0, ge=0, le=4096)
    smooth_sigma: float = Field(default=1.0, ge=0.0, le=1000.0)
    top_fraction: float = Field(default=0.0005, gt=0.0, le=1.0)

    @property
    def step(self) -> int:
        """Width and height of the input must be multiples of this."""
        return max(self.reduction << self.levels, 2 << self.head_levels)


@dataclass(frozen=True, slots=True)
class CaeParts:
    """The parts of the network that take the time, whatever computes them.

    Parameters
    ----------
    reconstruct : as `ConvAutoencoder.reconstruct`
    compare : as `ComparisonHead.compare`; None for ``mse``
    """

    reconstruct: Forward
    compare: Forward | None


class ConvAutoencoder(nn.Module):
    """Convolutional autoencoder with a bottleneck vector, and a comparison head where asked for.

    Parameters
    ----------
    arch : sizes and method
    width, height : of the input; multiples of ``arch.step``

    Raises
    ------
    ValueError
        If the input's size is not a multiple of ``arch.step``.
    """

    def __init__(self, arch: CaeArchitecture, width: int, height: int) -> None:
        super().__init__()
        if width % arch.step or height % arch.step:
            raise ValueError(f"{width}x{height} is not a multiple of {arch.step}")
        self.arch = arch
        shrink = arch.reduction << arch.levels
        widths = [3, arch.base, *[2 * arch.base] * (arch.levels - 1)]
        grid = (widths[-1], height // shrink, width // shrink)
        cells = grid[0] * grid[1] * grid[2]
        self.encoder = nn.Sequential(
            *(block(a, b, stride=2) for a, b in pairwise(widths)),
            nn.Flatten(),
            nn.Linear(cells, arch.latent_dim),
        )
        steps: list[nn.Module] = []
        for a, b in pairwise([*widths[:0:-1], arch.base]):
            steps += [block(a, b), nn.Upsample(scale_factor=2, mode="nearest")]
        self.decoder = nn.Sequential(
            nn.Linear(arch.latent_dim, cells),
            nn.SiLU(inplace=True),
            nn.Unflatten(1, grid),
            *steps,
            nn.Conv2d(arch.base, 3, 3, padding=1),
        )
        discriminative = arch.method == "discriminative"
        self.head = (
            ComparisonHead(arch.head_base, arch.head_levels, arch.local_contrast)
            if discriminative
            else None
        )

    def reduce(self, image: Tensor) -> Tensor:
        """Return what the autoencoder sees of an input: (B, 3, H/reduction, W/reduction)."""
        return F.avg_pool2d(image, self.arch.reduction)

    def reconstruct(self, image: Tensor) -> Tensor:
        """Return the reconstruction, the size of ``reduce(image)``."""
        reconstruction: Tensor = self.decoder(self.encoder(self.reduce(image)))
        return reconstruction

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the reconstruction and the head's logits (None for ``mse``).

        Parameters
        ----------
        image : (B, 3, H, W) float32, preprocessed
        """
        reconstruction = self.reconstruct(image)
        if self.head is None:
            return reconstruction, None
        # The head must not teach the autoencoder to leave hints in its reconstruction.
        return reconstruction, self.head(image, reconstruction.detach())

    def raw_map(
        self, image: Tensor, *, flips: bool = True, parts: CaeParts | None = None
    ) -> Tensor:
        """Return (B, h, w): probability of abnormal, or squared error for ``mse``.

        Parameters
        ----------
        image : (B, 3, H, W) float32, preprocessed
        flips : False leaves the mirror images out even where the architecture has them
        parts : compute in this network's place
        """
        parts = parts or self.parts()
        maps = self._map(image, parts)
        if flips and self.arch.flips:
            for axes in FLIPS:
                flipped = image.flip([axis + 2 for axis in axes])
                maps = maps + self._map(flipped, parts).flip([axis + 1 for axis in axes])
            maps = maps / (1 + len(FLIPS))
        if self.arch.damped_rim > 0:
            core, whole = inside(image, self.arch.damped_rim), inside(image, 0)
            weight = (RIM_WEIGHT * whole + (1 - RIM_WEIGHT) * core).unsqueeze(1)
            maps = maps * F.adaptive_max_pool2d(weight, maps.shape[1:]).squeeze(1)
        return maps

    def parts(self) -> CaeParts:
        """Return the parts that take the time, as this network computes them."""
        return CaeParts(self.reconstruct, self.head.compare if self.head else None)

    def _map(self, image: Tensor, parts: CaeParts) -> Tensor:
        reconstruction = parts.reconstruct(image)
        if self.head is None or parts.compare is None:
            return (reconstruction - self.reduce(image)).square().mean(dim=1)
        return parts.compare(self.head.inputs(image, reconstruction)).sigmoid().squeeze(1)


def inside(image: Tensor, rim: int) -> Tensor:
    """Return (B, H, W): 1 within the picture but for its rim, 0 there and on the padding.

    The padding repeats the picture's edge, so the picture lies where rows and columns change.

    Parameters
    ----------
    image : (B, C, H, W), letterboxed with repeated edges
    rim : pixels
    """
    columns = _between((image[..., 1:] != image[..., :-1]).flatten(1, 2).any(dim=1), rim)
    rows = _between((image[..., 1:, :] != image[..., :-1, :]).any(dim=3).any(dim=1), rim)
    picture = rows.unsqueeze(2) * columns.unsqueeze(1)
    # A picture without any change, or that is all rim, must not pass unjudged.
    judged = picture.flatten(1).any(dim=1).view(-1, 1, 1)
    return torch.where(judged, picture, torch.ones_like(picture))


def _between(changes: Tensor, rim: int) -> Tensor:
    """Return (B, n) float: 1 from the first change to the last, less ``rim`` at both ends.

    Parameters
    ----------
    changes : (B, n - 1) bool, whether a line of pixels differs from the one before
    """
    before = F.pad(changes.cumsum(dim=1), (0, 1), value=1) > 0
    after = F.pad(changes.flip(1).cumsum(dim=1), (0, 1), value=1).flip(1) > 0
    # The edge line itself belongs to the picture: it differs from the next one inwards.
    within = (before & after).float()
    return -F.max_pool1d(F.pad(-within, (rim, rim)), 2 * rim + 1, stride=1)
