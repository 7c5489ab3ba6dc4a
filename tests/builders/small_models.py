"""Two small untrained models: what they say is arbitrary, and that is enough for figures."""

from __future__ import annotations

from pathlib import Path

import torch

from inspection.classes import class_table
from inspection.images.preprocess import Preprocess
from inspection.modelstore.bundle import ThresholdFile
from inspection.modelstore.bundle_writing import write_bundle
from inspection.systems.ensemble.cae_network import CaeArchitecture, ConvAutoencoder
from inspection.systems.ensemble.cnn import build_classifier

CT = Preprocess(modality="ct", width=32, height=64, channels=1, mean=(0.5,), std=(0.2,))
RGB = Preprocess(modality="rgb", width=64, height=32, channels=3, mean=(0.5,) * 3, std=(0.2,) * 3)


def write_small_models(folder: Path) -> Path:
    """Write a classifier and an autoencoder that judge in a moment, and return the folder."""
    torch.manual_seed(5)
    common = {"display_scale": 1.0, "training": {"data": ["none"]}, "demo": True}
    wanted = {"backbone": "resnet18", "in_channels": 1, "output_stride": 32}
    classifier = build_classifier(wanted).train()
    with torch.no_grad():
        for _ in range(3):
            classifier(torch.randn(4, 1, 64, 32))
    write_bundle(
        folder / "ct_cnn",
        slot="ct_cnn",
        name="small",
        architecture=wanted,
        labels=list(class_table().ct),
        preprocess=CT,
        tensors=classifier.state_dict(),
        temperature=0.2,
        **common,
    )
    arch = CaeArchitecture(
        latent_dim=4, reduction=2, base=4, levels=2, head_base=4, head_levels=2, top_fraction=0.01
    )
    record = ThresholdFile(
        threshold=0.5, method="mean_std", k=2.5, percentile=None, computed_from="nothing",
        num_samples=1, mean_error=0.1, std_error=0.1,
    )  # fmt: skip
    write_bundle(
        folder / "rgb_ae",
        slot="rgb_ae",
        name="small",
        architecture=arch.model_dump(),
        labels=[],
        preprocess=RGB,
        tensors=ConvAutoencoder(arch, RGB.width, RGB.height).state_dict(),
        threshold=record,
        **common,
    )
    return folder
