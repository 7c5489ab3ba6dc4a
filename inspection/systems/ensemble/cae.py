"""An autoencoder at work: batches of pictures in, scores and maps on a fixed scale out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from inspection.errors import BundleError
from inspection.images.preprocess import Preprocess
from inspection.modelstore.bundle import Bundle
from inspection.systems.ensemble.backends import PLAIN, Part, fastest_backend
from inspection.systems.ensemble.cae_network import CaeArchitecture, CaeParts, ConvAutoencoder
from inspection.systems.ensemble.detectors import ScoredImage

COLOURS = 3
"""Channels of its input; a grey picture has three equal ones."""
GRID = (8, 14)
"""Cells of a picture that the gate compares."""
STEM = "head.stem.0.0.weight"
"""The head's first weights, whose second dimension is its inputs."""


def smooth(raw: Tensor, sigma: float) -> Tensor:
    """Return (B, h, w) maps smoothed by a Gaussian of ``sigma`` pixels; edges are reflected."""
    if sigma == 0.0:
        return raw
    # Kernel no wider than the map, which reflection needs.
    radius = min(int(3.0 * sigma + 0.5), min(raw.shape[1:]) - 1)
    offsets = torch.arange(-radius, radius + 1, dtype=raw.dtype, device=raw.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    x = F.pad(raw.unsqueeze(1), [radius] * 4, mode="reflect")
    x = F.conv2d(x, kernel.view(1, 1, -1, 1))
    return F.conv2d(x, kernel.view(1, 1, 1, -1)).squeeze(1)


def score_maps(maps: Tensor, top_fraction: float) -> Tensor:
    """Return (B,) scores: the mean of each map's highest ``top_fraction`` of pixels.

    More robust than the maximum, which one hot pixel decides, and, unlike the mean, not diluted
    by the size of the picture.
    """
    flat = maps.flatten(1)
    count = max(1, round(top_fraction * flat.shape[1]))
    return flat.topk(count, dim=1).values.mean(dim=1)


def to_display(maps: Tensor, threshold: float, display_scale: float) -> Tensor:
    """Return maps on the fixed display scale: 0 at 0, 0.5 at the threshold, 1 at the scale's end.

    Linear in between on both sides, so that heat far over the threshold keeps its order.
    """
    below = 0.5 * maps / threshold
    above = 0.5 + 0.5 * (maps - threshold) / (display_scale - threshold)
    return torch.where(maps <= threshold, below, above).clamp(0.0, 1.0)


class MapPredictor(ABC):
    """What every detector does whose word is a map: the score is the map's top, the scale is fixed.

    Parameters
    ----------
    bundle : a verified model folder

    Raises
    ------
    BundleError
        If the bundle has no threshold, or a display scale that does not exceed it.
    """

    top_fraction: float

    def __init__(self, bundle: Bundle) -> None:
        manifest, folder = bundle.manifest, bundle.folder.name
        if bundle.threshold is None:
            raise BundleError(
                "bundle_file_missing", folder=folder, file=f"{manifest.slot}_threshold.json"
            )
        self.preprocess: Preprocess = manifest.preprocess
        self.threshold: float = bundle.threshold.threshold
        self._display_scale = manifest.display_scale
        if self._display_scale <= self.threshold:
            raise BundleError("ae_display_scale", folder=folder)

    @abstractmethod
    def look(self, inputs: NDArray[np.float32]) -> tuple[Tensor, dict[str, NDArray[np.float32]]]:
        """Return the raw maps of a batch, (N, h, w), and what the gate compares, (N, d) by group.

        Parameters
        ----------
        inputs : (N, 3, H, W) float32, prepared by ``preprocess``
        """

    def judge(self, inputs: NDArray[np.float32]) -> list[ScoredImage]:
        """Judge a batch, (N, 3, H, W) float32, prepared by ``preprocess``."""
        maps, features = self.look(inputs)
        scores = score_maps(maps, self.top_fraction).cpu().numpy()
        shown = to_display(maps, self.threshold, self._display_scale).cpu().numpy()
        return [
            ScoredImage(
                heat,
                "defect" if score > self.threshold else "normal",
                {},
                float(score),
                {name: values[at] for name, values in features.items()},
            )
            for at, (score, heat) in enumerate(zip(scores, shown, strict=True))
        ]


class CaePredictor(MapPredictor):
    """An autoencoder ready to judge: arrays in, arrays out; tensors never leave.

    Parameters
    ----------
    bundle : a verified model folder of an autoencoder
    device : ``cpu`` or ``cuda``

    Raises
    ------
    BundleError
        If the bundle has no threshold, its manifest describes another network or a display
        scale that does not exceed the threshold, or the weights do not fit.
    """

    def __init__(self, bundle: Bundle, device: str = "cpu") -> None:
        super().__init__(bundle)
        manifest = bundle.manifest
        size = manifest.preprocess.width, manifest.preprocess.height
        try:
            if manifest.preprocess.channels != COLOURS:
                raise ValueError(f"it takes {COLOURS} channels")
            self.arch = CaeArchitecture.model_validate(manifest.architecture)
            self.top_fraction = self.arch.top_fraction
            # A score is a mean of probabilities: none is above 1.
            if self.arch.method == "discriminative" and self.threshold >= 1.0:
                raise ValueError("no score can be above its threshold")
            # Without memory until the weights are known to fit: sizes are only claimed so far.
            with torch.device("meta"):
                model = ConvAutoencoder(self.arch, *size)
        except ValueError as error:
            raise _misfit(bundle, error) from error
        load_weights(model, bundle)
        # Several times quicker on a CPU.
        self._model = model.eval().to(memory_format=torch.channels_last)
        self._identity = bundle.sha256
        self.move_to(device)

    def move_to(self, device: str) -> None:
        """Judge on another device from now on: ``cpu`` or ``cuda``."""
        self.device = device
        self._device = torch.device(device)
        self._model.to(self._device)
        self._parts = self._model.parts()
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
        # What the head is to find is the small difference that the reconstruction leaves.
        first = fastest_backend(
            Part(self._model, "reconstruct"), image, self._identity, cache, precise=True
        )
        self._parts, self.backends = CaeParts(first.forward, None), (first.name,)
        if self._model.head is not None:
            compared = self._model.head.inputs(image, self._model.reconstruct(image))
            second = fastest_backend(
                Part(self._model.head, "compare"), compared, self._identity, cache
            )
            self._parts = CaeParts(first.forward, second.forward)
            self.backends = (first.name, second.name)

    @torch.inference_mode()
    def look(self, inputs: NDArray[np.float32]) -> tuple[Tensor, dict[str, NDArray[np.float32]]]:
        """Return the smoothed raw maps of a batch, (N, h, w), and what the gate compares.

        Parameters
        ----------
        inputs : (N, 3, H, W) float32, prepared by ``preprocess``
        """
        batch = torch.from_numpy(np.ascontiguousarray(inputs)).to(self._device)
        reconstructions: list[Tensor] = []

        def reconstruct(image: Tensor) -> Tensor:
            # What the network makes of the picture is of use to the gate too.
            reconstructions.append(self._parts.reconstruct(image))
            return reconstructions[-1]

        raw = self._model.raw_map(batch, parts=CaeParts(reconstruct, self._parts.compare))
        maps = smooth(raw, self.arch.smooth_sigma)  # (N, h, w)
        seen, made = self._model.reduce(batch), reconstructions[0]
        pictures = {"input": seen, "reconstruction": made, "residual": (made - seen).abs()}
        features = {
            name: F.adaptive_avg_pool2d(picture, GRID).flatten(1).cpu().numpy()
            for name, picture in pictures.items()
        }
        return maps, features


def load_weights(model: ConvAutoencoder, bundle: Bundle, *, grow: bool = False) -> None:
    """Load a bundle's weights into a network.

    Parameters
    ----------
    grow : to go on training: the network's head may have inputs that the bundle's had not; they
        start without weight

    Raises
    ------
    BundleError
        If they are of another network.
    """
    tensors = bundle.load_tensors()
    if grow and (old := tensors.get(STEM)) is not None:
        new = torch.zeros_like(model.state_dict()[STEM])
        if old.shape[1] < new.shape[1]:
            new[:, : old.shape[1]] = old
            tensors[STEM] = new
    try:
        model.load_state_dict(tensors, assign=next(model.parameters()).is_meta)
    except RuntimeError as error:
        raise _misfit(bundle, error) from error


def _misfit(bundle: Bundle, error: Exception) -> BundleError:
    problem = str(error).splitlines()[0]
    return BundleError("ae_weights_misfit", folder=bundle.folder.name, problem=problem)
