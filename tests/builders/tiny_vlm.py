"""Small Qwen VLM folders of the true classes, written to disk as real weights are.

The tokenizer has one token for every byte, so that a Korean character takes three, and one for
every piece of what the model is to say. The weights are set by hand: the last token alone decides
the next, and whether "CT" stands in the prompt decides how the answer starts. Through the program
the folder goes like any other: processor, vision tower, language model, greedy decoding.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2TokenizerFast,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLMoeConfig,
    Qwen3VLMoeForConditionalGeneration,
)

SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>",
    "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe")
CT_MARK = "CT"
HIDDEN = 64
CT_ANSWER = (
    '{"judgement": "defect", "defect_type": "cell_porosity", '
    '"explanation": "결 A dark pore crosses the layers.", "confidence": 0.9, '
    '"bboxes": [[250, 250, 500, 750]]}'
)
RGB_ANSWER = (
    '{"judgement": "normal", "defect_type": null, "explanation": "함 The wrap is clean.", '
    '"confidence": 0.8, "bboxes": []}'
)
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
    "{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_tiny_vlm(
    folder: Path,
    family: str = "qwen2_vl",
    *,
    ct_answer: str = CT_ANSWER,
    rgb_answer: str = RGB_ANSWER,
) -> Path:
    """Write a model folder that answers ``ct_answer`` to CT prompts and ``rgb_answer`` to others.

    An empty answer ends at once. Coordinates are those of the family's own convention.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer, chains = _tokenizer(ct_answer, rgb_answer)
    torch.manual_seed(0)
    model = _model(family, tokenizer)
    _teach(model, tokenizer, *chains)
    model.generation_config.eos_token_id = [
        tokenizer.convert_tokens_to_ids(t) for t in ("<|im_end|>", "<|endoftext|>")
    ]
    # As the real folders have it: sampling by default, which the program must switch off.
    model.generation_config.update(do_sample=True, temperature=0.01, top_k=1, top_p=0.001)
    model.generation_config.pad_token_id = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    _write_json(folder / "preprocessor_config.json", _image_processor(family))
    return folder


def _tokenizer(*answers: str) -> tuple[Qwen2TokenizerFast, list[list[int]]]:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in SPECIAL])
    core.add_tokens([AddedToken(CT_MARK, normalized=False)])
    chains = _chains(core, answers)
    tokenizer = Qwen2TokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token=None,
        chat_template=CHAT_TEMPLATE,
        model_max_length=32768,
    )
    return tokenizer, chains


def _chains(core: Tokenizer, answers: tuple[str, ...]) -> list[list[int]]:
    """Cut the answers into tokens that are never used twice, adding those that are missing."""
    used: set[int] = set()
    return [_chain(core, answer, used) for answer in answers]


def _chain(core: Tokenizer, answer: str, used: set[int]) -> list[int]:
    """Return ``answer`` as tokens; the first characters beyond ASCII stay in bytes."""
    chain: list[int] = []
    start = 0
    while start < len(answer):
        spelt = core.encode(answer[start], add_special_tokens=False).ids
        if len(spelt) == len(set(spelt)) > 1 and not used & set(spelt):
            used.update(spelt)
            chain += spelt
            start += 1
            continue
        end = _end_of_piece(core, answer, start, used)
        core.add_tokens([AddedToken(answer[start:end], normalized=False)])
        chain.append(core.token_to_id(answer[start:end]))
        used.add(chain[-1])
        start = end
    return chain


def _end_of_piece(core: Tokenizer, answer: str, start: int, used: set[int]) -> int:
    special = next((t for t in SPECIAL if answer.startswith(t, start)), "")
    end = start + (len(special) or 3)
    while core.token_to_id(answer[start:end]) in used and end < len(answer):
        end += 1
    tail = answer[end:]
    # The rest must not become a piece that was used before: let this one take it.
    if len(tail) < 3 or core.token_to_id(tail) in used:
        end = len(answer)
    if core.token_to_id(answer[start:end]) in used:
        raise ValueError(f"cut the answer otherwise: {answer[start:end]!r} comes twice")
    return end


