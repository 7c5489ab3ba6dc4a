"""A small tokenizer of Qwen2-VL's kind for what a demo model reads and writes.

Byte-level BPE, as the published one, learnt from the station's prompts and from the answers that
are taught. Pieces may span several words; numbers and punctuation are pieces of their own, so that
a coordinate is one token. Lines of the prompts are tokens as they are: a question then takes a
dozen tokens, not a hundred, and a small decoder reads half as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from inspection.errors import ConfigError
from training.vlm.texts import CONFIDENCES, STEP, texts_for_tokenizer

if TYPE_CHECKING:
    from transformers import Qwen2TokenizerFast

SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>",
    "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
"""Qwen2-VL's, so that whatever reads its answers reads these."""
LONGEST = 32
"""Characters of a piece at most: text still appears bit by bit, as an operator expects."""
SHORTEST_LINE = 12
"""Characters of a line that becomes a token: shorter ones might stand in an answer too."""
_PIECES = Regex(r"""\d+|[{}\[\]":,\n ]+|[^{}\[\]":,\n\d]+""")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in part %}{{ part['text'] }}"
    "{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def learn_tokenizer(prompts: Sequence[str], size: int) -> Qwen2TokenizerFast:
    """Return a tokenizer for prompts and the answers to them; other text is spelt in bytes.

    Parameters
    ----------
    size : entries at most, without the lines of the prompts; fewer where there are no more pieces

    Raises
    ------
    ConfigError
        If a number that answers write does not become one token.
    """
    from transformers import Qwen2TokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_PIECES, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=LONGEST,
        special_tokens=[AddedToken(t, normalized=False, special=True) for t in SPECIAL],
    )
    core.train_from_iterator(texts_for_tokenizer(prompts), trainer)
    lines = dict.fromkeys(line for prompt in prompts for line in prompt.splitlines())
    core.add_tokens(
        [
            AddedToken(line, normalized=False, special=False)
            for line in lines
            if len(line) >= SHORTEST_LINE
        ]
    )
    for number in (*range(0, 1000 + STEP, STEP), *CONFIDENCES):
        if len(core.encode(str(number), add_special_tokens=False).ids) != 1:
            raise ConfigError("vlm_vocabulary_small", size=size)
    return Qwen2TokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token=None,
        chat_template=CHAT_TEMPLATE,
        model_max_length=4096,
    )


def spelling(tokenizer: Qwen2TokenizerFast) -> str:
    """Return all that a tokenizer goes by, to tell two apart."""
    return str(tokenizer.backend_tokenizer.to_str())
