"""A VLM's folder as Hugging Face lays it out: which family it is, and the memory it needs.

Reads JSON and the headers of safetensors files only; imports no torch, so that a model that does
not fit is refused before anything is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from inspection.errors import BundleError
from inspection.modelstore.files import PREPROCESSING_NAME, number, read_json, section
from inspection.modelstore.weights import StoredTensor, misfit, read_header

GB = 1 << 30
CONFIG_NAME = "config.json"
ANY_PIXELS = (1, 1 << 31)
_FLOATS = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"}


BoxScale = Literal["token_thousandths", "input_pixels", "json_thousandths"]
"""How a family writes boxes. The two kinds of thousandths are converted alike, in any form."""


@dataclass(frozen=True, slots=True)
class Family:
    """One architecture.

    Parameters
    ----------
    model, processor : names of the transformers classes
    scale : how it writes boxes
    """

    model: str
    processor: str
    scale: BoxScale


FAMILIES = {
    "qwen2_vl": Family("Qwen2VLForConditionalGeneration", "Qwen2VLProcessor", "token_thousandths"),
    "qwen2_5_vl": Family(
        "Qwen2_5_VLForConditionalGeneration", "Qwen2_5_VLProcessor", "input_pixels"
    ),
    "qwen3_vl": Family("Qwen3VLForConditionalGeneration", "Qwen3VLProcessor", "json_thousandths"),
    "qwen3_vl_moe": Family(
        "Qwen3VLMoeForConditionalGeneration", "Qwen3VLProcessor", "json_thousandths"
    ),
}


@dataclass(frozen=True, slots=True)
class VlmFolder:
    """A model folder that can be loaded.

    Parameters
    ----------
    path : the folder
    family : its architecture
    parameters : how many numbers its weights hold
    config : content of ``config.json``
    trained_pixels : the fewest and the most that an image had when the weights were trained
    """

    path: Path
    family: Family
    parameters: int
    config: dict[str, Any]
    trained_pixels: tuple[int, int] = ANY_PIXELS

    def not_loaded(self, problem: str) -> BundleError:
        """Return the error that says why the folder cannot be loaded, in one line."""
        first = next(iter(problem.strip().splitlines()), "-")[:200]
        return BundleError("vlm_not_loaded", folder=self.path.name, problem=first)

    def bytes_needed(self, width: int, *, max_pixels: int, max_new_tokens: int) -> int:
        """Estimate the memory for weights, attention cache and one pass over an image.

        Parameters
        ----------
        width : bytes of a number, 2 for bfloat16, 4 for single precision
        max_pixels : of the image as the model sees it
        max_new_tokens : length of an answer
        """
        text = self.config.get("text_config") or self.config
        vision = self.config.get("vision_config") or {}
        patch = number(vision, "patch_size", 14)
        patches = max_pixels // patch**2
        # 4 patches make a token; the prompt has under 600 tokens in either language.
        tokens = patches // 4 + 600 + max_new_tokens
        hidden, heads = number(text, "hidden_size", 4096), number(text, "num_attention_heads", 32)
        head = number(text, "head_dim", hidden // heads)
        cache = 2 * number(text, "num_hidden_layers", 32) * tokens * head
        cache *= number(text, "num_key_value_heads", heads)
        # Of one layer at a time: the hidden states with their copies, and the MLP's three.
        layer = tokens * (8 * hidden + 3 * number(text, "intermediate_size", 4 * hidden))
        deep = number(vision, "embed_dim", number(vision, "hidden_size", 1280))
        sight = patches * deep * 24
        weights = self.parameters * width
        return weights + (cache + max(layer, sight)) * width + weights // 20 + GB // 4


def read_vlm_folder(folder: Path) -> VlmFolder:
    """Read what a model folder holds, without its weights.

    Raises
    ------
    BundleError
        If a file is missing or cannot be read, the weights have not the sizes that the
        configuration tells, or the model is of a kind that is not supported.
    """
    config = read_json(folder, CONFIG_NAME)
    model_type = str(config.get("model_type"))
    family = FAMILIES.get(model_type)
    if family is None:
        raise BundleError("vlm_family_unknown", folder=folder.name, family=model_type)
    if config.get("quantization_config") is not None:
        raise BundleError("vlm_quantised", folder=folder.name)
    preprocessing = read_json(folder, PREPROCESSING_NAME)
    read_json(folder, "tokenizer_config.json")
    size = section(preprocessing, "size")
    # As the image processors do: of the range's two spellings, the older one counts.
    fewest = number(preprocessing, "min_pixels", number(size, "shortest_edge", ANY_PIXELS[0]))
    most = number(preprocessing, "max_pixels", number(size, "longest_edge", ANY_PIXELS[1]))
    pixels = min(fewest, most), most
    tensors = _read_headers(folder)
    found = VlmFolder(folder, family, _count_parameters(tensors), config, pixels)
    text, vision = config.get("text_config") or config, section(config, "vision_config")
    problem = misfit(
        tensors,
        {"embed_tokens.weight": (text.get("vocab_size"), text.get("hidden_size"))},
        {
            r"\blayers\.(\d+)\.": text.get("num_hidden_layers"),
            r"\bblocks\.(\d+)\.": vision.get("depth"),
        },
    )
    if problem is not None:
        raise found.not_loaded(problem)
    return found


def _read_headers(folder: Path) -> dict[str, StoredTensor]:
    """Return what the files of weights hold, by their headers."""
    names = ["model.safetensors"]
    index = "model.safetensors.index.json"
    if (folder / index).is_file():
        places = section(read_json(folder, index), "weight_map")
        names = sorted({str(name) for name in places.values()})
        if not names or any(Path(name).name != name for name in names):
            raise BundleError("bundle_unreadable", folder=folder.name, file=index)
    tensors: dict[str, StoredTensor] = {}
    for name in names:
        try:
            tensors |= read_header(folder / name)
        except FileNotFoundError as error:
            raise BundleError("bundle_file_missing", folder=folder.name, file=name) from error
        except (OSError, ValueError) as error:
            raise BundleError("bundle_unreadable", folder=folder.name, file=name) from error
    return tensors


def _count_parameters(tensors: Mapping[str, StoredTensor]) -> int:
    return sum(math.prod(t.shape) for t in tensors.values() if t.dtype in _FLOATS)