def _model(family: str, tokenizer: Qwen2TokenizerFast) -> Any:
    ids = {
        "image_token_id": tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        "video_token_id": tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        "vision_start_token_id": tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        "vision_end_token_id": tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    }
    rope = {"mrope_section": [2, 3, 3]}
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": HIDDEN,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "bos_token_id": None,
        "max_position_embeddings": 32768,
    }
    vision = {"depth": 2, "num_heads": 2, "spatial_merge_size": 2, "temporal_patch_size": 2}
    if family == "qwen2_vl":
        return Qwen2VLForConditionalGeneration(
            Qwen2VLConfig(
                text_config={**text, "rope_scaling": {"type": "mrope", **rope}},
                vision_config={**vision, "embed_dim": 32, "hidden_size": HIDDEN, "patch_size": 14},
                **ids,
            )
        )
    if family == "qwen2_5_vl":
        sizes = {"hidden_size": 32, "intermediate_size": 32, "out_hidden_size": HIDDEN}
        return Qwen2_5_VLForConditionalGeneration(
            Qwen2_5_VLConfig(
                text_config={**text, "rope_scaling": {"type": "mrope", **rope}},
                vision_config={**vision, **sizes, "fullatt_block_indexes": [1], "patch_size": 14},
                **ids,
            )
        )
    sizes = {"hidden_size": 32, "intermediate_size": 32, "out_hidden_size": HIDDEN}
    vision = {**vision, **sizes, "deepstack_visual_indexes": [0], "num_position_embeddings": 64}
    text = {**text, "head_dim": 16, "rope_scaling": {"rope_type": "default", **rope}}
    if family == "qwen3_vl":
        return Qwen3VLForConditionalGeneration(
            Qwen3VLConfig(text_config=text, vision_config=vision, **ids)
        )
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
    return Qwen3VLMoeForConditionalGeneration(
        Qwen3VLMoeConfig(text_config={**text, **experts}, vision_config=vision, **ids)
    )


@torch.no_grad()
def _teach(model: Any, tokenizer: Qwen2TokenizerFast, ct: list[int], rgb: list[int]) -> None:
    """Set the weights; axis 0 of the hidden state says whether a CT mark was read.

    Attention is even over all that was read, carries nothing but axis 0 and is off in the second
    layer, as are both MLPs; the image adds nothing at its own places.
    """
    language = model.model.language_model
    words = torch.randn(len(tokenizer), HIDDEN)
    words[:, 0] = 0
    embedding = words.clone()
    mark = tokenizer.convert_tokens_to_ids(CT_MARK)
    embedding[mark] = 0
    embedding[mark, 0] = 1.0
    language.embed_tokens.weight.copy_(embedding)
    for number, layer in enumerate(language.layers):
        for name, weight in layer.named_parameters():
            if "layernorm" not in name and "_norm" not in name:
                weight.zero_()
        if number == 0:
            layer.self_attn.v_proj.weight[0, 0] = 1.0
            # A mark among some thousand tokens still weighs as much as a word.
            layer.self_attn.o_proj.weight[0, 0] = 4000.0
    for name, weight in model.model.visual.named_parameters():
        if "merger" in name and ("mlp.2" in name or "linear_fc2" in name):
            weight.zero_()
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    (last,) = tokenizer.encode("\n", add_special_tokens=False)
    head = torch.zeros(len(tokenizer), HIDDEN)
    for chain in (ct, rgb):
        path = [last, *chain, end]
        for here, after in itertools.pairwise(path):
            head[after] += words[here]
    # Where both may start the other answer does, unless a mark forbids it.
    start = rgb[0] if rgb else end
    head[start] += 0.5 * words[last]
    head[start, 0] = -100.0
    model.lm_head.weight.copy_(head)


def _image_processor(family: str) -> dict[str, Any]:
    common = {"temporal_patch_size": 2, "merge_size": 2}
    if family.startswith("qwen3"):
        return {
            **common,
            "size": {"shortest_edge": 65536, "longest_edge": 16777216},
            "patch_size": 16,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
            "processor_class": "Qwen3VLProcessor",
            "image_processor_type": "Qwen2VLImageProcessorFast",
        }
    return {
        **common,
        "min_pixels": 3136,
        "max_pixels": 12845056,
        "patch_size": 14,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "processor_class": "Qwen2VLProcessor" if family == "qwen2_vl" else "Qwen2_5_VLProcessor",
        "image_processor_type": "Qwen2VLImageProcessor",
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
