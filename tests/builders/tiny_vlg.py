"""Small GroundingDINO folders of the true classes, written to disk as real weights are.

The same random weights are written in both layouts, the makers' and Hugging Face's, so that the
two backends can be held against each other. The vocabulary has BERT's own places for the tokens
that the code of transformers knows by number.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizerFast,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
)

from inspection.modelstore.vlg_folder import Architecture, Swin
from inspection.systems.vlg.config import load_vlg_config
from inspection.systems.vlg.original import build

ARCHITECTURE = Architecture(
    swin=Swin(embed_dim=16, depths=(1, 1, 2, 1), num_heads=(1, 2, 2, 4), window_size=4),
    encoder_layers=2,
    decoder_layers=2,
    feedforward=64,
    heads=4,
    queries=12,
)
BERT = {
    "vocab_size": 1200,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
PLACES = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]",
          1012: ".", 1029: "?"}  # fmt: skip

# From the makers' names to those of transformers, applied in order.
RENAMES = (
    (r"^bert\.", "model.text_backbone."),
    (r"^feat_map\.", "model.text_projection."),
    (r"^input_proj\.", "model.input_proj_vision."),
    (r"^backbone\.0\.patch_embed\.proj\.",
     "model.backbone.conv_encoder.model.embeddings.patch_embeddings.projection."),
    (r"^backbone\.0\.patch_embed\.norm\.", "model.backbone.conv_encoder.model.embeddings.norm."),
    (r"^backbone\.0\.layers\.", "model.backbone.conv_encoder.model.encoder.layers."),
    (r"^backbone\.0\.norm1\.", "model.backbone.conv_encoder.model.hidden_states_norms.stage2."),
    (r"^backbone\.0\.norm2\.", "model.backbone.conv_encoder.model.hidden_states_norms.stage3."),
    (r"^backbone\.0\.norm3\.", "model.backbone.conv_encoder.model.hidden_states_norms.stage4."),
    (r"(blocks\.\d+)\.norm1\.", r"\1.layernorm_before."),
    (r"(blocks\.\d+)\.norm2\.", r"\1.layernorm_after."),
    (r"(blocks\.\d+)\.attn\.proj\.", r"\1.attention.output.dense."),
    (r"(blocks\.\d+)\.attn\.", r"\1.attention.self."),
    (r"(blocks\.\d+)\.mlp\.fc1\.", r"\1.intermediate.dense."),
    (r"(blocks\.\d+)\.mlp\.fc2\.", r"\1.output.dense."),
    (r"^transformer\.encoder\.layers\.(\d+)\.self_attn\.",
     r"model.encoder.layers.\1.deformable_layer.self_attn."),
    (r"^transformer\.encoder\.layers\.(\d+)\.norm1\.",
     r"model.encoder.layers.\1.deformable_layer.self_attn_layer_norm."),
    (r"^transformer\.encoder\.layers\.(\d+)\.norm2\.",
     r"model.encoder.layers.\1.deformable_layer.final_layer_norm."),
    (r"^transformer\.encoder\.layers\.(\d+)\.linear",
     r"model.encoder.layers.\1.deformable_layer.fc"),
    (r"^transformer\.encoder\.text_layers\.(\d+)\.norm1\.",
     r"model.encoder.layers.\1.text_enhancer_layer.layer_norm_before."),
    (r"^transformer\.encoder\.text_layers\.(\d+)\.norm2\.",
     r"model.encoder.layers.\1.text_enhancer_layer.layer_norm_after."),
    (r"^transformer\.encoder\.text_layers\.(\d+)\.linear",
     r"model.encoder.layers.\1.text_enhancer_layer.fc"),
    (r"^transformer\.encoder\.text_layers\.(\d+)\.",
     r"model.encoder.layers.\1.text_enhancer_layer."),
    (r"^transformer\.encoder\.fusion_layers\.(\d+)\.gamma_v",
     r"model.encoder.layers.\1.fusion_layer.vision_param"),
    (r"^transformer\.encoder\.fusion_layers\.(\d+)\.gamma_l",
     r"model.encoder.layers.\1.fusion_layer.text_param"),
    (r"^transformer\.encoder\.fusion_layers\.(\d+)\.", r"model.encoder.layers.\1.fusion_layer."),
    (r"fusion_layer\.layer_norm_v\.", "fusion_layer.layer_norm_vision."),
    (r"fusion_layer\.layer_norm_l\.", "fusion_layer.layer_norm_text."),
    (r"fusion_layer\.attn\.(values_|out_|)v_proj", r"fusion_layer.attn.\1vision_proj"),
    (r"fusion_layer\.attn\.(values_|out_|)l_proj", r"fusion_layer.attn.\1text_proj"),
    (r"^transformer\.decoder\.ref_point_head\.", "model.decoder.reference_points_head."),
    (r"^transformer\.decoder\.norm\.", "model.decoder.layer_norm."),
    (r"^transformer\.decoder\.", "model.decoder."),
    (r"(decoder\.layers\.\d+)\.cross_attn\.", r"\1.encoder_attn."),
    (r"(decoder\.layers\.\d+)\.norm1\.", r"\1.encoder_attn_layer_norm."),
    (r"(decoder\.layers\.\d+)\.ca_text\.", r"\1.encoder_attn_text."),
    (r"(decoder\.layers\.\d+)\.catext_norm\.", r"\1.encoder_attn_text_layer_norm."),
    (r"(decoder\.layers\.\d+)\.norm2\.", r"\1.self_attn_layer_norm."),
    (r"(decoder\.layers\.\d+)\.norm3\.", r"\1.final_layer_norm."),
    (r"(decoder\.layers\.\d+)\.linear", r"\1.fc"),
    (r"^transformer\.tgt_embed\.", "model.query_position_embeddings."),
    (r"^transformer\.enc_out_bbox_embed\.", "model.encoder_output_bbox_embed."),
    (r"^transformer\.", "model."),
)  # fmt: skip
JOINT = re.compile(r"(.*)(?:\.qkv\.|\.in_proj_)(weight|bias)$")
"""Query, key and value in one matrix; transformers has three."""


def write_bert(folder: Path) -> Path:
    """Write a text encoder's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(folder)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    BertModel(BertConfig(**BERT)).save_pretrained(folder)
    return folder


