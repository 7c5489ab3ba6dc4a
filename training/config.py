"""Typed training configurations: one schema per model, unknown keys refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from inspection.atomic import write_atomic
from inspection.config import Config, Fraction, Positive, read_yaml
from inspection.errors import ConfigError
from inspection.images import Preprocess
from inspection.models.backbones import Backbone
from training.shares import Split as Split


class ClassifierArchitecture(Config):
    """Which network; written into the bundle as it is."""

    backbone: Backbone = "resnet18"
    in_channels: Literal[1, 3] = 1
    output_stride: Literal[16, 32] = 32

    @model_validator(mode="after")
    def _can_be_built(self) -> ClassifierArchitecture:
        if self.backbone == "convnext_tiny" and self.output_stride != 32:
            raise ValueError("convnext_tiny has output_stride 32 only")
        return self


class Augmentation(Config):
    """Random changes of training images; none on validation and test.

    Parameters
    ----------
    flip_horizontal, flip_vertical : probability of a flip
    rotation : largest angle, degrees
    rotation_probability : share of images that are rotated; the others keep their finest detail
    scale : each image is enlarged or reduced by up to this share; 0 is never. Without a label the
        ROI is the content, about 15 % tighter than a label's.
    """

    flip_horizontal: Fraction = 0.5
    flip_vertical: Fraction = 0.5
    rotation: float = Field(default=15.0, ge=0.0, le=180.0)
    rotation_probability: Fraction = 1.0
    scale: float = Field(default=0.0, ge=0.0, le=0.5)


class Localisation(Config):
    """Supervision of the class maps by the label polygons.

    Parameters
    ----------
    weight : weight of the map loss beside cross-entropy; 0 trains on the class alone
    peak : raw heat wanted at a defect; it also sets how much a small defect moves the logit
    sigma : blur of the target, in feature cells, so that a peak can lie between two cells
    positive_weight : extra weight of hot cells, which are rare
    """

    weight: float = Field(default=0.0, ge=0.0)
    peak: Positive = 500.0
    sigma: Positive = 0.7
    positive_weight: float = Field(default=20.0, ge=0.0)


class Warmup(Config):
    """First epochs on crops: several times cheaper per image, and half of them show a defect."""

    epochs: int = Field(default=0, ge=0)
    crop: int = Field(default=160, ge=32)
    crops_per_image: Positive = 1.0
    defect_share: Fraction = 0.6
    batch_size: int = Field(default=32, ge=2)


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


class TrainingConfig(LoopConfig):
    """The classifier's training.

    Parameters
    ----------
    best_by : figure by which the epoch to keep is chosen
    head_lr_factor : the last layer learns this many times faster; its weights grow largest
    class_weights : weight cross-entropy by inverse class frequency to this power; 0 is none
    pretrained : file of torchvision weights (.pth or .safetensors) to start from; never fetched
    """

    loss: Literal["cross_entropy"] = "cross_entropy"
    best_by: Literal["val_f1", "val_loss"] = "val_f1"
    head_lr_factor: Positive = 1.0
    class_weights: Fraction = 1.0
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    pretrained: Path | None = None


class CacheConfig(Config):
    """Where decoded images are kept, and how much of the disk they may take.

    Parameters
    ----------
    folder : null is the user's cache folder
    max_gigabytes : bound of the folder; 0 keeps nothing and decodes in every epoch
    """

    folder: Path | None = None
    max_gigabytes: float = Field(default=20.0, ge=0.0)


class TrainingFile(Config):
    """What the configuration of every kind of model has.

    Parameters
    ----------
    model : kind of model
    training : its loop
    """

    model: str
    training: LoopConfig


class CnnConfig(TrainingFile):
    """``configs/cnn.yaml``.

    Parameters
    ----------
    name : of the bundle
    demo : True for weights trained on synthetic lots
    roi : what of a slice is taken: the label's ROI, or, as of an unlabelled lot, its content
    """

    model: Literal["cnn"]
    name: str = Field(min_length=1)
    demo: bool = False
    architecture: ClassifierArchitecture
    preprocess: Preprocess
    roi: Literal["label", "content"] = "label"
    augmentation: Augmentation = Augmentation()
    localisation: Localisation = Localisation()
    warmup: Warmup = Warmup()
    training: TrainingConfig = TrainingConfig()
    split: Split = Split()
    cache: CacheConfig = CacheConfig()

    @model_validator(mode="after")
    def _channels_agree(self) -> CnnConfig:
        if self.architecture.in_channels != self.preprocess.channels:
            raise ValueError("architecture.in_channels and preprocess.channels differ")
        return self

    @property
    def run_name(self) -> str:
        """Name such as ``resnet18_lr1e-4_bs32_wd1e-4``."""
        t = self.training
        return (
            f"{self.architecture.backbone}_lr{_short(t.learning_rate)}"
            f"_bs{t.batch_size}_wd{_short(t.weight_decay)}"
        )


def _short(value: float) -> str:
    """Return ``1e-4`` for 0.0001: the way runs are named."""
    mantissa, exponent = f"{value:.6e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}" if value else "0"


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
        from training.autoencoder_config import AutoencoderConfig

        return AutoencoderConfig
    if model == "vlm":
        from training.vlm_config import DemoVlmConfig

        return DemoVlmConfig
    if model == "vlg":
        from training.vlg_config import DemoVlgConfig

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


def save_config(config: BaseModel, path: Path) -> None:
    """Write the configuration a run was made with, every default resolved."""
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_atomic(path, text.encode("utf-8"))
