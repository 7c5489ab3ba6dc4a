"""CT classifier: ResNet18 whose Grad-CAM comes out of the forward pass.

With global average pooling and one linear layer, ``logit_k = mean(W_k . A) + b_k``. The gradient
of that logit with respect to the features ``A`` is ``W_k / (h w)`` everywhere, so Grad-CAM is
``relu(W_k . A) / (h w)``: the class map of CAM up to a constant. The forward pass computes the
maps first and the logits as their means; no backward pass, no hooks.

References
----------
He et al., Deep residual learning, arXiv:1512.03385.
Zhou et al., Learning deep features for discriminative localization, arXiv:1512.04150.
Selvaraju et al., Grad-CAM, arXiv:1610.02391.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet18

from inspection.bundle import MANIFEST_NAME, Bundle
from inspection.errors import BundleError
from inspection.images import Preprocess
from inspection.records import CT_CLASSES, CT_DEFECT_CLASSES

CamMethod = Literal["gradcam", "gradcam++", "layercam", "eigencam"]
FEATURES = 512


class CtClassifier(nn.Module):
    """ResNet18 with class maps.

    Parameters
    ----------
    in_channels : 1 for grey slices
    output_stride : input pixels per feature cell, 32 as published or 16 with the last stage's
        stride removed, which places thin defects twice as finely
    """

    def __init__(self, in_channels: int = 1, output_stride: int = 32) -> None:
        super().__init__()
        if output_stride not in (16, 32):
            raise ValueError(f"output_stride must be 16 or 32, got {output_stride}")
        net = resnet18(weights=None)
        conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(conv1.weight, mode="fan_out", nonlinearity="relu")
        self.stem = nn.Sequential(conv1, net.bn1, net.relu, net.maxpool)
        self.layer1, self.layer2 = net.layer1, net.layer2
        self.layer3, self.layer4 = net.layer3, net.layer4
        if output_stride == 16:
            self.layer4[0].conv1.stride = (1, 1)
            shortcut = self.layer4[0].downsample[0]
            shortcut.stride = (1, 1)
        self.fc = nn.Linear(FEATURES, len(CT_CLASSES))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and class maps.

        Parameters
        ----------
        x : (B, C, H, W), preprocessed

        Returns
        -------
        logits : (B, 5)
        cams : (B, 5, H/stride, W/stride), un-normalised; their means plus the bias are the logits
        """
        feats = self.layer2(self.layer1(self.stem(x)))  # (B, 128, H/8, W/8)
        feats = self.layer4(self.layer3(feats))  # (B, 512, H/stride, W/stride)
        # Maps span thousands while the logits need fractions: half precision would lose them.
        with torch.autocast(x.device.type, enabled=False):
            cams = functional.conv2d(feats.float(), self.fc.weight[:, :, None, None])
            logits = cams.mean(dim=(2, 3)) + self.fc.bias
        return logits, cams


class _LogitsOnly(nn.Module):
    """The view of the classifier that ``pytorch_grad_cam`` expects."""

    def __init__(self, model: CtClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)[0]
        return logits


def grad_cam(
    model: CtClassifier,
    x: Tensor,
    method: CamMethod = "gradcam",
    target_class: int | None = None,
) -> NDArray[np.float32]:
    """Return the map of one image by a method of ``pytorch_grad_cam``, on demand.

    Runs forward and backward through ``layer4[-1]``. Afterwards the model has no hooks and no
    gradients, and is in evaluation mode.

    Parameters
    ----------
    model : classifier
    x : (1, C, H, W), preprocessed
    method : how features are weighted
    target_class : index of the class to explain; the predicted one by default

    Returns
    -------
    (h, w) float32, rectified but neither normalised nor resized: comparable between images
    """
    import pytorch_grad_cam as library
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    base = {
        "gradcam": library.GradCAM,
        "gradcam++": library.GradCAMPlusPlus,
        "layercam": library.LayerCAM,
        "eigencam": library.EigenCAM,
    }[method]
    cam = type("Raw" + base.__name__, (_RawMaps, base), {})(
        model=_LogitsOnly(model), target_layers=[model.layer4[-1]]
    )
    targets = None if target_class is None else [ClassifierOutputTarget(target_class)]
    try:
        # A frozen model has no gradients of its own: the input carries the graph.
        with torch.enable_grad():
            raw = cam(x.detach().clone().requires_grad_(), targets)
    finally:
        # Not by the library's own context manager, which swallows an IndexError.
        cam.activations_and_grads.release()
        model.zero_grad(set_to_none=True)
    rectified: NDArray[np.float32] = np.maximum(raw[0], 0).astype(np.float32)
    return rectified


