"""A small network of Qwen2-VL's architecture, what teaches it to see, and its folder on disk.

A vision transformer learns slowly from a handful of words per picture. So while it is trained, its
visual tokens also say what they show: the kind of a defect that they lie on, and where its sides
are. That is asked of the vision tower, in relation to the token itself, for it knows no more (see
`vlm_sight`); and of a middle layer of the decoder in relation to the picture's corner, from which
it sees each token stand. How large the picture is only the words can know, which come after the
last visual token: they are asked for the sides in shares of it, a layer before they write them.
The heads that answer are not part of the model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from inspection.atomic import write_atomic
from inspection.errors import ConfigError
from inspection.modelstore.installed import MODEL_NAME
from training.vlm.config import MERGE, PATCH, VlmArchitecture
from training.vlm.sight import KINDS, SIDES

if TYPE_CHECKING:
    from transformers import Qwen2TokenizerFast, Qwen2VLForConditionalGeneration

ROPE_BASE = 7.0
"""Of the decoder's rotary positions. The slowest rotations are those for the width: with the
published base, made for 32,768 tokens, a step to the right would turn nothing."""
SHORTEST_WAVE, LONGEST_WAVE, WAVES = 0.03, 4.0, 24
"""Lengths of the waves that numbers are told apart by, as shares of their range."""
NOISE = 1e-3
"""Variance that is taken for noise, and not made stronger."""
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""Of a channel; Qwen2-VL's, which are CLIP's."""


def build_network(
    sizes: VlmArchitecture, tokenizer: Qwen2TokenizerFast
) -> Qwen2VLForConditionalGeneration:
    """Return a network with random weights from torch's generator."""
    from transformers import GenerationConfig, Qwen2VLConfig, Qwen2VLForConditionalGeneration

    vision, text = sizes.vision, sizes.text
    pairs = text.width // text.heads // 2
    # A quarter of the rotations for time, the rest for height and width, as published.
    of_time = pairs // 4
    of_height = (pairs - of_time) // 2
    config = Qwen2VLConfig(  # type: ignore[no-untyped-call]
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": text.width,
            "intermediate_size": text.intermediate,
            "num_hidden_layers": text.depth,
            "num_attention_heads": text.heads,
            "num_key_value_heads": text.key_value_heads,
            "max_position_embeddings": 4096,
            "rope_theta": ROPE_BASE,
            "rope_scaling": {
                "type": "mrope",
                "mrope_section": [of_time, of_height, pairs - of_time - of_height],
            },
            "bos_token_id": None,
            "tie_word_embeddings": False,
        },
        vision_config={
            "depth": vision.depth,
            "embed_dim": vision.width,
            "num_heads": vision.heads,
            "hidden_size": text.width,
            "mlp_ratio": 4,
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": 2,
        },
        tie_word_embeddings=False,
        **{
            name: tokenizer.convert_tokens_to_ids(token)
            for name, token in (
                ("image_token_id", "<|image_pad|>"),
                ("video_token_id", "<|video_pad|>"),
                ("vision_start_token_id", "<|vision_start|>"),
                ("vision_end_token_id", "<|vision_end|>"),
            )
        },
    )
    network = Qwen2VLForConditionalGeneration(config)  # type: ignore[no-untyped-call]
    # For pictures of a few hundred patches plain attention is the fastest on a CPU.
    network.model.visual.set_attn_implementation("eager")
    network.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        eos_token_id=tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"]),
        pad_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
    )
    return network


@torch.no_grad()
def whiten(network: Qwen2VLForConditionalGeneration, patches: Iterable[Tensor]) -> None:
    """Let the first layer start from the directions in which patches vary, all equally strong.

    Random filters see little but brightness, which varies most; a pore is in what varies least.

    Parameters
    ----------
    patches : (n, 1176) each, as the image processor gives them
    """
    weight = network.model.visual.patch_embed.proj.weight  # (width, 3, 2, 14, 14)
    length = weight[0, :, 0].numel()
    total, products, count = torch.zeros(length), torch.zeros(length, length), 0
    for part in patches:
        # A still picture is given as two frames, which are the same.
        seen = part.view(-1, *weight.shape[1:])[:, :, 0].flatten(1)
        total += seen.sum(dim=0)
        products += seen.T @ seen
        count += len(seen)
    mean = total / count
    variances, directions = torch.linalg.eigh(products / count - torch.outer(mean, mean))
    strongest = slice(-min(len(weight), length), None)
    filters = directions[:, strongest] / (variances[strongest].clamp(min=0) + NOISE).sqrt()
    frames = filters.T.reshape(-1, 3, 1, PATCH, PATCH).expand(-1, -1, 2, -1, -1)
    # Both frames add up; what comes out varies by a half, near what the next layer expects.
    weight[: len(frames)] = frames / 4


