"""``configs/demo_vlm.yaml``: a small VLM of Qwen2-VL's architecture, trained from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from inspection.config import Config, Fraction, Positive
from training.data.examples import ExampleAugmentation
from training.loop.config import MuonLoopConfig, TrainingFile

PATCH = 14
MERGE = 2
"""Side of a patch in pixels, and of a visual token in patches; Qwen2-VL's."""


class VisionTower(Config):
    """The image encoder.

    Parameters
    ----------
    width : of a patch's vector
    """

    width: int = Field(ge=32)
    depth: int = Field(ge=1)
    heads: int = Field(ge=1)


class Decoder(Config):
    """The language model.

    Parameters
    ----------
    width : of a token's vector
    intermediate : width inside its layers
    looked_at : layer, counted from 1, after which the visual tokens are taught where they are
    """

    width: int = Field(ge=32)
    depth: int = Field(ge=1)
    heads: int = Field(ge=1)
    key_value_heads: int = Field(ge=1)
    intermediate: int = Field(ge=32)
    looked_at: int = Field(ge=1)


class VlmArchitecture(Config):
    """Sizes of the network.

    Parameters
    ----------
    vocabulary : entries of the tokenizer at most
    min_pixels, max_pixels : of a picture as the network sees it; stored with the model
    """

    vision: VisionTower
    text: Decoder
    vocabulary: int = Field(default=4096, ge=1500)
    min_pixels: int = Field(ge=(PATCH * MERGE * 4) ** 2)
    max_pixels: int

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        vision, text = self.vision, self.text
        if vision.width % (4 * vision.heads) or text.width % (16 * text.heads):
            raise ValueError("a width does not divide into its heads")
        if text.heads % text.key_value_heads:
            raise ValueError("heads must be a multiple of key_value_heads")
        if text.looked_at > text.depth:
            raise ValueError("looked_at is beyond the last layer")
        if self.min_pixels > self.max_pixels:
            raise ValueError("min_pixels exceeds max_pixels")
        return self


class VlmLossConfig(Config):
    """Weights of the loss terms.

    Parameters
    ----------
    verdict : of the tokens that say judgement and defect type
    coordinates : of a box's numbers
    words : of every other token
    dense : of what the visual tokens say of themselves: kind of defect, its box, their place
    measured : of a box's sides as the decoder knows them just before it writes them
    spread : a coordinate's neighbours count as nearly right; standard deviation in steps
    """

    verdict: Positive = 3.0
    coordinates: Positive = 1.0
    words: Positive = 0.3
    dense: Positive = 1.0
    measured: Positive = 1.0
    spread: Positive = 1.0


class SightWarmup(Config):
    """The epochs after: the vision tower alone, on cut-outs. They are several times cheaper.

    Parameters
    ----------
    steps : of such an epoch
    side : of a cut-out, pixels; where a picture is smaller, all of it
    """

    epochs: int = Field(default=0, ge=0)
    steps: int = Field(default=200, ge=1)
    batch_size: int = Field(default=32, ge=2)
    side: int = Field(default=5 * PATCH * MERGE, ge=2 * PATCH * MERGE)


class Imagination(Config):
    """The very first epochs: the decoder alone, on visual tokens that no picture has made.

    Parameters
    ----------
    steps : of such an epoch
    judged : imagined pictures that an epoch is judged on
    """

    epochs: int = Field(default=0, ge=0)
    steps: int = Field(default=200, ge=1)
    batch_size: int = Field(default=32, ge=2)
    judged: int = Field(default=320, ge=2)


class VlmTraining(MuonLoopConfig):
    """The training.

    Parameters
    ----------
    steps : of an epoch
    defect_share : share of pictures with a defect in a batch; they are rare in a lot
    ct_share : share of CT slices among either
    prior : share of pictures with a defect that the judgement is taught for, by weighing the
        batch; None takes that of the batch, after which too many good parts are called defective
    tower : whether the vision tower learns on with the decoder, its last layer apart, which does
        in any case; without it a step is half again as fast
    tower_from : model folder to take the vision tower from
    judged : validation pictures that an epoch is judged on, half of them with a defect
    """

    steps: int = Field(default=200, ge=1)
    defect_share: Fraction = 0.6
    ct_share: Fraction = 0.6
    prior: Fraction | None = None
    tower: bool = True
    tower_from: Path | None = None
    judged: int = Field(default=320, ge=2)

    @model_validator(mode="after")
    def _can_be_weighed(self) -> Self:
        if self.prior is not None and not 0 < self.defect_share < 1:
            raise ValueError("prior asks for a defect_share between 0 and 1")
        return self


class DemoVlmConfig(TrainingFile):
    """The whole file; ``name`` is the model's."""

    model: Literal["vlm"]
    name: str = Field(min_length=1)
    demo: bool = False
    architecture: VlmArchitecture
    augmentation: ExampleAugmentation = ExampleAugmentation()
    loss: VlmLossConfig = VlmLossConfig()
    imagined: Imagination = Imagination()
    warmup: SightWarmup = SightWarmup()
    training: VlmTraining = VlmTraining()

    @property
    def run_name(self) -> str:
        """Name such as ``vlm_v192x6_t256x5``."""
        vision, text = self.architecture.vision, self.architecture.text
        return f"vlm_v{vision.width}x{vision.depth}_t{text.width}x{text.depth}"
