"""``configs/cnn.yaml``: the classifier's training, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from inspection.config import Config, Fraction, Positive
from inspection.images.preprocess import Preprocess
from inspection.systems.ensemble.backbones import Backbone, check_architecture
from training.data.image_cache import CacheConfig
from training.data.splits import Split
from training.data.transforms import Augmentation
from training.loop.config import LoopConfig, TrainingFile
from training.loop.sizes import check_at_most, check_multiple


class ClassifierArchitecture(Config):
    """Which network; written into the bundle as it is."""

    backbone: Backbone = "resnet18"
    in_channels: Literal[1, 3] = 1
    output_stride: Literal[16, 32] = 32

    @model_validator(mode="after")
    def _can_be_built(self) -> ClassifierArchitecture:
        check_architecture(self.backbone, self.output_stride)
        return self


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
    """First epochs on crops: several times cheaper per image, and half of them show a defect.

    Parameters
    ----------
    epochs : of those in ``training.epochs``; the last of these always sees whole slices
    """

    epochs: int = Field(default=0, ge=0)
    crop: int = Field(default=160, ge=32)
    crops_per_image: Positive = 1.0
    defect_share: Fraction = 0.6
    batch_size: int = Field(default=32, ge=2)


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


class CnnConfig(TrainingFile):
    """``configs/cnn.yaml``.

    Parameters
    ----------
    name : of the bundle
    demo : True for weights trained on synthetic lots
    """

    model: Literal["cnn"]
    name: str = Field(min_length=1)
    demo: bool = False
    architecture: ClassifierArchitecture
    preprocess: Preprocess
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

    @model_validator(mode="after")
    def _sizes_fit(self) -> CnnConfig:
        stride, spec = self.architecture.output_stride, self.preprocess
        # The wanted heat has a cell for each of the network's.
        for side in ("width", "height"):
            check_multiple(getattr(spec, side), stride, "preprocess", side)
        if self.warmup_epochs:
            check_multiple(self.warmup.crop, stride, "warmup", "crop")
            check_at_most(self.warmup.crop, min(spec.width, spec.height), "warmup", "crop")
        return self

    @property
    def warmup_epochs(self) -> int:
        """Epochs on crops: fewer than are asked for, where else none would be on whole slices."""
        return min(self.warmup.epochs, self.training.epochs - 1)

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Sizes of the batches of whole slices and, with a warm-up, of crops."""
        warm = (self.warmup.batch_size,) if self.warmup_epochs else ()
        return (self.training.batch_size, *warm)

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
