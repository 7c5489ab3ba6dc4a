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
    try:
        if file.suffix == ".safetensors":
            found = load_file(file)
        else:
            found = torch.load(file, map_location="cpu", weights_only=True)
        tensors = {_renamed(name, backbone): tensor for name, tensor in found.items()}
    except (OSError, RuntimeError, ValueError, AttributeError, EOFError) as error:
        raise _misfit(file, str(error)) from error
    except (pickle.PickleError, SafetensorError) as error:
        raise _misfit(file, str(error)) from error
    state = {name: t for name, t in tensors.items() if not name.startswith(_HEADS)}
    own = model.state_dict()
    wanted = [name for name in own if not name.startswith(_HEADS)]
    missing = [name for name in wanted if name not in state]
    if missing:
        raise _misfit(file, f"{missing[0]} is missing")
    for name in wanted:
        state[name] = _with_channels(state[name], own[name])
        if state[name].shape != own[name].shape:
            shapes = f"{tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
            raise _misfit(file, f"{name} is {shapes}")
    surplus = sorted(set(state) - set(wanted))
    if surplus:
        raise _misfit(file, f"{surplus[0]} is not known to {backbone}")
    model.load_state_dict(state, strict=False)


def _renamed(name: str, backbone: str) -> str:
    for old, new in _RENAMED["resnet" if backbone.startswith("resnet") else backbone].items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _with_channels(tensor: Tensor, wanted: Tensor) -> Tensor:
    is_stem = wanted.ndim == 4 and wanted.shape[1] == 1 and tensor.ndim == 4
    if is_stem and tensor.shape[1] == 3 and tensor.shape[2:] == wanted.shape[2:]:
        return tensor.sum(dim=1, keepdim=True)
    return tensor


def _misfit(file: Path, problem: str) -> ConfigError:
    return ConfigError("pretrained_misfit", file=file.name, problem=problem.splitlines()[0])
