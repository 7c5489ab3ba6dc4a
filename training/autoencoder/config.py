"""``configs/autoencoder_rgb.yaml`` as a type; unknown keys are refused."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from inspection.config import Config, Fraction, Positive
from inspection.images.preprocess import Preprocess
from inspection.records import Modality
from inspection.systems.ensemble.cae_network import CaeArchitecture
from training.autoencoder.thresholds import ThresholdConfig
from training.data.image_cache import CacheConfig
from training.loop.config import LoopConfig, TrainingFile
from training.loop.sizes import check_multiple

Kind = Literal["texture", "stain", "mark", "hollow", "raised"]
Region = Literal["object", "frame"]


class NormalAugmentation(Config):
    """Variation of normal images before anything is painted on them.

    Parameters
    ----------
    flip_horizontal, flip_vertical : probability of a flip
    shift : largest translation, input pixels
    gain : brightness factor between ``1 - gain`` and ``1 + gain``
    colour : the same for each channel by itself
    """

    flip_horizontal: Fraction = 0.0
    flip_vertical: Fraction = 0.0
    shift: int = Field(default=8, ge=0)
    gain: Fraction = 0.12
    colour: Fraction = 0.04


class AnomalyConfig(Config):
    """Synthetic anomalies.

    Parameters
    ----------
    share : of the training images get some
    min_change : mean absolute change over the channels, in grey levels, from which a pixel
        counts as changed; what nobody could see is not taught as an anomaly
    region : where they are painted: on the object, told from the border of the picture, or
        anywhere in the frame, for surfaces that fill it
    rim : share of them painted at the rim of that region, where a body's marks are seen askew and
        need more practice than chance gives; none where the rim itself has dark edges
    kinds : how often each kind is painted, in relation to the others: ``texture`` (moved, bent or
        foreign), ``stain`` (tinted or shaded), ``mark`` (a contrasting colour), ``hollow``
        (cracks and holes, darker than the surroundings), ``raised`` (lighter lines and grains)
    """

    share: Fraction = 0.5
    min_change: Positive = 5.0
    region: Region = "object"
    rim: Fraction = 0.25
    kinds: dict[Kind, Positive] = Field(
        default={"texture": 2, "stain": 3, "mark": 2, "hollow": 2, "raised": 3}, min_length=1
    )


class FolderConfig(Config):
    """A plain folder of normal images: the share of them kept for test, and the seed of it.

    The seed is not the training's, so that runs of several seeds are tested on the same images.
    """

    test_share: float = Field(default=0.25, gt=0.0, lt=1.0)
    seed: int = Field(default=0, ge=0)


class AutoencoderTraining(LoopConfig):
    """The autoencoder's training.

    Parameters
    ----------
    repeats : times that an epoch shows each image: a small set's epochs would else be shorter than
        their validation
    validation_share : share of the lots' batteries kept for early stopping
    best_by : figure by which the epoch to keep is chosen
    crop : (width, height) in input pixels, even, of the part that the head learns from; null for
        all of it. A crop around an anomaly teaches as much for a fraction of the time.
    """

    epochs: int = Field(default=50, ge=1)
    batch_size: int = Field(default=8, ge=2)
    learning_rate: Positive = 1e-3
    weight_decay: float = Field(default=0.0, ge=0.0)
    schedule: Literal["constant", "one_cycle"] = "one_cycle"
    rise_share: Fraction = 0.1
    gradient_clip: Positive | None = 5.0
    repeats: int = Field(default=1, ge=1)
    validation_share: float = Field(default=0.15, gt=0.0, lt=1.0)
    best_by: Literal["val_loss", "val_auroc"] = "val_loss"
    crop: tuple[int, int] | None = None


class LossConfig(Config):
    """Weights of the loss terms; ``mse`` training has the reconstruction only.

    Parameters
    ----------
    reconstruction : squared error of the reconstruction
    pixels : cross-entropy per pixel, over the anomalies and the hardest of the rest
    hard_negatives : how many normal pixels are counted per anomalous one
    overlap : Dice over the batch
    image : cross-entropy of the top of the map, which the score is made of
    """

    reconstruction: Positive = 1.0
    pixels: Positive = 1.0
    hard_negatives: Positive = 4.0
    overlap: Positive = 0.5
    image: Positive = 0.3


class PaintedConfig(TrainingFile):
    """A training on normal images with painted defects; ``name`` is the bundle's."""

    modality: Modality
    name: str = Field(min_length=1)
    demo: bool = False
    architecture: CaeArchitecture
    preprocess: Preprocess
    augmentation: NormalAugmentation = NormalAugmentation()
    anomalies: AnomalyConfig = AnomalyConfig()
    loss: LossConfig = LossConfig()
    folder: FolderConfig = FolderConfig()
    training: AutoencoderTraining = AutoencoderTraining()
    threshold: ThresholdConfig = ThresholdConfig()
    cache: CacheConfig = CacheConfig()

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        for side in ("width", "height"):
            value = getattr(self.preprocess, side)
            check_multiple(value, self.architecture.step, "preprocess", side)
        for length in self.training.crop or ():
            check_multiple(length, 2, "training", "crop")
        return self

    @property
    def run_name(self) -> str:
        """Name such as ``ae_rgb_k2.5``."""
        rule = self.threshold
        suffix = {
            "mean_std": f"k{rule.k:g}",
            "percentile": f"p{rule.percentile:g}",
            "f1_max": "f1",
        }[rule.method]
        return f"ae_{self.modality}_{suffix}"


class AutoencoderConfig(PaintedConfig):
    """One autoencoder training."""

    model: Literal["autoencoder"]
