"""``configs/demo_vlg.yaml`` as a type; unknown keys are refused."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from inspection.config import Config, Fraction, Positive
from training.data.examples import ExampleAugmentation
from training.loop.config import LoopConfig, TrainingFile


class VlgNetwork(Config):
    """A small GroundingDINO.

    Parameters
    ----------
    short_side, long_side : pictures are scaled until their shorter side is ``short_side`` or their
        longer one ``long_side``, whichever is smaller; the station does the same
    patch : pixels a side of the finest feature
    embed_dim : channels of the backbone's first stage; each later one has twice as many
    depths, heads : of the backbone's stages, each of which the detector looks at
    window : of the backbone's attention, in features
    mlp_ratio : widening inside a block of the backbone
    width : channels of everything behind the backbone
    feedforward : channels inside a layer of encoder and decoder
    attention_heads : of encoder, decoder and text encoder
    points : that encoder and decoder look at for each head and stage
    queries : boxes that are proposed for a picture
    text_layers : of the text encoder
    max_tokens : of a caption; a phrase of the longest allowed length has to fit
    """

    short_side: int = Field(default=192, ge=64)
    long_side: int = Field(default=416, ge=64)
    patch: Literal[2, 4] = 4
    embed_dim: int = Field(default=48, ge=8)
    depths: tuple[int, ...] = Field(default=(2, 2, 2), min_length=2, max_length=4)
    heads: tuple[int, ...] = Field(default=(2, 4, 8), min_length=2, max_length=4)
    window: int = Field(default=7, ge=2)
    mlp_ratio: Positive = 2.0
    width: int = Field(default=128, ge=32, multiple_of=32)
    feedforward: int = Field(default=256, ge=32)
    attention_heads: int = Field(default=4, ge=2)
    encoder_layers: int = Field(default=1, ge=1)
    decoder_layers: int = Field(default=2, ge=1)
    points: tuple[int, int] = (2, 4)
    queries: int = Field(default=20, ge=4, le=900)
    text_layers: int = Field(default=2, ge=1)
    max_tokens: int = Field(default=64, ge=63, le=256)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.depths) != len(self.heads):
            raise ValueError("depths and heads differ in length")
        if self.short_side > self.long_side:
            raise ValueError("short_side is above long_side")
        return self


class CaptionConfig(Config):
    """What a training picture is asked for, as shares of the pictures; the rest is the product's.

    Parameters
    ----------
    parts : some of the product's phrases, in any order
    lacking : all but those of the defects that are there
    foreign : phrases of the other modality among the product's
    """

    parts: Fraction = 0.15
    lacking: Fraction = 0.1
    foreign: Fraction = 0.1

    @model_validator(mode="after")
    def _sum(self) -> Self:
        if self.parts + self.lacking + self.foreign > 1:
            raise ValueError("parts, lacking and foreign are over 1 together")
        return self


class VlgLossConfig(Config):
    """Weights of the loss terms.

    Parameters
    ----------
    dense : of every place's own proposal, beside the decoder's boxes
    classes, boxes : which token, and where
    worth : how sure a box of the decoder may be that misses its defect; the more it overlaps it,
        the surer
    once : the decoder's last layer may find a defect once only
    focus : exponent by which what is nearly right already counts less
    """

    dense: Positive = 1.0
    classes: Positive = 2.0
    boxes: Positive = 0.5
    worth: Fraction = 0.2
    once: bool = False
    focus: float = Field(default=2.0, ge=0.0)


class VlgWarmup(Config):
    """First epochs on parts of pictures: several times cheaper each, and they teach the backbone.

    Parameters
    ----------
    epochs : of those in all
    crop : (width, height) in pixels as the network sees them
    samples, batch_size : of such an epoch
    """

    epochs: int = Field(default=0, ge=0)
    crop: tuple[int, int] = (96, 128)
    samples: int = Field(default=4000, ge=2)
    batch_size: int = Field(default=16, ge=2)


class VlgTraining(LoopConfig):
    """The VLG's training.

    Parameters
    ----------
    matrix_learning_rate : of the matrices that Muon takes; its steps are of another kind
    samples : pictures of an epoch
    defect_share : share of them that show a defect
    rgb_share : share of them that are colour pictures
    max_pixels : a larger picture is kept reduced to about so many
    warmup : on parts of pictures
    judged_normals : normal validation pictures that an epoch is judged by, beside all with defects
    false_boxes : per normal picture; of epochs above it the one with fewer is better
    """

    batch_size: int = Field(default=8, ge=2)
    optimiser: Literal["adam", "adamw", "muon"] = "muon"
    learning_rate: Positive = 6e-4
    matrix_learning_rate: Positive = 0.01
    schedule: Literal["constant", "one_cycle"] = "one_cycle"
    gradient_clip: Positive | None = 1.0
    samples: int = Field(default=1200, ge=2)
    defect_share: Fraction = 0.6
    rgb_share: Fraction = 0.35
    max_pixels: int = Field(default=160_000, ge=4096)
    warmup: VlgWarmup = VlgWarmup()
    judged_normals: int = Field(default=200, ge=1)
    false_boxes: Positive = 0.2


class DemoVlgConfig(TrainingFile):
    """One training of a small GroundingDINO; ``name`` is the installed model's."""

    model: Literal["vlg"]
    name: str = Field(min_length=1)
    demo: bool = False
    network: VlgNetwork = VlgNetwork()
    augmentation: ExampleAugmentation = ExampleAugmentation()
    captions: CaptionConfig = CaptionConfig()
    loss: VlgLossConfig = VlgLossConfig()
    training: VlgTraining = VlgTraining()

    @property
    def run_name(self) -> str:
        """Name such as ``vlg_w128_lr8e-04``."""
        return f"vlg_w{self.network.width}_lr{self.training.learning_rate:.0e}"
