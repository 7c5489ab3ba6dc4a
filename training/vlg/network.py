"""A small GroundingDINO with a vocabulary of its own, and its folder for transformers."""

from __future__ import annotations

import copy
import string
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from transformers import (
    BertTokenizerFast,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
)
from transformers.models.swin.modeling_swin import SwinSelfAttention

from inspection.errors import ConfigError
from training.vlg.config import VlgNetwork

PLACES = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]",
          1012: ".", 1029: "?"}  # fmt: skip
"""Tokens that the code of transformers knows by number: BERT's own places."""

NOT_HIDDEN = ("embed", "bias_table", "sampling_offsets", "attention_weights")
"""Parts of the names of matrices that read or write something else than features."""
FIRST_WORD = 1030
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1))
"""Where the heads of the backbone look at first, in features to the right and down."""
STRICT = 1.0
"""How little they look elsewhere."""
RARE = 0.01
"""How likely a token is before anything is learnt."""


def build_tokenizer(phrases: Sequence[str], max_tokens: int) -> BertTokenizerFast:
    """Return a tokenizer that has a word for each of the phrases', and letters for any other."""
    words = sorted({word for phrase in phrases for word in phrase.replace("-", " ").split()})
    letters = string.ascii_lowercase
    pieces = [*letters, *(f"##{letter}" for letter in letters), "-", *words]
    kept = dict.fromkeys(pieces)
    vocabulary = [*(PLACES.get(n, f"[unused{n}]") for n in range(FIRST_WORD)), *kept]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.txt"
        path.write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
        return BertTokenizerFast(str(path), do_lower_case=True, model_max_length=max_tokens)


def build_network(network: VlgNetwork, vocabulary: int) -> GroundingDinoForObjectDetection:
    """Return a network with random weights that answers to hardly any token yet."""
    model = GroundingDinoForObjectDetection(_configuration(network, vocabulary))
    _draw_weights(model)
    _look_around(model)
    _doubt(model)
    return model


def _configuration(network: VlgNetwork, vocabulary: int) -> GroundingDinoConfig:
    stages = len(network.depths)
    backbone: dict[str, Any] = {
        "model_type": "swin",
        "out_indices": list(range(1, stages + 1)),
        "patch_size": network.patch,
        "embed_dim": network.embed_dim,
        "depths": list(network.depths),
        "num_heads": list(network.heads),
        "window_size": network.window,
        "mlp_ratio": network.mlp_ratio,
        "drop_path_rate": 0.0,
    }
    text = {
        "model_type": "bert",
        "vocab_size": vocabulary,
        "hidden_size": network.width,
        "num_hidden_layers": network.text_layers,
        "num_attention_heads": network.attention_heads,
        "intermediate_size": network.feedforward,
        "max_position_embeddings": network.max_tokens,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    encoder_points, decoder_points = network.points
    return GroundingDinoConfig(
        backbone_config=backbone,
        text_config=text,
        num_queries=network.queries,
        d_model=network.width,
        num_feature_levels=stages,
        encoder_layers=network.encoder_layers,
        encoder_ffn_dim=network.feedforward,
        encoder_attention_heads=network.attention_heads,
        encoder_n_points=encoder_points,
        decoder_layers=network.decoder_layers,
        decoder_ffn_dim=network.feedforward,
        decoder_attention_heads=network.attention_heads,
        decoder_n_points=decoder_points,
        max_text_len=network.max_tokens,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        fusion_dropout=0.0,
        fusion_droppath=0.0,
        text_enhancer_dropout=0.0,
    )


@torch.no_grad()
def _draw_weights(model: GroundingDinoForObjectDetection) -> None:
    """Draw the matrices by their width: those of transformers suit wider layers."""
    for module in model.modules():
        # What starts at zero on purpose stays there.
        if isinstance(module, nn.Linear | nn.Conv2d) and bool(module.weight.any()):
            nn.init.xavier_uniform_(module.weight)


@torch.no_grad()
def _look_around(model: GroundingDinoForObjectDetection) -> None:
    """Let the backbone's attention begin as a convolution would: each head looks to one side.

    References
    ----------
    d'Ascoli et al., ConViT: improving vision transformers with soft convolutional inductive
    biases, ICML 2021.
    """
    for module in model.model.backbone.modules():
        if isinstance(module, SwinSelfAttention):
            height, width = module.window_size
            y, x = torch.meshgrid(
                torch.arange(1 - height, height), torch.arange(1 - width, width), indexing="ij"
            )
            for head in range(module.num_attention_heads):
                right, down = SIDES[head % len(SIDES)]
                away = (x.flatten() - right) ** 2 + (y.flatten() - down) ** 2
                module.relative_position_bias_table[:, head] = -STRICT * away.clamp(max=9)


@torch.no_grad()
def _doubt(model: GroundingDinoForObjectDetection) -> None:
    """Make tokens unlikely: one channel is the same everywhere, the rest count little at first."""
    text = model.model.encoder.layers[-1].text_enhancer_layer.layer_norm_after
    text.weight.fill_(0.1)
    for norm in (text, model.model.enc_output_norm, model.model.decoder.layer_norm):
        norm.weight[0] = 0.0
    prior = torch.tensor(RARE).logit()
    text.bias[0] = 2.0
    for norm in (model.model.enc_output_norm, model.model.decoder.layer_norm):
        norm.bias[0] = prior / 2.0


@torch.no_grad()
def scaled(model: GroundingDinoForObjectDetection, scale: float) -> GroundingDinoForObjectDetection:
    """Return a copy whose logits are `scale` times as large, and whose boxes are the same.

    Logits are products with the encoded words; what else reads those words is scaled back.
    """
    copied = copy.deepcopy(model)
    words = copied.model.encoder.layers[-1].text_enhancer_layer.layer_norm_after
    words.weight.mul_(scale)
    words.bias.mul_(scale)
    for layer in copied.model.decoder.layers:
        layer.encoder_attn_text.key.weight.div_(scale)
        layer.encoder_attn_text.value.weight.div_(scale)
    return copied


def hidden_matrices(
    model: GroundingDinoForObjectDetection,
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the matrices between hidden layers, and all other parameters."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        between = parameter.ndim == 2 and not any(part in name for part in NOT_HIDDEN)
        (matrices if between else others).append(parameter)
    return matrices, others


def write_network(
    folder: Path,
    model: GroundingDinoForObjectDetection,
    tokenizer: BertTokenizerFast,
    network: VlgNetwork,
) -> None:
    """Write a folder as Hugging Face lays it out, the weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    copy.deepcopy(model).half().save_pretrained(folder, safe_serialization=True)
    size = {"shortest_edge": network.short_side, "longest_edge": network.long_side}
    images = GroundingDinoImageProcessor(size=size)
    GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)


def read_weights(model: GroundingDinoForObjectDetection, folder: Path) -> None:
    """Go on from the weights of a folder.

    Raises
    ------
    ConfigError
        If they are not those of such a network.
    """
    try:
        before = GroundingDinoForObjectDetection.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, dtype=torch.float32
        )
        model.load_state_dict(before.state_dict())
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError("init_unusable", folder=str(folder)) from error
