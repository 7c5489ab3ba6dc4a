"""Two detectors as one: what was taught with painted defects, and what is told by frozen features.

The one sees fine marks among fine marks, the other what nobody thought of painting.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from torch import Tensor

from inspection.config import Config, Positive
from inspection.errors import BundleError
from inspection.modelstore.bundle import Bundle
from inspection.systems.ensemble.cae import CaePredictor, MapPredictor
from inspection.systems.ensemble.features import FeaturePredictor

FLOOR = 1e-4
"""Of a probability, whose logarithm is taken."""


class CombinedArchitecture(Config):
    """How the two maps become one; part of the manifest, beside the parts' own fields.

    Parameters
    ----------
    autoencoder_level, autoencoder_spread : mean and standard deviation of held-out normal pictures'
        scores, of the logarithm of the taught map
    features_level, features_spread : the same of the frozen features' map
    features_weight : of the features' scaled map beside the taught one's
    top_fraction : the score is the mean of this share of the map's highest pixels
    """

    name: Literal["combined"] = "combined"
    autoencoder_level: float
    autoencoder_spread: Positive
    features_level: float
    features_spread: Positive
    features_weight: Positive = 0.5
    top_fraction: float = Field(default=0.0005, gt=0.0, le=1.0)


def combine(taught: Tensor, features: Tensor, arch: CombinedArchitecture) -> Tensor:
    """Return the weighed mean of two scaled maps, above 0, (N, h, w) as the taught map.

    The mean and not the larger one: each detector's false alarms are its own.

    Parameters
    ----------
    taught : (N, h, w) probabilities
    features : (N, h', w') raw maps
    """
    # Each in spreads of what normal pictures score.
    first = torch.log(taught.clamp_min(FLOOR)) - arch.autoencoder_level
    first = first / arch.autoencoder_spread
    second = ((features - arch.features_level) / arch.features_spread).unsqueeze(1)
    size = (taught.shape[1], taught.shape[2])
    second = F.interpolate(second, size=size, mode="bilinear", align_corners=False).squeeze(1)
    weight = arch.features_weight
    return F.softplus((first + weight * second) / (1.0 + weight))


@dataclass(frozen=True, slots=True)
class BundlePart(Bundle):
    """One of the two within a bundle: fields and weights of the same prefix, as its own.

    Parameters
    ----------
    prefix : ``autoencoder.`` or ``features.``
    """

    prefix: str = ""

    def load_tensors(self) -> dict[str, Tensor]:
        """Return the part's weights by its own names; see `Bundle.load_tensors`."""
        # `super()` without arguments does not know a class that slots have replaced.
        tensors = Bundle.load_tensors(self)
        size = len(self.prefix)
        return {n[size:]: t for n, t in tensors.items() if n.startswith(self.prefix)}


def part_of(bundle: Bundle, part: str) -> BundlePart:
    """Return a part of a combined bundle as a bundle of its own.

    It has no threshold of its own that counts: one that every detector takes stands in for it.
    """
    prefix = f"{part}."
    fields = bundle.manifest.architecture.items()
    architecture = {n[len(prefix) :]: value for n, value in fields if n.startswith(prefix)}
    manifest = bundle.manifest.model_copy(
        update={"architecture": architecture, "display_scale": 1.0}
    )
    threshold = bundle.threshold
    if threshold is not None:
        threshold = threshold.model_copy(update={"threshold": 0.5})
    own = dataclasses.replace(bundle, manifest=manifest, threshold=threshold)
    named = {field.name: getattr(own, field.name) for field in dataclasses.fields(Bundle)}
    return BundlePart(**named, prefix=prefix)


class CombinedPredictor(MapPredictor):
    """Two detectors ready to judge as one: arrays in, arrays out; tensors never leave.

    Parameters
    ----------
    bundle : a verified model folder
    device : ``cpu`` or ``cuda``

    Raises
    ------
    BundleError
        If a part refuses the bundle, or the display scale does not exceed the threshold.
    """

    def __init__(self, bundle: Bundle, device: str = "cpu") -> None:
        super().__init__(bundle)
        manifest, folder = bundle.manifest, bundle.folder.name
        own = {n: v for n, v in manifest.architecture.items() if "." not in n}
        try:
            self.arch = CombinedArchitecture.model_validate(own)
        except ValidationError as error:
            problem = str(error).splitlines()[0]
            raise BundleError("ae_weights_misfit", folder=folder, problem=problem) from error
        self.top_fraction = self.arch.top_fraction
        self._taught = CaePredictor(part_of(bundle, "autoencoder"), device)
        self._features = FeaturePredictor(part_of(bundle, "features"), device)
        self.device = device

    @property
    def backends(self) -> tuple[str, ...]:
        """What computes the parts."""
        return (*self._taught.backends, *self._features.backends)

    def move_to(self, device: str) -> None:
        """Judge on another device from now on: ``cpu`` or ``cuda``."""
        self._taught.move_to(device)
        self._features.move_to(device)
        self.device = device

    def accelerate(self, cache: Path) -> None:
        """Judge with what is fastest on this computer's processor; on a GPU nothing changes.

        Parameters
        ----------
        cache : folder where the finding is kept
        """
        self._taught.accelerate(cache)
        self._features.accelerate(cache)

    @torch.inference_mode()
    def look(self, inputs: NDArray[np.float32]) -> tuple[Tensor, dict[str, NDArray[np.float32]]]:
        """Return the joined maps of a batch, (N, h, w), and what the gate compares.

        Parameters
        ----------
        inputs : (N, 3, H, W) float32, prepared by ``preprocess``
        """
        taught, of_taught = self._taught.look(inputs)
        features, of_features = self._features.look(inputs)
        compared = {**of_taught, "embedding": of_features["embedding"]}
        return combine(taught, features, self.arch), compared
