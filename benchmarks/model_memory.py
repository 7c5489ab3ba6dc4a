"""Does the estimate of a VLM's memory start from the right size? One table, and no weights.

Builds the published architectures from the numbers of their ``config.json`` without any storage,
counts their parameters, and has the station estimate the memory they need with the limits of
``configs/vlm.yaml``. The catalogue's size on the disk stands beside it: published weights are
bfloat16, so it should be the parameters times two::

    python benchmarks/model_memory.py
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from inspection.modelstore.catalogue import find_entry
from inspection.modelstore.vlm_folder import FAMILIES, VlmFolder
from inspection.systems.vlm.config import load_vlm_config

BFLOAT16, SINGLE = 2, 4
GIB = 1 << 30
ROPE = {"rope_type": "default", "mrope_section": [24, 20, 20]}
OLD_VOCABULARY, LARGE_VOCABULARY = 151_936, 152_064


@dataclass(frozen=True, slots=True)
class Published:
    """An architecture: ``tied`` where the output shares the input's embedding."""

    name: str
    family: str
    hidden: int
    layers: int
    heads: int
    key_heads: int
    feedforward: int
    vocabulary: int
    tied: bool
    vision: dict[str, Any]

    def config(self) -> dict[str, Any]:
        """Return what the estimate reads of ``config.json``."""
        text: dict[str, Any] = {
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_heads,
            "intermediate_size": self.feedforward,
            "vocab_size": self.vocabulary,
            "tie_word_embeddings": self.tied,
        }
        if self.family == "qwen3_vl":
            text |= {"head_dim": 128, "rope_scaling": ROPE}
        return {
            "text_config": text,
            "vision_config": self.vision,
            "tie_word_embeddings": self.tied,
        }


def qwen2(hidden: int) -> dict[str, Any]:
    """Return the vision tower of the Qwen2-VL models."""
    return {"embed_dim": 1280, "depth": 32, "num_heads": 16, "mlp_ratio": 4,
            "hidden_size": hidden, "patch_size": 14}  # fmt: skip


def qwen25(hidden: int) -> dict[str, Any]:
    """Return the vision tower of the Qwen2.5-VL models."""
    return {"hidden_size": 1280, "depth": 32, "num_heads": 16, "intermediate_size": 3420,
            "out_hidden_size": hidden, "patch_size": 14}  # fmt: skip


def qwen3(hidden: int, *, large: bool) -> dict[str, Any]:
    """Return the vision tower of a Qwen3-VL model; three of its layers feed the language model."""
    size = (
        {"hidden_size": 1152, "depth": 27, "intermediate_size": 4304}
        if large
        else {"hidden_size": 1024, "depth": 24, "intermediate_size": 4096}
    )
    layers = [8, 16, 24] if large else [5, 11, 17]
    return {**size, "num_heads": 16, "out_hidden_size": hidden, "patch_size": 16,
            "deepstack_visual_indexes": layers}  # fmt: skip


MODELS = (
    Published("qwen2-vl-2b", "qwen2_vl", 1536, 28, 12, 2, 8960, OLD_VOCABULARY, True, qwen2(1536)),
    Published("qwen2-vl-7b", "qwen2_vl", 3584, 28, 28, 4, 18944, LARGE_VOCABULARY, False,
              qwen2(3584)),
    Published("qwen2-vl-72b", "qwen2_vl", 8192, 80, 64, 8, 29568, LARGE_VOCABULARY, False,
              qwen2(8192)),
    Published("qwen2.5-vl-3b", "qwen2_5_vl", 2048, 36, 16, 2, 11008, OLD_VOCABULARY, True,
              qwen25(2048)),
    Published("qwen2.5-vl-7b", "qwen2_5_vl", 3584, 28, 28, 4, 18944, LARGE_VOCABULARY, False,
              qwen25(3584)),
    Published("qwen3-vl-2b", "qwen3_vl", 2048, 28, 16, 8, 6144, OLD_VOCABULARY, True,
              qwen3(2048, large=False)),
    Published("qwen3-vl-4b", "qwen3_vl", 2560, 36, 32, 8, 9728, OLD_VOCABULARY, True,
              qwen3(2560, large=False)),
    Published("qwen3-vl-8b", "qwen3_vl", 4096, 36, 32, 8, 12288, OLD_VOCABULARY, False,
              qwen3(4096, large=True)),
)  # fmt: skip


def parameters(model: Published) -> int:
    """Count an architecture's numbers; a tied embedding counts once, as it is stored."""
    network = getattr(transformers, FAMILIES[model.family].model)
    with torch.device("meta"):
        built = network(network.config_class(**model.config()))
    return sum(parameter.numel() for parameter in built.parameters())


def main() -> None:
    """Print the table."""
    limits = load_vlm_config().limits
    print("| model | parameters, 10⁹ | × 2 bytes, GB | catalogue, GB | GPU, GiB | CPU, GiB |")
    print("|---|---|---|---|---|---|")
    for model in MODELS:
        count = parameters(model)
        folder = VlmFolder(Path(model.name), FAMILIES[model.family], count, model.config())
        needed = [
            folder.bytes_needed(
                width, max_pixels=limits.max_pixels, max_new_tokens=limits.max_new_tokens
            )
            / GIB
            for width in (BFLOAT16, SINGLE)
        ]
        row = (count / 1e9, count * BFLOAT16 / 1e9, find_entry(model.name).gigabytes or 0, *needed)
        print(f"| {model.name} | {row[0]:.2f} | {' | '.join(f'{n:.1f}' for n in row[1:])} |")


if __name__ == "__main__":
    main()
