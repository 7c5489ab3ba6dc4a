"""First weights of a backbone from a file in torchvision's format; nothing is ever fetched."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from inspection.errors import ConfigError
from inspection.systems.ensemble.backbones import CtClassifier

_RENAMED = {
    "resnet": {"conv1.": "stem.0.", "bn1.": "stem.1."},
    "convnext_tiny": {
        "features.0.": "stem.",
        "features.1.": "layer1.",
        "features.2.": "layer2.0.",
        "features.3.": "layer2.1.",
        "features.4.": "layer3.0.",
        "features.5.": "layer3.1.",
        "features.6.": "layer4.0.",
        "features.7.": "layer4.1.",
        "classifier.0.": "layer4.2.",
    },
}
_HEADS = ("fc.", "classifier.2.")
"""The last layer tells a thousand other classes apart: it is learnt anew."""


def load_pretrained(model: CtClassifier, backbone: str, file: Path) -> None:
    """Put a file's weights into all of a classifier but its last layer.

    A classifier of grey images gets the sum of the file's filters for red, green and blue, which
    answers to a grey image as they do to its three equal channels.

    Parameters
    ----------
    model : changed in place
    backbone : its name
    file : ``.pth`` or ``.safetensors`` as torchvision names its weights

    Raises
    ------
    ConfigError
        If the file is missing, cannot be read, or is of another network.
    """
    if not file.is_file():
        raise ConfigError("pretrained_missing", file=str(file))
    renamed = _RENAMED["resnet" if backbone.startswith("resnet") else backbone]
    state: dict[str, Tensor] = {}
    try:
        if file.suffix == ".safetensors":
            found = load_file(file)
        else:
            found = torch.load(file, map_location="cpu", weights_only=True)
        for name, tensor in found.items():
            old = next((old for old in renamed if name.startswith(old)), "")
            state[renamed.get(old, "") + name.removeprefix(old)] = tensor
    except (
        OSError, RuntimeError, ValueError, AttributeError, EOFError, pickle.PickleError,
        SafetensorError,
    ) as error:  # fmt: skip
        raise _misfit(file, str(error)) from error
    state = {name: tensor for name, tensor in state.items() if not name.startswith(_HEADS)}
    own = {name: t for name, t in model.state_dict().items() if not name.startswith(_HEADS)}
    for name, wanted in own.items():
        if name not in state:
            raise _misfit(file, f"{name} is missing")
        tensor = state[name]
        # The first layer alone differs, by the channels of a picture.
        grey = wanted.ndim == 4 and tensor.ndim == 4 and wanted.shape[1] == 1
        if grey and tensor.shape[1] == 3 and tensor.shape[2:] == wanted.shape[2:]:
            state[name] = tensor = tensor.sum(dim=1, keepdim=True)
        if tensor.shape != wanted.shape:
            shapes = f"{tuple(tensor.shape)} instead of {tuple(wanted.shape)}"
            raise _misfit(file, f"{name} is {shapes}")
    surplus = sorted(state.keys() - own.keys())
    if surplus:
        raise _misfit(file, f"{surplus[0]} is not known to {backbone}")
    # Not strict, for the head is missing; everything else was compared above.
    model.load_state_dict(state, strict=False)


def _misfit(file: Path, problem: str) -> ConfigError:
    return ConfigError("pretrained_misfit", file=file.name, problem=problem.splitlines()[0])
