"""The `transformers` backend: a Grounding DINO folder as Hugging Face lays it out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from inspection.modelstore.vlg_folder import VlgFolder
from inspection.systems.memory import is_out_of_memory

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

BUFFERS = ("position_ids", "relative_position_index")
"""Ends of the names of what older versions stored with the weights; counted anew now."""


class TransformersModel:
    """A loaded model in the code of transformers.

    Parameters
    ----------
    folder : what to load; safetensors only, and no network
    device : ``cpu`` or ``cuda``

    Raises
    ------
    BundleError
        If the folder cannot be loaded as its configuration says, or weights are missing or
        unknown.
    """

    def __init__(self, folder: VlgFolder, device: str) -> None:
        processor, model = _load(folder)
        self.tokenizer = processor.tokenizer
        self.mean = tuple(float(v) for v in processor.image_processor.image_mean)
        self.std = tuple(float(v) for v in processor.image_processor.image_std)
        self.queries = int(model.config.num_queries)
        self.max_tokens = int(model.config.max_text_len)
        self.network = model.to(device).eval()

    def move(self, device: str) -> None:
        """Move the model to another device."""
        self.network = self.network.to(device)

    def answer(self, image: torch.Tensor, caption: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (Q, T) and boxes (Q, 4) for an image (1, 3, H, W) on the device."""
        words = self.tokenizer(caption, return_tensors="pt").to(image.device)
        answer = self.network(pixel_values=image, **words)
        return answer.logits[0], answer.pred_boxes[0]


def _load(folder: VlgFolder) -> tuple[Any, Any]:
    import torch
    import transformers

    # A windowed program has no stderr to draw a bar on.
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        processor = transformers.GroundingDinoProcessor.from_pretrained(
            folder.path, use_fast=True, **local
        )
        model, info = transformers.GroundingDinoForObjectDetection.from_pretrained(
            folder.path,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            **local,
        )
    except Exception as error:
        # The libraries raise whatever a malformed file makes them stumble over.
        if is_out_of_memory(error) or isinstance(error, ImportError):
            raise
        log.warning("%s cannot be loaded", folder.path, exc_info=error)
        raise folder.not_loaded(f"{type(error).__name__}: {error}") from error
    # What is missing would be filled with random numbers.
    missing = sorted(info["missing_keys"])
    if missing:
        raise folder.not_loaded(f"{len(missing)} weights are missing, such as {missing[0]}")
    unknown = sorted(name for name in info["unexpected_keys"] if not name.endswith(BUFFERS))
    if unknown:
        raise folder.not_loaded(f"{len(unknown)} weights are unknown, such as {unknown[0]}")
    return processor, model
