"""The head that compares a picture with its reconstruction and says where it is abnormal."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CONTRAST_FLOOR = 0.05
"""Local spread, in normalised units, that counts as flat: about three grey levels."""


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return convolution, normalisation and activation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.SiLU(inplace=True),
    )


class ComparisonHead(nn.Module):
    """U-Net over the picture and its reconstruction; one logit per half-size pixel."""

    def __init__(self, base: int, levels: int, local_contrast: bool = False) -> None:
        super().__init__()
        self.local_contrast = local_contrast
        widths = [base * min(2**level, 4) for level in range(levels + 1)]
        # 12: the picture folded 2x2, so that half size loses nothing; 3 + 3: the
        # reconstruction and the difference.
        inputs = 12 + 3 + 3 + (4 if local_contrast else 0)
        self.stem = nn.Sequential(block(inputs, widths[0]), block(widths[0], widths[0]))
        self.down = nn.ModuleList(
            nn.Sequential(block(a, b, stride=2), block(b, b)) for a, b in pairwise(widths)
        )
        # Narrowed before they are enlarged, and added rather than stacked: half the work.
        self.narrow = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairwise(widths[::-1]))
        self.up = nn.ModuleList(block(b, b) for b in widths[-2::-1])
        self.out = nn.Conv2d(widths[0], 1, 1)
        # Anomalies are rare: starting from "nothing here" saves learning that first.
        assert self.out.bias is not None
        nn.init.constant_(self.out.bias, -3.0)

    def forward(self, image: Tensor, reconstruction: Tensor) -> Tensor:
        """Return (B, 1, H/2, W/2) logits.

        Parameters
        ----------
        image : (B, 3, H, W)
        reconstruction : (B, 3, h, w), any smaller size
        """
        return self.compare(self.inputs(image, reconstruction))

    def inputs(self, image: Tensor, reconstruction: Tensor) -> Tensor:
        """Return what is compared, (B, C, H/2, W/2): small differences, in single precision."""
        folded = F.pixel_unshuffle(image, 2)  # (B, 12, H/2, W/2)
        half = F.interpolate(reconstruction, folded.shape[2:], mode="bilinear")
        average = folded.view(-1, 3, 4, *folded.shape[2:]).mean(dim=2)  # same as 2x2 pooling
        difference = average - half
        inputs = [folded, half, difference]
        if self.local_contrast:
            inputs.append(local_contrast(folded))
        return torch.cat(inputs, dim=1)

    def compare(self, inputs: Tensor) -> Tensor:
        """Return (B, 1, H/2, W/2) logits of `inputs`: nearly all of the computation."""
        feats = [self.stem(inputs)]
        for down in self.down:
            feats.append(down(feats[-1]))  # (B, C_i, H/2^(i+1), W/2^(i+1))
        x = feats.pop()
        for narrow, up in zip(self.narrow, self.up, strict=True):
            skip = feats.pop()
            x = up(skip + F.interpolate(narrow(x), skip.shape[2:], mode="nearest"))
        logits: Tensor = self.out(x)
        return logits


def local_contrast(folded: Tensor) -> Tensor:
    """Return (B, 4, h, w): a folded picture's brightness less its local mean, by its local spread.

    "Local" is about 40 pixels of the input.

    Parameters
    ----------
    folded : (B, 12, h, w), a picture folded 2x2, normalised
    """
    grey = folded.view(-1, 3, 4, *folded.shape[2:]).mean(dim=1)  # (B, 4, h, w)
    moments = torch.stack([grey.mean(dim=1), grey.square().mean(dim=1)], dim=1)
    # Averaged on a coarse grid: a wide window on the full one would cost more than the network.
    moments = F.avg_pool2d(moments, 4)
    moments = F.avg_pool2d(moments, 5, stride=1, padding=2, count_include_pad=False)
    moments = F.interpolate(moments, folded.shape[2:], mode="bilinear")
    mean, square = moments[:, :1], moments[:, 1:]
    spread = (square - mean.square()).clamp(min=0.0).sqrt()
    contrast: Tensor = (grey - mean) / (spread + CONTRAST_FLOOR)
    return contrast.clamp(-5.0, 5.0)
