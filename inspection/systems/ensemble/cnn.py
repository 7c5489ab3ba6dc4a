"""The CT classifier at work: Grad-CAM and its relatives on demand, batches of slices judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inspection.classes import class_table
from inspection.errors import BundleError
from inspection.images.preprocess import Preprocess
from inspection.modelstore.bundle import MANIFEST_NAME, Bundle
from inspection.systems.ensemble.backbones import CtClassifier, build_classifier
from inspection.systems.ensemble.backends import PLAIN, Forward, Part, fastest_backend
from inspection.systems.ensemble.detectors import ScoredImage

CamMethod = Literal["gradcam", "gradcam++", "layercam", "eigencam"]
GRID = (18, 9)
"""Cells of the input that the gate compares."""


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
    probabilities : (N, classes) float32, temperature-scaled, rows sum to 1
    maps : (N, classes, h, w) float32 in [0, 1] on the bundle's fixed display scale
    features : for the gate, (N, d) float32 by group: the means of the last layer's channels, means
        and spreads of the first one's, and the input on a coarse grid
    """

    probabilities: NDArray[np.float32]
    maps: NDArray[np.float32]
    features: dict[str, NDArray[np.float32]]


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
        known = class_table().ct
        # A model need not know a class that was added after its training, but its outputs have
        # to be in the table's order: the trainer reads them by place.
        ordered = tuple(name for name in known if name in manifest.labels)
        strange = [name for name in manifest.labels if name not in known]
        if strange:
            raise BundleError(
                "bundle_labels_unknown", folder=bundle.folder.name, labels=", ".join(strange)
            )
        if tuple(manifest.labels) != ordered or not {*ordered} & {*class_table().ct_defects}:
            raise BundleError(
                "bundle_labels_order",
                folder=bundle.folder.name,
                labels=", ".join(manifest.labels),
                known=", ".join(known),
            )
        try:
            # Without memory until the weights are known to fit.
            with torch.device("meta"):
                self.model = build_classifier(manifest.architecture, len(manifest.labels))
        except (TypeError, ValueError) as error:
            raise _misfit(bundle, "architecture", str(error)) from error
        try:
            self.model.load_state_dict(bundle.load_tensors(), assign=True)
        except RuntimeError as error:
            raise _misfit(bundle, "weights", "they do not fit the architecture") from error
        channels = manifest.preprocess.channels
        if manifest.architecture["in_channels"] != channels:
            raise _misfit(bundle, "architecture", f"in_channels is not the {channels} of the input")
        self.model.requires_grad_(False).eval()
        self.model.to(memory_format=torch.channels_last)
        self.preprocess: Preprocess = manifest.preprocess
        self.labels: tuple[str, ...] = tuple(manifest.labels)
        self.threshold: float | None = None
        self._identity = bundle.sha256
        self.move_to(device)
        self._temperature = manifest.temperature
        self._display_scale = manifest.display_scale

    def move_to(self, device: str) -> None:
        """Judge on another device from now on: ``cpu`` or ``cuda``."""
        self.device = device
        self._device = torch.device(device)
        self.model.to(self._device)
        self._stem: Forward = self.model.stem
        self._deepen: Forward = self.model.deepen
        self.backends: tuple[str, ...] = (PLAIN,)

    def accelerate(self, cache: Path) -> None:
        """Judge with what is fastest on this computer's processor; on a GPU nothing changes.

        Parameters
        ----------
        cache : folder where the finding is kept
        """
        if self.device != "cpu":
            return
        spec = self.preprocess
        image = torch.zeros(1, spec.channels, spec.height, spec.width)
        # Rounding in the stem would weigh most, and it is the smaller part.
        stem = fastest_backend(Part(self.model, "stem"), image, self._identity, cache, precise=True)
        deep = fastest_backend(
            Part(self.model, "deepen"), self.model.stem(image), self._identity, cache
        )
        self._stem, self._deepen = stem.forward, deep.forward
        self.backends = (stem.name, deep.name)

    def predict(self, inputs: NDArray[np.float32]) -> CnnOutput:
        """Judge a batch.

        Parameters
        ----------
        inputs : (N, C, H, W) float32, preprocessed by `preprocess`
        """
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(inputs))
            x = x.to(self._device).contiguous(memory_format=torch.channels_last)
            stem = self._stem(x)
            deep = self._deepen(stem)
            logits, cams = self.model.classify(deep)
            probabilities = functional.softmax(logits / self._temperature, dim=1)
            maps = (cams / self._display_scale).clamp(0.0, 1.0)
            first = stem.float()
            mean = first.mean(dim=(2, 3))  # (N, 64)
            # A third of the time of a standard deviation that is exact to the last digit.
            power = torch.linalg.vector_norm(first, dim=(2, 3)).square() / first[0, 0].numel()
            spread = (power - mean.square()).clamp(min=0.0).sqrt()
            features = {
                "deep": deep.float().mean(dim=(2, 3)),
                "stem": torch.cat([mean, spread], dim=1),
                "input": functional.adaptive_avg_pool2d(x, GRID).flatten(1),
            }
            return CnnOutput(
                probabilities.cpu().numpy(),
                maps.contiguous().cpu().numpy(),
                {name: values.cpu().numpy() for name, values in features.items()},
            )

    def judge(self, inputs: NDArray[np.float32]) -> list[ScoredImage]:
        """Judge a batch; a slice's score is the summed probability of the defect classes."""
        output = self.predict(inputs)
        found = []
        maps = self.anomaly_maps(output)
        for at, (row, heat) in enumerate(zip(output.probabilities, maps, strict=True)):
            by_label = {label: float(p) for label, p in zip(self.labels, row, strict=True)}
            defects = class_table().ct_defects
            score = min(1.0, sum(by_label.get(name, 0.0) for name in defects))
            label = max(by_label, key=by_label.__getitem__)
            features = {name: values[at] for name, values in output.features.items()}
            found.append(ScoredImage(heat, label, by_label, score, features))
        return found

    def anomaly_maps(self, output: CnnOutput) -> NDArray[np.float32]:
        """Return the one map per image that is shown, (N, h, w) float32.

        It is the predicted class's where that is a defect, else the likeliest defect's: on a
        good part that map is dark, while the map of a normal class is bright everywhere.
        """
        known = class_table().ct_defects
        defects = [index for index, name in enumerate(self.labels) if name in known]
        likeliest = np.asarray(defects)[output.probabilities[:, defects].argmax(axis=1)]
        maps: NDArray[np.float32] = output.maps[np.arange(len(likeliest)), likeliest]
        return maps


def _misfit(bundle: Bundle, field: str, problem: str) -> BundleError:
    return BundleError(
        "bundle_invalid",
        folder=bundle.folder.name,
        file=MANIFEST_NAME,
        field=field,
        problem=problem,
    )
