"""The frozen network's weights, which lie among the station's resources."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from inspection.errors import BundleError, ModelMissingError
from inspection.modelstore.files import file_digest
from inspection.paths import resource_path
from inspection.systems.ensemble.efficientnet_lite import Variant, stages_of

FOLDER = "features"
ORIGIN_NAME = "origin.json"

# The package's names of a block's parts, and ours.
_PARTS = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}
_ENDS = {
    "_conv_stem": "stem.conv",
    "_bn0": "stem.norm",
    "_conv_head": "head.conv",
    "_bn1": "head.norm",
    "_fc": "fc",
}


def load_backbone(variant: Variant, folder: Path | None = None) -> dict[str, Tensor]:
    """Return the weights of all stages by name, as float32.

    Raises
    ------
    ModelMissingError
        If the station was installed without them.
    BundleError
        If they are not those that were converted.
    """
    from safetensors.torch import load_file

    folder = folder or resource_path("models", FOLDER)
    path = folder / f"{variant}.safetensors"
    if not path.is_file() or not (folder / ORIGIN_NAME).is_file():
        raise ModelMissingError("model_not_installed", system=f"{FOLDER}/{variant}")
    origin = json.loads((folder / ORIGIN_NAME).read_text(encoding="utf-8"))
    if origin[variant]["sha256"] != file_digest(path):
        raise BundleError("bundle_altered", folder=FOLDER, file=path.name)
    return {name: t.float() if t.is_floating_point() else t for name, t in load_file(path).items()}


def renamed(state: Mapping[str, Tensor], variant: Variant) -> dict[str, Tensor]:
    """Return a network of the package ``efficientnet-lite-pytorch`` under our names.

    Parameters
    ----------
    state : what its file of weights holds
    """
    places = [(s, b) for s, stage in enumerate(stages_of(variant)) for b in range(stage.blocks)]
    found = {}
    for name, tensor in state.items():
        inner = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
        if inner:
            stage, block = places[int(inner[1])]
            found[f"stages.{stage}.{block}.{_PARTS[inner[2]]}.{inner[3]}"] = tensor
        else:
            part, _, rest = name.partition(".")
            found[f"{_ENDS[part]}.{rest}"] = tensor
    return found
