"""A detector of frozen features at work: batches of pictures in, scores and maps out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from inspection.errors import BundleError
from inspection.modelstore.bundle import Bundle
from inspection.systems.ensemble.backends import PLAIN, Forward, Part, fastest_backend
from inspection.systems.ensemble.cae import GRID, MapPredictor
from inspection.systems.ensemble.features_network import FeatureArchitecture, FeatureNetwork

COLOURS = 3
"""Channels of its input; a grey picture has three equal ones."""


class FeaturePredictor(MapPredictor):
    """A detector of frozen features ready to judge: arrays in, arrays out; tensors never leave.

    Parameters
    ----------
    bundle : a verified model folder
    device : ``cpu`` or ``cuda``

    Raises
    ------
    BundleError
        If the bundle has no threshold, its manifest describes another network or a display scale
        that does not exceed the threshold, or the weights do not fit.
    """

    def __init__(self, bundle: Bundle, device: str = "cpu") -> None:
        super().__init__(bundle)
        manifest, folder = bundle.manifest, bundle.folder.name
        tensors = bundle.load_tensors()
        try:
            if manifest.preprocess.channels != COLOURS:
                raise ValueError(f"it takes {COLOURS} channels")
            self.arch = FeatureArchitecture.model_validate(manifest.architecture)
            self.top_fraction = self.arch.top_fraction
            for side in (manifest.preprocess.width, manifest.preprocess.height):
                if side % self.arch.step:
                    raise ValueError(f"{side} is not a multiple of {self.arch.step}")
            spec = manifest.preprocess
            remembered = tensors.get("memory", torch.zeros(0, self.arch.width))
            model = FeatureNetwork(self.arch, spec.mean, spec.std, len(remembered))
            model.load_state_dict(tensors)
        except (ValueError, RuntimeError) as error:
            problem = str(error).splitlines()[0]
            raise BundleError("ae_weights_misfit", folder=folder, problem=problem) from error
        model.eval().backbone.fuse()
        self._model = model.to(memory_format=torch.channels_last)
        self._identity = bundle.sha256
        self.move_to(device)

    def move_to(self, device: str) -> None:
        """Judge on another device from now on: ``cpu`` or ``cuda``."""
        self.device = device
        self._device = torch.device(device)
        self._model.to(self._device)
        self._embed: Forward = Part(self._model, "embed").forward
        self.backends: tuple[str, ...] = (PLAIN,)

    def accelerate(self, cache: Path) -> None:
        """Compute the features with what is fastest on this processor; on a GPU nothing changes.

        Parameters
        ----------
        cache : folder where the finding is kept
        """
        if self.device != "cpu":
            return
        spec = self.preprocess
        image = torch.zeros(1, spec.channels, spec.height, spec.width)
        # Distances weigh directions in which normal features hardly differ.
        found = fastest_backend(
            Part(self._model, "embed"), image, self._identity, cache, precise=True
        )
        self._embed, self.backends = found.forward, (found.name,)

    @torch.inference_mode()
    def look(self, inputs: NDArray[np.float32]) -> tuple[Tensor, dict[str, NDArray[np.float32]]]:
        """Return the raw maps of a batch, (N, h, w), and what the gate compares.

        Parameters
        ----------
        inputs : (N, 3, H, W) float32, prepared by ``preprocess``
        """
        batch = torch.from_numpy(np.ascontiguousarray(inputs)).to(self._device)
        embedded = self._embed(batch)
        # What the picture looks like, coarsely, and what it is made of.
        features = {
            "input": F.adaptive_avg_pool2d(batch, GRID).flatten(1).cpu().numpy(),
            "embedding": embedded.mean(dim=(2, 3)).cpu().numpy(),
        }
        return self._model.raw_map(embedded, batch), features
