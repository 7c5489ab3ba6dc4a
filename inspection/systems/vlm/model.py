"""System 2's predictor: an image and a prompt in, the text that a Qwen VLM writes out.

Loads from a local folder only: no network, no code and no pickles from it. Decoding is greedy, so
that the same image gets the same answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.modelstore.vlm_folder import VlmFolder
from inspection.systems.pretrained import load_pretrained
from inspection.systems.vlm.config import VlmLimits

if TYPE_CHECKING:
    import torch

OnText = Callable[[str], None]
"""Given the whole text so far, each time it has grown."""

MAX_ASPECT = 200
"""The processors refuse an image that is longer than this many times its width."""
_HALF_A_CHARACTER = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Written:
    """What a VLM wrote on one image.

    Parameters
    ----------
    text : special tokens included, the end mark left out
    input_size : (width, height) of the image as the model saw it
    tokens : how many were written
    finished : False where a limit or a cancel ended the answer
    """

    text: str
    input_size: tuple[int, int]
    tokens: int
    finished: bool


class VlmPredictor:
    """One loaded model. Used by one thread.

    Parameters
    ----------
    folder : what to load
    device : ``cpu`` (single precision) or ``cuda`` (bfloat16)

    Raises
    ------
    BundleError
        If the folder cannot be loaded as its configuration says, or weights are missing.
    """

    def __init__(self, folder: VlmFolder, device: str) -> None:
        self.folder = folder
        self.device = device
        import torch
        from transformers import GenerationConfig

        dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
        family = folder.family
        self.processor, model, _ = load_pretrained(
            folder.path, family.processor, family.model, dtype, folder.not_loaded
        )
        self.model = model.to(device).eval()
        published = model.generation_config.eos_token_id
        ends = published if isinstance(published, list) else [published]
        ends = [*ends, self.processor.tokenizer.eos_token_id]
        self._ends = frozenset(int(token) for token in ends if token is not None)
        # Always the likeliest token, where a folder asks for a draw.
        self.model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
            do_sample=False,
            num_beams=1,
            eos_token_id=sorted(self._ends),
            pad_token_id=self.processor.tokenizer.pad_token_id,
        )
        self.patch = int(self.processor.image_processor.patch_size)

    def move_to_cpu(self) -> None:
        """Move the model off the GPU, in single precision from now on."""
        self.model = self.model.to("cpu").float()
        self.device = "cpu"

    def answer(
        self,
        pixels: NDArray[np.uint8],
        prompt: str,
        limits: VlmLimits,
        *,
        cancel: threading.Event,
        on_text: OnText,
    ) -> Written:
        """Let the model write on an image.

        Parameters
        ----------
        pixels : (h, w) grey or (h, w, 3) RGB
        prompt : what is asked
        limits : on pixels, tokens and time
        cancel : set it to stop before the next token
        on_text : given the whole text so far
        """
        import torch

        until = time.monotonic() + limits.answer_seconds
        inputs = self.prepare(pixels, prompt, limits)
        _, rows, columns = (int(n) for n in inputs["image_grid_thw"][0])
        prompt_length = int(inputs["input_ids"].shape[1])
        watch = self._watch(prompt_length, until, cancel, on_text)
        with torch.inference_mode():
            written = self.model.generate(
                **inputs,
                max_new_tokens=limits.max_new_tokens,
                stopping_criteria=watch,
            )
        ids: list[int] = written[0, prompt_length:].tolist()
        return Written(
            text=self._text(ids),
            input_size=(columns * self.patch, rows * self.patch),
            tokens=len(ids),
            finished=bool(ids) and ids[-1] in self._ends,
        )

    def prepare(
        self, pixels: NDArray[np.uint8], prompt: str, limits: VlmLimits
    ) -> dict[str, torch.Tensor]:
        """Return the model's inputs for one image and what is asked of it, on the device."""
        colour = pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        text = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        inputs = self.processor(
            text=[text],
            images=[colour],
            input_data_format="channels_last",
            min_pixels=limits.min_pixels,
            max_pixels=limits.max_pixels,
            return_tensors="pt",
        )
        # The model casts the pixels to its own type.
        return {name: tensor.to(self.device) for name, tensor in inputs.items()}

    def _text(self, ids: list[int]) -> str:
        text: str = self.processor.tokenizer.decode(
            [token for token in ids if token not in self._ends],
            # The tokens around boxes are special ones, and wanted.
            skip_special_tokens=False,
            clean_up_tokenization_spaces=False,
        )
        # A character may take several tokens; half of one at the end is not shown.
        return text.rstrip(_HALF_A_CHARACTER)

    def _watch(
        self, prompt_length: int, until: float, cancel: threading.Event, on_text: OnText
    ) -> Any:
        from transformers import StoppingCriteria, StoppingCriteriaList

        predictor = self
        shown = ""

        class _Watch(StoppingCriteria):
            """Called after every token: hands over the text, and stops on cancel or time."""

            def __call__(
                self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any
            ) -> torch.Tensor:
                import torch

                nonlocal shown
                text = predictor._text(input_ids[0, prompt_length:].tolist())
                if len(text) > len(shown):
                    shown = text
                    on_text(text)
                stop = cancel.is_set() or time.monotonic() > until
                return torch.full((1,), stop, dtype=torch.bool, device=input_ids.device)

        return StoppingCriteriaList([_Watch()])
