"""``configs/logging.yaml`` as a type; unknown keys are refused."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from inspection.config import Config, load_config
from inspection.paths import config_path


class LoggingConfig(Config):
    """What a run writes down beside its checkpoints.

    Parameters
    ----------
    csv : ``log.csv``, a line an epoch
    tensorboard : scalars and pictures for TensorBoard, in ``tensorboard/RUN``
    reconstructions_every, reconstructions : epochs between two pictures of an autoencoder's
        reconstructions, and how many images they show
    histograms_every : epochs between two histograms of an autoencoder's scores
    confusion_every : epochs between two confusion matrices of a classifier
    steps_every : steps between two lines on the console, where there is no progress bar
    """

    csv: bool = True
    tensorboard: bool = True
    reconstructions_every: int = Field(default=5, ge=1)
    reconstructions: int = Field(default=4, ge=1)
    histograms_every: int = Field(default=1, ge=1)
    confusion_every: int = Field(default=1, ge=1)
    steps_every: int = Field(default=50, ge=1)


class _LoggingFile(Config):
    logging: LoggingConfig


def load_logging(path: Path | None = None) -> LoggingConfig:
    """Return the logging configuration, by default the installed one.

    Raises
    ------
    ConfigError
        If the file is missing, malformed, or has an unknown or wrong key; names the key.
    """
    return load_config(path or config_path("logging.yaml"), _LoggingFile).logging
