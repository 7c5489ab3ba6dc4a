"""The bundled models of the ensemble, without VLM and VLG, and a CT autoencoder beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from inspection.images.preprocess import Preprocess
from inspection.modelstore.bundle import ThresholdFile
from inspection.modelstore.bundle_writing import write_bundle
from inspection.paths import resource_path
from inspection.systems.ensemble.cae_network import CaeArchitecture, ConvAutoencoder
from inspection.systems.ensemble.known_answers import record_answers

SLICE = Preprocess(modality="ct", width=32, height=64, channels=3, mean=(0.0,) * 3, std=(1.0,) * 3)


def copy_ensemble(folder: Path) -> Path:
    """Copy the bundled models to a new folder, without VLM and VLG."""
    ignored = shutil.ignore_patterns("vlm", "vlg")
    shutil.copytree(resource_path("models"), folder, ignore=ignored)
    return folder


def write_ct_autoencoder(folder: Path, threshold: float = 0.05) -> Path:
    """Write a small CT autoencoder that finds strange what is bright, and return its folder.

    Its reconstruction is black, so that the error is the picture's own brightness: untrained, and
    yet it tells slices apart in a way that a test can foresee.
    """
    architecture = CaeArchitecture(
        method="mse", latent_dim=4, reduction=2, base=4, levels=2, top_fraction=0.5
    )
    model = ConvAutoencoder(architecture, SLICE.width, SLICE.height)
    with torch.no_grad():
        for parameter in model.decoder[-1].parameters():
            parameter.zero_()
    bundle = write_bundle(
        folder / "ct_ae",
        slot="ct_ae",
        name="bright",
        architecture=architecture.model_dump(),
        labels=[],
        preprocess=SLICE,
        display_scale=1.0,
        training={},
        demo=True,
        tensors=model.state_dict(),
        threshold=ThresholdFile(
            threshold=threshold, method="mean_std", k=2.5, percentile=None,
            computed_from="nothing", num_samples=1, mean_error=0.01, std_error=0.01,
        ),
    )  # fmt: skip
    return record_answers(bundle).folder
