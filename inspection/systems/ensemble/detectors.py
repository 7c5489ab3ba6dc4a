"""The ensemble's detectors: the code that runs a trained model, by the family that it names.

A new one is a module with a class that has the parts of `Predictor`, and a line in `DETECTORS`.
Torch is imported with the first model that is loaded, not with this table.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from inspection.errors import BundleError
from inspection.images.preprocess import Preprocess
from inspection.modelstore.bundle import MANIFEST_NAME, Bundle
from inspection.modelstore.folders import Slot
from inspection.records import Modality


@dataclass(frozen=True, slots=True)
class Detector:
    """A family of models.

    Parameters
    ----------
    code : ``module:class``, called with a bundle and a device
    slots : which models it may run; the first that is listed runs those that name no family
    """

    code: str
    slots: tuple[Slot, ...]


DETECTORS = {
    "ct_classifier": Detector("inspection.systems.ensemble.cnn:CnnPredictor", ("ct_cnn",)),
    "conv_autoencoder": Detector(
        "inspection.systems.ensemble.cae:CaePredictor", ("rgb_ae", "ct_ae")
    ),
    "combined": Detector(
        "inspection.systems.ensemble.combined:CombinedPredictor", ("rgb_ae", "ct_ae")
    ),
    "features": Detector(
        "inspection.systems.ensemble.features:FeaturePredictor", ("rgb_ae", "ct_ae")
    ),
}
"""By ``architecture.name`` of a manifest."""
STATION_SLOTS: dict[Modality, Slot] = {"ct": "ct_cnn", "rgb": "rgb_ae"}
"""Whose word the verdict rests on, by the images that it judges."""
SECOND_SLOT: Slot = "ct_ae"
"""Looks at the CT slices too, where it is installed, and can only ask for a person."""


@dataclass(frozen=True, slots=True)
class ScoredImage:
    """What a model says of one image of a batch; ``heat`` is (h, w) over the whole input.

    ``heat`` lies on the model's fixed scale, where 0.5 is the edge of a region. ``features`` are
    what the gate compares, by group, (d,) float32 each; none where the model gives none.
    """

    heat: NDArray[np.float32]
    pred_label: str
    probabilities: dict[str, float]
    pred_score: float
    features: dict[str, NDArray[np.float32]] = field(default_factory=dict)


class Predictor(Protocol):
    """A model that is loaded: arrays in, arrays out; tensors never leave."""

    preprocess: Preprocess
    device: str
    backends: tuple[str, ...]

    @property
    def threshold(self) -> float | None:
        """A score above it is an anomaly; None where the fusion policy says it."""

    def move_to(self, device: str) -> None:
        """Judge on another device from now on: ``cpu`` or ``cuda``."""

    def accelerate(self, cache: Path) -> None:
        """Judge with what is fastest on this computer's processor; ``cache`` keeps the finding."""

    def judge(self, inputs: NDArray[np.float32]) -> list[ScoredImage]:
        """Judge a batch, (N, C, H, W) float32, prepared by ``preprocess``."""


def load_predictor(bundle: Bundle, device: str = "cpu") -> Predictor:
    """Return a bundle's model, ready to judge on ``cpu`` or ``cuda``.

    Raises
    ------
    BundleError
        If no detector of its slot has the family's name, or the detector refuses the bundle.
    """
    manifest = bundle.manifest
    able = {name: d for name, d in DETECTORS.items() if manifest.slot in d.slots}
    family = manifest.architecture.get("name", next(iter(able)))
    if family not in able:
        raise BundleError(
            "bundle_invalid",
            folder=bundle.folder.name,
            file=MANIFEST_NAME,
            field="architecture",
            problem=f"unknown family {family}",
        )
    return cast(Predictor, _code_of(able[str(family)])(bundle, device))


def import_detectors() -> None:
    """Import what the detectors need: most of the time that the first load takes."""
    for detector in DETECTORS.values():
        _code_of(detector)


def _code_of(detector: Detector) -> type:
    module, name = detector.code.split(":")
    found: type = getattr(importlib.import_module(module), name)
    return found
