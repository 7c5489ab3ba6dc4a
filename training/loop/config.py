"""What every training configures: its loop, its log, and the files that say so."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, Field

from inspection.atomic import write_atomic
from inspection.config import Config, Fraction, Positive, load_section
from inspection.paths import config_path


class EarlyStopping(Config):
    """Stop when the validation loss has not fallen by `min_delta` for `patience` epochs."""

    monitor: Literal["val_loss"] = "val_loss"
    patience: int = Field(default=7, ge=1)
    min_delta: float = Field(default=0.001, ge=0.0)


class RunConfig(Config):
    """What every training run has.

    Parameters
    ----------
    seed : of weights, order and augmentation
    batch_size : images of one step, over all processes together
    threads : processor threads of torch; null leaves torch's default
    workers : threads that decode and augment
    """

    seed: int = Field(default=0, ge=0)
    batch_size: int = Field(default=32, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(default=None, ge=1)
    workers: int = Field(default=2, ge=1)


class LoopConfig(RunConfig):
    """The training loop, whatever it trains.

    Parameters
    ----------
    epochs : lines of the log, at most: all passes over the training images, any warm-up with them
    schedule : of the learning rate: constant, or one cycle over all epochs
    rise_share : share of a one-cycle schedule in which the learning rate rises
    gradient_clip : largest norm of the gradient; null leaves it as it is
    precision : auto takes bfloat16 where the device computes in it, float16 with a scaled loss
        on a GPU that has only that, else float32
    """

    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=32, ge=2)
    optimiser: Literal["adam", "adamw"] = "adam"
    learning_rate: Positive = 1e-4
    weight_decay: float = Field(default=1e-4, ge=0.0)
    schedule: Literal["constant", "one_cycle"] = "constant"
    rise_share: Fraction = 0.05
    gradient_clip: Positive | None = None
    early_stopping: EarlyStopping = EarlyStopping()
    precision: Literal["auto", "bfloat16", "float16", "float32"] = "auto"


class TrainingFile(Config):
    """What the configuration of every kind of model has.

    Parameters
    ----------
    model : kind of model
    training : its run, or its loop
    """

    model: str
    training: RunConfig

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Sizes of its batches, which several processes have to share evenly."""
        return (self.training.batch_size,)


def save_config(config: BaseModel, path: Path) -> None:
    """Write the configuration a run was made with, every default resolved."""
    # In the order of the schema, which is that of the shipped files.
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_atomic(path, text.encode("utf-8"))


class LoggingConfig(Config):
    """``configs/logging.yaml``: what a run writes down beside its checkpoints.

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


def load_logging(path: Path | None = None) -> LoggingConfig:
    """Return the logging configuration, by default the installed one.

    Raises
    ------
    ConfigError
        If the file is missing, malformed, or has an unknown or wrong key; names the key.
    """
    return load_section(path or config_path("logging.yaml"), LoggingConfig, "logging")