@torch.no_grad()
def order_numbers(network: Qwen2VLForConditionalGeneration, numbers: Sequence[int]) -> None:
    """Let the last layer start with neighbouring numbers alike, by waves from long to short.

    Parameters
    ----------
    numbers : their tokens, in their order
    """
    weight = network.lm_head.weight
    place = torch.linspace(0, 1, len(numbers))[:, None]
    lengths = torch.logspace(math.log10(SHORTEST_WAVE), math.log10(LONGEST_WAVE), WAVES)
    angles = 2 * math.pi * place / lengths
    waves = torch.cat([angles.cos(), angles.sin()], dim=1)
    rows = waves @ torch.randn(waves.shape[1], weight.shape[1])
    # As strong as the rows of other tokens.
    weight[list(numbers)] = rows * (weight.std() / rows.std())


def load_folder(
    network: Qwen2VLForConditionalGeneration,
    tokenizer: Qwen2TokenizerFast,
    folder: Path,
    *,
    tower_only: bool = False,
) -> None:
    """Take the weights of a model folder of the same sizes, and of the same tokens.

    Parameters
    ----------
    tower_only : take the vision tower alone, which fits other tokens too

    Raises
    ------
    ConfigError
        If it cannot be read, or is of another kind.
    """
    from tokenizers import Tokenizer
    from transformers import Qwen2VLForConditionalGeneration

    try:
        before, info = Qwen2VLForConditionalGeneration.from_pretrained(
            folder,
            use_safetensors=True,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
        if info["missing_keys"]:
            raise ValueError("weights are missing")
        if tower_only:
            network.model.visual.load_state_dict(before.model.visual.state_dict())
            return
        known = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
        if known != tokenizer.get_vocab():
            raise ValueError("other tokens")
        network.load_state_dict(before.state_dict())
    except Exception as error:
        # The libraries raise whatever a malformed file makes them stumble over.
        raise ConfigError("init_unusable", folder=str(folder)) from error


class PlaceHead(nn.Module):
    """What visual tokens say within the decoder: the kind of a defect, its place, and their own.

    Parameters
    ----------
    width : of a token's vector
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self._norm = nn.LayerNorm(width)
        self._out = nn.Linear(width, len(KINDS) + SIDES + 2)
        with torch.no_grad():
            # Hardly any token lies on a defect.
            self._out.bias[: len(KINDS)] = -4.0

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (n, 4) by kind, and (n, 6) sides and the token's centre."""
        said = self._out(self._norm(tokens.float()))
        kinds, numbers = said.tensor_split([len(KINDS)], dim=1)
        return kinds, numbers


def write_folder(
    folder: Path,
    network: Qwen2VLForConditionalGeneration,
    tokenizer: Qwen2TokenizerFast,
    sizes: VlmArchitecture,
) -> None:
    """Write a model folder as Hugging Face lays it out, the weights in half precision.

    Raises
    ------
    ConfigError
        If a weight does not fit into half precision.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # With its old description a folder half written would pass for whole.
    (folder / MODEL_NAME).unlink(missing_ok=True)
    state = {name: tensor.half() for name, tensor in network.state_dict().items()}
    if not all(torch.isfinite(tensor).all() for tensor in state.values()):
        raise ConfigError("weights_too_large")
    network.save_pretrained(folder, state_dict=state, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    write_atomic(folder / "preprocessor_config.json", json.dumps(_preprocessing(sizes), indent=2))


def _preprocessing(sizes: VlmArchitecture) -> dict[str, Any]:
    return {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2VLProcessor",
        "min_pixels": sizes.min_pixels,
        "max_pixels": sizes.max_pixels,
        "patch_size": PATCH,
        "temporal_patch_size": 2,
        "merge_size": MERGE,
        "image_mean": list(MEAN),
        "image_std": list(STD),
    }
