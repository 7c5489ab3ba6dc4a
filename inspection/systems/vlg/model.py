"""System 3's predictor: an image and phrases in, boxes out. Two backends, one way of reading them.

Loads from local folders only: no network, and no code from them. The same image is prepared for
both backends here, and what they answer is read by the same code, so that the same weights give
the same boxes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from inspection.errors import BundleError, ImageError
from inspection.images.preprocess import ImageData
from inspection.modelstore.vlg_folder import VlgFolder
from inspection.records import Rect
from inspection.systems.vlg.boxes import (
    Detection,
    Raw,
    caption_of,
    detect,
    spans_of,
)
from inspection.systems.vlg.config import VlgLimits

if TYPE_CHECKING:
    import torch

TRIAL_SIDE = 320
"""Of the pictures that a model is tried on, in pixels: room for 900 boxes, and little more."""
STRIDES = (8, 16, 32, 64)
"""Of the feature maps that the detector looks at."""


Caption = tuple[str, dict[str, list[int]]]
"""A caption, and the tokens of its phrases."""


class _Tokenizer(Protocol):
    """What is needed of a BERT tokenizer."""

    def __call__(
        self, text: str, *, return_offsets_mapping: bool
    ) -> Mapping[str, Sequence[tuple[int, int]]]:
        """Return the tokens of a caption, and where each stands in it."""


class _Model(Protocol):
    """A loaded backend.

    Parameters
    ----------
    mean, std : of the image's channels, in 0 to 1
    queries : boxes that it proposes
    max_tokens : of a caption, with the two that frame it
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    queries: int
    max_tokens: int
    tokenizer: _Tokenizer

    def move(self, device: str) -> None:
        """Move the model to another device."""

    def answer(self, image: torch.Tensor, caption: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (Q, T) and boxes (Q, 4) for an image (1, 3, H, W) on the device."""


class VlgPredictor:
    """One loaded model. Used by one thread.

    Parameters
    ----------
    folder : what to load
    bert : folder of the text encoder; the `transformers` backend has its own
    device : ``cpu`` or ``cuda``; single precision on both

    Raises
    ------
    BundleError
        If the folder cannot be loaded, or weights are missing or unknown.
    """

    def __init__(self, folder: VlgFolder, bert: Path | None, device: str) -> None:
        self.folder = folder
        self.device = device
        self.backend: _Model
        if folder.backend == "transformers":
            from inspection.systems.vlg.transformers import TransformersModel

            self.backend = TransformersModel(folder, device)
        elif bert is None:
            raise ValueError("the makers' layout needs a text encoder beside it")
        else:
            from inspection.systems.vlg.original import OriginalModel

            self.backend = OriginalModel(folder, bert, device)
        self._captions: dict[tuple[str, ...], list[Caption]] = {}

    def move_to_cpu(self) -> None:
        """Move the model off the GPU."""
        self.backend.move("cpu")
        self.device = "cpu"

    def detect(
        self,
        image: ImageData,
        phrases: Sequence[str],
        defect_types: Mapping[str, str],
        limits: VlgLimits,
        *,
        cancel: threading.Event,
    ) -> list[Detection]:
        """Return the boxes that count, surest first, in source pixels.

        Parameters
        ----------
        image : grey or RGB
        phrases : what to look for; more than fit into one caption are looked for in several passes
        defect_types : by phrase; a box of a phrase without one is dropped
        limits : size of the input, thresholds, overlap and count
        cancel : set it to stop before the next pass; what is returned then is not whole

        Raises
        ------
        ImageError
            If the image is too narrow for the model, or the model's answer is no number.
        """
        answers = self.raw(image, phrases, limits, cancel=cancel)
        return detect(answers, defect_types, limits, region=image.roi)

    def raw(
        self,
        image: ImageData,
        phrases: Sequence[str],
        limits: VlgLimits,
        *,
        cancel: threading.Event,
    ) -> list[Raw]:
        """Return what the model says before any threshold, one answer a caption."""
        import torch

        prepared = self.prepare(image.pixels, limits)
        answers: list[Raw] = []
        with torch.inference_mode():
            for caption, spans in self.captions_of(tuple(phrases)):
                if cancel.is_set():
                    break
                logits, boxes = self.backend.answer(prepared, caption)
                probabilities = logits.float().sigmoid().cpu().numpy()
                # Boxes that are no numbers would read as nothing found.
                if not np.isfinite(probabilities).all() or not boxes.isfinite().all():
                    raise ImageError("vlg_answer_no_number")
                answers.append(Raw(probabilities, boxes.float().cpu().numpy(), spans))
        return answers

    def check(self, phrases: Sequence[str], limits: VlgLimits) -> None:
        """Refuse a model that says the same of any picture, or nothing that is a number.

        Asked once after loading, on small pictures: a part of a second beside the loading.

        Raises
        ------
        BundleError
            Says which of the two it is.
        """
        side = min(TRIAL_SIDE, limits.short_side)
        small = limits.model_copy(update={"short_side": side, "long_side": side})
        noise = np.random.default_rng(20261127).integers(0, 256, (side, side))
        said: list[NDArray[np.float32]] = []
        for pixels in (np.full_like(noise, 40), noise):
            image = ImageData(pixels.astype(np.uint8), Rect(0, 0, side, side), (side, side))
            try:
                (answer, *_) = self.raw(image, phrases, small, cancel=threading.Event())
            except ImageError as error:
                raise self.folder.not_loaded(str(error)) from error
            said.append(answer.probabilities)
        if np.array_equal(said[0], said[1]):
            raise BundleError("model_answers_alike", folder=self.folder.path.name)

    def prepare(self, pixels: NDArray[np.uint8], limits: VlgLimits) -> torch.Tensor:
        """Scale as the weights were trained: aspect kept, smooth, then normalised per channel."""
        import torch

        width, height = scaled_size((pixels.shape[1], pixels.shape[0]), limits)
        places = sum(-(-width // stride) * -(-height // stride) for stride in STRIDES)
        if places < self.backend.queries:
            # Each box proposes itself at a place of its own.
            raise ImageError("vlg_image_too_narrow", width=width, height=height)
        colour = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
        image = torch.from_numpy(np.ascontiguousarray(colour)).permute(2, 0, 1)[None]
        if image.shape[-2:] != (height, width):
            image = torch.nn.functional.interpolate(
                image, size=(height, width), mode="bilinear", antialias=True
            )
        mean = torch.tensor(self.backend.mean).view(1, 3, 1, 1)
        std = torch.tensor(self.backend.std).view(1, 3, 1, 1)
        return ((image.float() / 255 - mean) / std).to(self.device)  # (1, 3, H, W)

    def captions_of(self, phrases: tuple[str, ...]) -> list[Caption]:
        """Return as few captions as hold all phrases, each with the tokens of its phrases."""
        if phrases not in self._captions:
            groups: list[list[str]] = []
            limit = self.backend.max_tokens
            for phrase in phrases:
                if groups and len(self._offsets([*groups[-1], phrase])) <= limit:
                    groups[-1].append(phrase)
                else:
                    groups.append([phrase])
            self._captions[phrases] = [
                (caption_of(group), spans_of(group, self._offsets(group))) for group in groups
            ]
        return self._captions[phrases]

    def _offsets(self, phrases: Sequence[str]) -> Sequence[tuple[int, int]]:
        tokens = self.backend.tokenizer(caption_of(phrases), return_offsets_mapping=True)
        return tokens["offset_mapping"]


def scaled_size(size: tuple[int, int], limits: VlgLimits) -> tuple[int, int]:
    """Return (width, height) of an image as the model sees it."""
    shorter, longer = sorted(size)
    scale = min(limits.short_side / shorter, limits.long_side / longer)
    width, height = (max(1, round(side * scale)) for side in size)
    return width, height
