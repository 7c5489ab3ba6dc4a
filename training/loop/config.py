"""What every training configures: its loop, and the file that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, Field

from inspection.atomic import write_atomic
from inspection.config import Config, Fraction, Positive


class EarlyStopping(Config):
    """Stop when the validation loss has not fallen by `min_delta` for `patience` epochs."""

    monitor: Literal["val_loss"] = "val_loss"
    patience: int = Field(default=7, ge=1)
    min_delta: float = Field(default=0.001, ge=0.0)


class LoopConfig(Config):
    """The training loop, whatever it trains.

    Parameters
    ----------
    seed : of weights, order and augmentation
    epochs : passes over the training images, at most
    batch_size : images of one step, over all processes together
    schedule : of the learning rate: constant, or one cycle over all epochs
    rise_share : share of a one-cycle schedule in which the learning rate rises
    gradient_clip : largest norm of the gradient; null leaves it as it is
    precision : auto takes bfloat16 where the device computes in it, float16 with a scaled loss
        on a GPU that has only that, else float32
    threads : processor threads of torch; null leaves torch's default
    workers : threads that decode and augment
    """

    seed: int = Field(default=0, ge=0)
    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=32, ge=2)
    optimiser: Literal["adam", "adamw"] = "adam"
    learning_rate: Positive = 1e-4
    weight_decay: float = Field(default=1e-4, ge=0.0)
    schedule: Literal["constant", "one_cycle"] = "constant"
    rise_share: Fraction = 0.05
    gradient_clip: Positive | None = None
    early_stopping: EarlyStopping = EarlyStopping()
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    threads: int | None = Field(default=None, ge=1)
    workers: int = Field(default=2, ge=1)


class MuonLoopConfig(LoopConfig):
    """A loop that can let Muon take the matrices of hidden layers; AdamW takes all else.

    Parameters
    ----------
    matrix_learning_rate : of what Muon takes; its steps are of another kind
    """

    optimiser: Literal["adam", "adamw", "muon"] = "muon"  # type: ignore[assignment]
    matrix_learning_rate: Positive = 0.02


class TrainingFile(Config):
    """What the configuration of every kind of model has.

    Parameters
    ----------
    model : kind of model
    training : its loop
    """

    model: str
    training: LoopConfig


def save_config(config: BaseModel, path: Path) -> None:
    """Write the configuration a run was made with, every default resolved."""
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_atomic(path, text.encode("utf-8"))
