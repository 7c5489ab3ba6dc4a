"""The kinds of models that are trained, and their configurations: unknown keys are refused."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from inspection.config_mistakes import Lines, Place, config_error, lines_of, nearest
from inspection.errors import ConfigError
from inspection.yaml_file import parse_yaml, read_yaml
from training.loop.config import TrainingFile

if TYPE_CHECKING:
    from inspection.modelstore.bundle import Bundle
    from training.loop.runs import TrainingRun


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of model.

    Parameters
    ----------
    schema : ``module:class`` of its configuration
    train : ``module:function`` that takes such a configuration and a run, and returns the bundle
    plain_folder : whether it can learn from a plain folder of normal images
    """

    schema: str
    train: str
    plain_folder: bool = False


KINDS = {
    "cnn": Kind(
        "training.classifier.config:CnnConfig", "training.classifier.classifier:train_classifier"
    ),
    "autoencoder": Kind(
        "training.autoencoder.config:AutoencoderConfig",
        "training.autoencoder.autoencoder:train_autoencoder",
        plain_folder=True,
    ),
    "combined": Kind(
        "training.features.config:CombinedConfig",
        "training.features.combined:train_combined",
        plain_folder=True,
    ),
    "features": Kind(
        "training.features.config:FeaturesConfig",
        "training.features.features:train_features",
        plain_folder=True,
    ),
}
"""By the ``model`` of a configuration. Imported only when one is wanted: torch takes seconds."""


def train_model(config: TrainingFile, run: TrainingRun) -> Bundle:
    """Train what a configuration is for and return the bundle of the best epoch.

    Raises
    ------
    InspectionError
        If data, first weights or a checkpoint cannot be used.
    TrainingInterrupted
        After Ctrl-C or SIGTERM.
    """
    bundle: Bundle = _named(KINDS[config.model].train)(config, run)
    return bundle


def read_training_config(path: Path, overrides: Sequence[str] = ()) -> TrainingFile:
    """Return the configuration of the kind of model that the file's ``model`` names.

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
        raise ConfigError("config_unreadable", name=path.name, line=1)
    lines = Lines(
        lines_of(path.read_text(encoding="utf-8-sig")),
        {_apply(content, override): f"--set {override}" for override in overrides},
    )
    model = content.get("model")
    if not isinstance(model, str) or model not in KINDS:
        meant = nearest(str(model), KINDS)
        problem = f"must be {' or '.join(KINDS)}" + (f" ({meant}?)" if meant else "")
        where = lines.name_of(path.name, ("model",))
        raise ConfigError("config_invalid", name=where, field="model", problem=problem)
    schema: type[TrainingFile] = _named(KINDS[model].schema)
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise config_error(error, path.name, schema=schema, lines=lines) from error


def _named(code: str) -> Any:
    module, name = code.split(":")
    return getattr(importlib.import_module(module), name)


def _apply(content: dict[str, Any], override: str) -> Place:
    """Set a key of a file's content as ``key.of.section=value`` says, and return its place."""
    key, separator, text = override.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise ConfigError("override_malformed", override=override)
    target = content
    # Sections that the file leaves to their defaults are made.
    for part in parts[:-1]:
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            raise ConfigError("override_malformed", override=override)
    try:
        target[parts[-1]] = parse_yaml(text, key)
    except ConfigError as error:
        raise ConfigError("override_malformed", override=override) from error
    return tuple(parts)
