"""The CT classifier's networks, each with class maps out of the forward pass.

With global average pooling and one linear layer, ``logit_k = mean(W_k . A) + b_k``. The gradient
of that logit with respect to the features ``A`` is ``W_k / (h w)`` everywhere, so Grad-CAM is
``relu(W_k . A) / (h w)``: the class map of CAM up to a constant. The forward pass computes the
maps first and the logits as their means; no backward pass, no hooks.

ResNets end in such a head. ConvNeXt as published has a layer norm between the pooling and the
linear layer, which mixes all positions: its maps would not add up to the logits. Here the norm
acts on each position before the pooling, so that all that follows it is linear and the
identity above is exact. It has the same parameters, and ``A`` is its output.

References
----------
He et al., Deep residual learning, arXiv:1512.03385.
Liu et al., A ConvNet for the 2020s, arXiv:2201.03545.
Zhou et al., Learning deep features for discriminative localization, arXiv:1512.04150.
Selvaraju et al., Grad-CAM, arXiv:1610.02391.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import convnext_tiny, resnet18, resnet50

from inspection.classes import class_table

Backbone = Literal["resnet18", "resnet50", "convnext_tiny"]
BACKBONES: tuple[Backbone, ...] = get_args(Backbone)
CONVNEXT_WIDTH = 96
"""Channels out of ConvNeXt-Tiny's stem."""


class CtClassifier(nn.Module):
    """A backbone in five parts, ``stem`` and ``layer1`` to ``layer4``, with class maps.

    Parameters
    ----------
    in_channels : 1 for grey slices, 3 for colour or neighbouring slices
    output_stride : input pixels per feature cell: 32 as published, or 16, for ResNets, with the
        last stage's stride removed, which places thin defects twice as finely
    backbone : which network
    classes : how many it tells apart; by default those of the class table

    Raises
    ------
    ValueError
        If the backbone is unknown or cannot have that output stride.
    """

    def __init__(
        self,
        in_channels: int = 1,
        output_stride: int = 32,
        backbone: Backbone = "resnet18",
        classes: int | None = None,
    ) -> None:
        super().__init__()
        check_architecture(backbone, output_stride)
        if backbone == "convnext_tiny":
            features = self._add_convnext(in_channels)
        else:
            features = self._add_resnet(backbone, in_channels, output_stride)
        self.fc = nn.Linear(features, classes or len(class_table().ct))

    def _add_resnet(self, backbone: Backbone, in_channels: int, output_stride: int) -> int:
        net = resnet18(weights=None) if backbone == "resnet18" else resnet50(weights=None)
        conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(conv1.weight, mode="fan_out", nonlinearity="relu")
        self.stem = nn.Sequential(conv1, net.bn1, net.relu, net.maxpool)
        self.layer1, self.layer2 = net.layer1, net.layer2
        self.layer3, self.layer4 = net.layer3, net.layer4
        if output_stride == 16:
            first = self.layer4[0]
            # A bottleneck strides in its 3x3 convolution, a basic block in its first one.
            strided = first.conv1 if backbone == "resnet18" else first.conv2
            strided.stride = first.downsample[0].stride = (1, 1)
        return int(net.fc.in_features)

    def _add_convnext(self, in_channels: int) -> int:
        net = convnext_tiny(weights=None)
        parts = list(net.features)
        self.stem = parts[0]
        if in_channels != 3:
            conv = nn.Conv2d(in_channels, CONVNEXT_WIDTH, kernel_size=4, stride=4)
            nn.init.trunc_normal_(conv.weight, std=0.02)
            assert conv.bias is not None
            nn.init.zeros_(conv.bias)
            self.stem[0] = conv
        self.layer1 = parts[1]
        self.layer2 = nn.Sequential(*parts[2:4])
        self.layer3 = nn.Sequential(*parts[4:6])
        self.layer4 = nn.Sequential(*parts[6:8], net.classifier[0])
        return int(net.classifier[2].in_features)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and class maps.

        Parameters
        ----------
        x : (B, C, H, W), preprocessed

        Returns
        -------
        logits : (B, classes)
        cams : (B, classes, H/stride, W/stride), un-normalised; their means and the bias are the
            logits
        """
        return self.classify(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Return what the backbone sees of an input, (B, features, H/stride, W/stride)."""
        return self.deepen(self.stem(x))

    def deepen(self, stem: Tensor) -> Tensor:
        """Return the features of what the stem gives: nearly all of the computation."""
        feats = self.layer2(self.layer1(stem))  # (B, ., H/8, W/8)
        deep: Tensor = self.layer4(self.layer3(feats))  # (B, features, H/stride, W/stride)
        return deep

    def classify(self, feats: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and class maps of features, as `forward` does, in single precision."""
        # Maps span thousands while the logits need fractions: half precision would lose them.
        with torch.autocast(feats.device.type, enabled=False):
            cams = functional.conv2d(feats.float(), self.fc.weight[:, :, None, None])
            logits = cams.mean(dim=(2, 3)) + self.fc.bias
        return logits, cams


def check_architecture(backbone: str, output_stride: int) -> None:
    """Refuse what cannot be built.

    Raises
    ------
    ValueError
        If the backbone is unknown or cannot have that output stride.
    """
    if backbone not in BACKBONES:
        raise ValueError(f"unknown backbone {backbone}")
    if output_stride not in (16, 32):
        raise ValueError(f"output_stride must be 16 or 32, got {output_stride}")
    if backbone == "convnext_tiny" and output_stride != 32:
        # Its stages are joined by 2x2 convolutions with stride 2, which do not overlap.
        raise ValueError("convnext_tiny has output_stride 32 only")


def build_classifier(
    architecture: Mapping[str, str | int | float | bool], classes: int | None = None
) -> CtClassifier:
    """Return an untrained classifier from a manifest's or a configuration's architecture.

    Raises
    ------
    ValueError
        If the backbone is unknown or an argument is missing or out of range.
    """
    known = {"backbone", "in_channels", "output_stride"}
    if set(architecture) != known:
        raise ValueError(f"expected {', '.join(sorted(known))}")
    backbone = next((name for name in BACKBONES if name == architecture["backbone"]), None)
    if backbone is None:
        raise ValueError(f"unknown backbone {architecture['backbone']}")
    stride = int(architecture["output_stride"])
    return CtClassifier(int(architecture["in_channels"]), stride, backbone, classes)