def write_original(folder: Path, bert: Path, seed: int = 0) -> Path:
    """Write a folder in the makers' layout, with its `architecture.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = ARCHITECTURE.model_dump_json(indent=2)
    (folder / "architecture.json").write_text(text, encoding="utf-8")
    weights = {name: t.clone().contiguous() for name, t in random_weights(bert, seed).items()}
    save_file(weights, folder / "model.safetensors")
    return folder


def write_transformers(folder: Path, bert: Path, seed: int = 0) -> Path:
    """Write a folder as Hugging Face lays it out, with the weights of `write_original`."""
    folder.mkdir(parents=True, exist_ok=True)
    model = GroundingDinoForObjectDetection(_transformers_config())
    weights = dict(_renamed(random_weights(bert, seed)))
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if missing or [n for n in unexpected if "pooler" not in n]:
        raise ValueError(f"the conversion is incomplete: {missing}, {unexpected}")
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer = BertTokenizerFast.from_pretrained(bert)
    GroundingDinoProcessor(GroundingDinoImageProcessor(), tokenizer).save_pretrained(folder)
    return folder


@torch.no_grad()
def random_weights(bert: Path, seed: int = 0) -> dict[str, Tensor]:
    """Return weights under the makers' names, none of them zero, one or alike."""
    model = build(ARCHITECTURE, bert)
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        noise = torch.randn(weight.shape, generator=generator)
        if weight.ndim > 1:
            weight.copy_(noise / weight[0].numel() ** 0.5)
        else:
            weight.copy_(0.02 * noise + float("norm" in name and name.endswith("weight")))
    # So that the model is sure of some boxes and not of others.
    model.transformer.decoder.norm.weight.mul_(0.3)
    weights: dict[str, Tensor] = model.state_dict()
    return weights


def _renamed(weights: dict[str, Tensor]) -> list[tuple[str, Tensor]]:
    renamed: list[tuple[str, Tensor]] = []
    for name, tensor in weights.items():
        for pattern, replacement in RENAMES:
            name = re.sub(pattern, replacement, name)
        joint = JOINT.match(name)
        if joint is None:
            renamed.append((name, tensor))
            continue
        attention = joint.group(1)
        for part, third in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
            renamed.append((f"{attention}.{part}.{joint.group(2)}", third))
    return renamed


def _transformers_config() -> GroundingDinoConfig:
    swin = ARCHITECTURE.swin
    backbone: dict[str, Any] = {
        "model_type": "swin",
        "out_indices": [2, 3, 4],
        **swin.model_dump(mode="json"),
    }
    return GroundingDinoConfig(
        backbone_config=backbone,
        text_config={"model_type": "bert", **BERT},
        num_queries=ARCHITECTURE.queries,
        encoder_layers=ARCHITECTURE.encoder_layers,
        encoder_ffn_dim=ARCHITECTURE.feedforward,
        encoder_attention_heads=ARCHITECTURE.heads,
        decoder_layers=ARCHITECTURE.decoder_layers,
        decoder_ffn_dim=ARCHITECTURE.feedforward,
        decoder_attention_heads=ARCHITECTURE.heads,
    )


def _tokenizer(folder: Path) -> BertTokenizerFast:
    config = load_vlg_config()
    phrases = (*config.phrases("ct"), *config.phrases("rgb"))
    words = sorted({word for phrase in phrases for word in phrase.split()} - {"porosity"})
    # One word in two pieces, as a real vocabulary would have it.
    words += ["por", "##osity"]
    vocabulary = [PLACES.get(number, f"[unused{number}]") for number in range(1100)] + words
    path = folder / "vocab.txt"
    path.write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    return BertTokenizerFast(str(path), do_lower_case=True)
