"""Reads a training configuration: its ``model`` names the schema, unknown keys are refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from inspection.errors import ConfigError
from inspection.site import read_yaml
from training.classifier.config import CnnConfig
from training.loop.config import TrainingFile


def read_training_config(path: Path, overrides: Sequence[str] = ()) -> TrainingFile:
    """Return the configuration of the model that the file's ``model`` names.

    Parameters
    ----------
    path : YAML file
    overrides : ``training.epochs=3`` and the like; the values are YAML

    Raises
    ------
    ConfigError
        If the file or an override is missing, malformed, or has an unknown or wrong key.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError("config_unreadable", name=path.name)
    for override in overrides:
        _apply(content, override)
    schema = _schema(content.get("model"))
    if schema is None:
        problem = "must be cnn, autoencoder, vlm or vlg"
        raise ConfigError("config_invalid", name=path.name, field="model", problem=problem)
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or path.stem
        raise ConfigError(
            "config_invalid", name=path.name, field=field, problem=first["msg"]
        ) from error


def _schema(model: object) -> type[TrainingFile] | None:
    """Return the schema of a kind of model; the others' modules are not imported."""
    if model == "cnn":
        return CnnConfig
    if model == "autoencoder":
        from training.autoencoder.config import AutoencoderConfig

        return AutoencoderConfig
    if model == "vlm":
        from training.vlm.config import DemoVlmConfig

        return DemoVlmConfig
    if model == "vlg":
        from training.vlg.config import DemoVlgConfig

        return DemoVlgConfig
    return None


def _apply(content: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise ConfigError("override_malformed", override=override)
    target = content
    for part in parts[:-1]:
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            raise ConfigError("override_malformed", override=override)
    try:
        target[parts[-1]] = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError("override_malformed", override=override) from error
