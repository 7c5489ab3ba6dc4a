"""A VLG's folder: which of the two backends runs it, its architecture, the memory it needs.

Reads JSON, the headers of safetensors files and file sizes only; imports no torch, so that a model
that does not fit is refused before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from inspection.errors import BundleError
from inspection.modelstore.files import (
    PREPROCESSING_NAME,
    number,
    read_document,
    read_json,
    section,
)
from inspection.modelstore.source import ARCHITECTURE_NAME
from inspection.modelstore.weights import misfit, read_header
from inspection.record_base import Record

Backend = Literal["groundingdino", "transformers"]

GB = 1 << 30
FLOAT_BYTES = 4
"""Single precision on every device: the weights were published so, and they are small."""
SAFETENSORS_NAME = "model.safetensors"
TRANSFORMERS_FAMILY = "grounding-dino"
ANY_SIDES = (1 << 20, 1 << 20)
WIDTH = 256
"""Of the detector; its code knows no other."""
MAX_TOKENS = 256
"""Of a caption, with the two that frame it: what the published weights were trained with."""

Count = Annotated[int, Field(ge=1, le=64)]


class Swin(Record):
    """The image encoder, a Swin transformer.

    Parameters
    ----------
    embed_dim : channels after the first stage's embedding, doubled by each later stage
    depths, num_heads : by stage
    window_size : side of a window, in patches
    """

    embed_dim: int = Field(ge=8, le=512)
    depths: tuple[Count, Count, Count, Count]
    num_heads: tuple[Count, Count, Count, Count]
    window_size: int = Field(ge=2, le=32)


class Architecture(Record):
    """``architecture.json``: the numbers of a GroundingDINO in its makers' own layout.

    Parameters
    ----------
    swin : the image encoder
    encoder_layers, decoder_layers : of the transformer
    feedforward : width inside its layers
    heads : of its attention
    queries : boxes that it proposes
    """

    swin: Swin
    encoder_layers: Count = 6
    decoder_layers: Count = 6
    feedforward: int = Field(default=2048, ge=8, le=8192)
    heads: Literal[4, 8, 16] = 8
    queries: int = Field(default=900, ge=1, le=4096)


PUBLISHED = {
    "groundingdino_swint_ogc": Architecture(
        swin=Swin(embed_dim=96, depths=(2, 2, 6, 2), num_heads=(3, 6, 12, 24), window_size=7)
    ),
    "groundingdino_swinb_cogcoor": Architecture(
        swin=Swin(embed_dim=128, depths=(2, 2, 18, 2), num_heads=(4, 8, 16, 32), window_size=12)
    ),
}
"""The checkpoints of the makers, by family: ``{family}.pth``."""


@dataclass(frozen=True, slots=True)
class VlgFolder:
    """A model folder that can be loaded.

    Parameters
    ----------
    path : the folder
    weights : its one file of weights
    architecture : None where a Hugging Face ``config.json`` gives it
    trained_sides : the shorter and the longer side that an image was scaled to, at most, when the
        weights were trained
    """

    path: Path
    weights: Path
    architecture: Architecture | None
    trained_sides: tuple[int, int] = ANY_SIDES

    @property
    def backend(self) -> Backend:
        """Which code runs it."""
        return "transformers" if self.architecture is None else "groundingdino"

    def not_loaded(self, problem: str) -> BundleError:
        """Return the error that says why the folder cannot be loaded, in one line."""
        first = next(iter(problem.strip().splitlines()), "-")[:200]
        return BundleError("vlg_not_loaded", folder=self.path.name, problem=first)

    def bytes_needed(self, max_pixels: int) -> int:
        """Estimate the memory for weights and one pass over an image of so many pixels."""
        # Feature maps at an eighth, a sixteenth, ... of the side.
        tokens = max_pixels // 64 * 4 // 3
        # Of one encoder layer, by token: sampled values of 4 maps x 4 points with a copy each,
        # and the attention to every word of the caption in both directions.
        sampled = 3 * 16 * WIDTH
        spoken = 4 * 4 * MAX_TOKENS
        weights = self.weights.stat().st_size
        return weights + weights // 10 + tokens * (sampled + spoken) * FLOAT_BYTES + GB // 4


def read_vlg_folder(folder: Path, family: str) -> VlgFolder:
    """Read what a model folder holds, without its weights.

    Parameters
    ----------
    family : of ``model.json``

    Raises
    ------
    BundleError
        If a file is missing or cannot be read, the weights have not the sizes that the
        configuration tells, or the model is of a kind that is not supported.
    """
    if family in PUBLISHED:
        return VlgFolder(folder, _present(folder, f"{family}.pth"), PUBLISHED[family])
    if family == "groundingdino":
        architecture = read_document(Architecture, folder, ARCHITECTURE_NAME)
        found = VlgFolder(folder, _present(folder, SAFETENSORS_NAME), architecture)
        _check_sizes(
            found,
            {"transformer.tgt_embed.weight": (architecture.queries, WIDTH)},
            {
                r"transformer\.encoder\.layers\.(\d+)\.": architecture.encoder_layers,
                r"transformer\.decoder\.layers\.(\d+)\.": architecture.decoder_layers,
            },
        )
        return found
    if family == TRANSFORMERS_FAMILY:
        for name in ("config.json", "tokenizer_config.json"):
            _present(folder, name)
        config = read_json(folder, "config.json")
        size = section(read_json(folder, PREPROCESSING_NAME), "size")
        longer = number(size, "longest_edge", ANY_SIDES[1])
        sides = min(number(size, "shortest_edge", ANY_SIDES[0]), longer), longer
        found = VlgFolder(folder, _present(folder, SAFETENSORS_NAME), None, sides)
        text = section(config, "text_config")
        _check_sizes(
            found,
            {
                "query_position_embeddings.weight": (
                    config.get("num_queries"),
                    config.get("d_model"),
                ),
                "word_embeddings.weight": (text.get("vocab_size"), text.get("hidden_size")),
            },
            {
                r"^model\.encoder\.layers\.(\d+)\.": config.get("encoder_layers"),
                r"^model\.decoder\.layers\.(\d+)\.": config.get("decoder_layers"),
            },
        )
        return found
    raise BundleError("vlg_family_unknown", folder=folder.name, family=family)


def _check_sizes(
    folder: VlgFolder, shapes: Mapping[str, Sequence[object]], counts: Mapping[str, object]
) -> None:
    try:
        problem = misfit(read_header(folder.weights), shapes, counts)
    except (OSError, ValueError) as error:
        raise folder.not_loaded(str(error)) from error
    if problem is not None:
        raise folder.not_loaded(problem)


def _present(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise BundleError("bundle_file_missing", folder=folder.name, file=name)
    return folder / name
