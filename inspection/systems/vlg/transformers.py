"""The `transformers` backend: a Grounding DINO folder as Hugging Face lays it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspection.modelstore.vlg_folder import VlgFolder
from inspection.systems.pretrained import load_pretrained

if TYPE_CHECKING:
    import torch

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
        import torch

        processor, model, unexpected = load_pretrained(
            folder.path,
            "GroundingDinoProcessor",
            "GroundingDinoForObjectDetection",
            torch.float32,
            folder.not_loaded,
        )
        unknown = [name for name in unexpected if not name.endswith(BUFFERS)]
        if unknown:
            raise folder.not_loaded(f"{len(unknown)} weights are unknown, such as {unknown[0]}")
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