class _RawMaps:
    """Takes the library's maps before they are stretched per image and resized."""

    def compute_cam_per_layer(self, x: Tensor, targets: Any, smooth: bool) -> list[Any]:
        held = self.activations_and_grads  # type: ignore[attr-defined]
        grads = held.gradients[0].numpy() if held.gradients else None
        activations = held.activations[0].numpy()
        layer = self.target_layers[0]  # type: ignore[attr-defined]
        return [self.get_cam_image(x, layer, targets, activations, grads, smooth)]  # type: ignore[attr-defined]

    def aggregate_multi_layers(self, maps: list[Any]) -> Any:
        return maps[0]


@dataclass(frozen=True, slots=True)
class CnnOutput:
    """What the classifier says of a batch.

    Parameters
    ----------
    probabilities : (N, 5) float32, temperature-scaled, rows sum to 1
    maps : (N, 5, h, w) float32 in [0, 1] on the bundle's fixed display scale
    """

    probabilities: NDArray[np.float32]
    maps: NDArray[np.float32]


class CnnPredictor:
    """A bundle's classifier, ready to judge batches of preprocessed slices.

    Parameters
    ----------
    bundle : verified bundle of the slot ``ct_cnn``
    device : ``cpu`` or ``cuda``

    Raises
    ------
    BundleError
        If labels, architecture or weights do not fit this classifier.
    """

    def __init__(self, bundle: Bundle, device: str = "cpu") -> None:
        manifest = bundle.manifest
        if tuple(manifest.labels) != CT_CLASSES:
            raise _misfit(bundle, "labels", f"expected {', '.join(CT_CLASSES)}")
        try:
            self.model = build_classifier(manifest.architecture)
        except (TypeError, ValueError) as error:
            raise _misfit(bundle, "architecture", str(error)) from error
        try:
            self.model.load_state_dict(bundle.load_tensors())
        except RuntimeError as error:
            raise _misfit(bundle, "weights", "they do not fit the architecture") from error
        self.model.requires_grad_(False).eval()
        self.model.to(torch.device(device)).to(memory_format=torch.channels_last)
        self.preprocess: Preprocess = manifest.preprocess
        self.labels: tuple[str, ...] = tuple(manifest.labels)
        self._device = torch.device(device)
        self._temperature = manifest.temperature
        self._display_scale = manifest.display_scale

    def predict(self, inputs: NDArray[np.float32]) -> CnnOutput:
        """Judge a batch.

        Parameters
        ----------
        inputs : (N, C, H, W) float32, preprocessed by `preprocess`
        """
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(inputs))
            x = x.to(self._device).contiguous(memory_format=torch.channels_last)
            logits, cams = self.model(x)
            probabilities = functional.softmax(logits / self._temperature, dim=1)
            maps = (cams / self._display_scale).clamp(0.0, 1.0)
            return CnnOutput(probabilities.cpu().numpy(), maps.contiguous().cpu().numpy())

    def anomaly_maps(self, output: CnnOutput) -> NDArray[np.float32]:
        """Return the one map per image that is shown, (N, h, w) float32.

        It is the predicted class's where that is a defect, else the likeliest defect's: on a
        good part that map is dark, while the map of a normal class is bright everywhere.
        """
        defects = [self.labels.index(name) for name in CT_DEFECT_CLASSES]
        likeliest = np.asarray(defects)[output.probabilities[:, defects].argmax(axis=1)]
        maps: NDArray[np.float32] = output.maps[np.arange(len(likeliest)), likeliest]
        return maps


def build_classifier(architecture: Mapping[str, str | int | float | bool]) -> CtClassifier:
    """Return an untrained classifier from a manifest's or a configuration's architecture.

    Raises
    ------
    ValueError
        If the backbone is unknown or an argument is missing or out of range.
    """
    known = {"backbone", "in_channels", "output_stride"}
    if set(architecture) != known:
        raise ValueError(f"expected {', '.join(sorted(known))}")
    if architecture["backbone"] != "resnet18":
        raise ValueError(f"unknown backbone {architecture['backbone']}")
    return CtClassifier(int(architecture["in_channels"]), int(architecture["output_stride"]))


def _misfit(bundle: Bundle, field: str, problem: str) -> BundleError:
    return BundleError(
        "bundle_invalid",
        folder=bundle.folder.name,
        file=MANIFEST_NAME,
        field=field,
        problem=problem,
    )
