"""EfficientNet-Lite: a small convolutional network whose weights were taught on ImageNet.

The station uses its features as they are: nothing of it is trained again. Its pictures are RGB,
``(grey - 127) / 128``.

References
----------
Tan and Le, EfficientNet, arXiv:1905.11946; "Higher accuracy on vision models with
EfficientNet-Lite", TensorFlow blog, 2020: the variants without squeeze and excitation, with ReLU6,
and with a stem and a head that do not grow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Variant = Literal["lite0", "lite1", "lite2"]

MEAN, STD = 127.0 / 255.0, 128.0 / 255.0
"""Of the pictures it was taught on, as shares of white; the same for the three channels."""
BN_EPSILON = 1e-3
STEM_CHANNELS, HEAD_CHANNELS, CLASSES = 32, 1280, 1000


class Stage(NamedTuple):
    """Blocks in a row at one resolution, before a variant scales their width and number."""

    kernel: int
    blocks: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(3, 1, 1, 1, 16),
    Stage(3, 2, 2, 6, 24),
    Stage(5, 2, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(5, 3, 1, 6, 112),
    Stage(5, 4, 2, 6, 192),
    Stage(3, 1, 1, 6, 320),
)
SCALES: dict[Variant, tuple[float, float]] = {
    "lite0": (1.0, 1.0),
    "lite1": (1.0, 1.1),
    "lite2": (1.1, 1.2),
}
"""Factors of width and depth."""


def stages_of(variant: Variant) -> tuple[Stage, ...]:
    """Return a variant's stages: widths in steps of 8, the first and the last never repeated."""
    width, depth = SCALES[variant]
    return tuple(
        stage._replace(
            channels=_in_steps(stage.channels * width),
            blocks=stage.blocks
            if number in (0, len(STAGES) - 1)
            else math.ceil(stage.blocks * depth),
        )
        for number, stage in enumerate(STAGES)
    )


def _in_steps(channels: float, step: int = 8) -> int:
    nearest = max(step, int(channels + step / 2) // step * step)
    # Never a tenth narrower than asked for.
    return nearest + step if nearest < 0.9 * channels else nearest


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow does: what is odd is added at the right and the bottom."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, ceil(H / stride), ceil(W / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        missing = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[2:]]
        pads = [part for n in reversed(missing) for part in (n // 2, n - n // 2)]
        return super().forward(F.pad(x, pads))


class ConvNorm(nn.Module):
    """Convolution and normalisation, and ReLU6 where it is asked for."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1,
        activation: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        # At stride 1 an odd kernel is padded alike on all sides, and torch pads more quickly.
        kind, padding = (nn.Conv2d, kernel // 2) if stride == 1 else (SameConv, 0)
        self.conv = kind(
            inputs, outputs, kernel, stride, padding=padding, groups=groups, bias=False
        )
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=BN_EPSILON)
        self.activation = nn.ReLU6(inplace=True) if activation else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the activations."""
        activated: Tensor = self.activation(self.norm(self.conv(x)))
        return activated

    def fuse(self) -> None:
        """Fold the normalisation into the convolution; for inference alone."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class InvertedBottleneck(nn.Module):
    """Expand, filter each channel, project; with a way round it where the shape stays."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        middle = inputs * stage.expansion
        self.expand = ConvNorm(inputs, middle) if stage.expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(middle, middle, stage.kernel, stride, groups=middle)
        self.project = ConvNorm(middle, stage.channels, activation=False)
        self.residual = stride == 1 and inputs == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """The network, whole or up to a stage.

    Parameters
    ----------
    variant : ``lite0``, ``lite1`` or ``lite2``
    stages : how many of its seven stages; with all of them the head follows
    """

    def __init__(self, variant: Variant, stages: int | None = None) -> None:
        super().__init__()
        wanted = stages_of(variant)[:stages]
        self.stem = ConvNorm(3, STEM_CHANNELS, 3, stride=2)
        channels, built = STEM_CHANNELS, []
        for stage in wanted:
            blocks = []
            for number in range(stage.blocks):
                stride = stage.stride if number == 0 else 1
                blocks.append(InvertedBottleneck(channels, stage, stride))
                channels = stage.channels
            built.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(built)
        self.head = self.fc = None
        if stages is None:
            self.head = ConvNorm(channels, HEAD_CHANNELS)
            self.fc = nn.Linear(HEAD_CHANNELS, CLASSES)

    def features(self, x: Tensor) -> Iterator[Tensor]:
        """Yield each stage's output, (B, C, h, w), of (B, 3, H, W)."""
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
            yield x

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of ImageNet's classes, (B, 1000)."""
        if self.head is None or self.fc is None:
            raise ValueError("a network that ends before its head has no logits")
        *_, last = self.features(x)
        logits: Tensor = self.fc(self.head(last).mean(dim=(2, 3)))
        return logits

    def fuse(self) -> EfficientNetLite:
        """Fold all normalisations into their convolutions; the network is for inference then."""
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fuse()
        return self
