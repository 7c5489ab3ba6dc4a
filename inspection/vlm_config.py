"""``configs/vlm.yaml``: what the VLM is asked, and how much it may spend on an answer."""

from __future__ import annotations

import hashlib
import string
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from inspection.config import Config, DefectClass, Positive, Words, load_classes, load_config
from inspection.messages import Language
from inspection.paths import config_path
from inspection.records import Modality
from inspection.vlm_boxes import BoxScale
from inspection.vlm_words import defect_types_of

Pixels = Annotated[int, Field(ge=56 * 56, le=16_777_216)]
PerModality = Annotated[dict[Modality, Words], Field(min_length=2)]
PerUnit = Annotated[dict[Literal["thousandths", "pixels"], Words], Field(min_length=2)]
_PLACEHOLDERS = {"classes", "box"}


class VlmConfig(Config):
    """The VLM's settings.

    Parameters
    ----------
    version : of the prompts
    max_pixels, min_pixels : of the image as the model sees it
    floor_pixels : ``max_pixels`` is halved down to this where memory runs out
    max_new_tokens : an answer is cut there
    answer_seconds : an answer that takes longer is ended
    boxes : how the prompt describes a box, by unit and language
    prompts : by modality and language, with ``{classes}`` and ``{box}`` to be filled in
    """

    version: int = Field(ge=1)
    max_pixels: Pixels
    min_pixels: Pixels
    floor_pixels: Pixels
    max_new_tokens: int = Field(ge=16, le=8192)
    answer_seconds: Positive
    boxes: PerUnit
    prompts: PerModality

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.min_pixels <= self.floor_pixels <= self.max_pixels:
            raise ValueError("min_pixels, floor_pixels and max_pixels must not decrease")
        for words in self.prompts.values():
            for prompt in words.values():
                fields = {name for _, name, _, _ in string.Formatter().parse(prompt) if name}
                if fields != _PLACEHOLDERS:
                    raise ValueError("a prompt needs {classes} and {box}, and no other field")
        return self


class _VlmFile(Config):
    vlm: VlmConfig


def load_vlm_config(path: Path | None = None) -> VlmConfig:
    """Return the VLM's settings, by default the installed ones.

    Raises
    ------
    ConfigError
        If the file is missing, malformed, or has an unknown or wrong key.
    """
    return load_config(path or config_path("vlm.yaml"), _VlmFile).vlm


class Prompts:
    """The prompts of one language for one family of models, filled in.

    Parameters
    ----------
    config : the templates
    language : of the prompts and of the explanations asked for
    scale : how the family writes boxes
    classes : the class table, by default the installed one
    """

    def __init__(
        self,
        config: VlmConfig,
        language: Language,
        scale: BoxScale,
        classes: dict[str, DefectClass] | None = None,
    ) -> None:
        table = load_classes() if classes is None else classes
        unit: Literal["thousandths", "pixels"] = (
            "pixels" if scale == "input_pixels" else "thousandths"
        )
        box = config.boxes[unit][language]
        self._texts: dict[Modality, str] = {
            modality: words[language]
            .format(
                classes="\n".join(
                    f"- {name}: {table[name].name[language]}" for name in defect_types_of(modality)
                ),
                box=box,
            )
            .strip()
            for modality, words in config.prompts.items()
        }
        everything = "\0".join(self._texts[modality] for modality in sorted(self._texts))
        digest = hashlib.sha256(everything.encode("utf-8")).hexdigest()
        self.identity = f"v{config.version} {language} sha256:{digest[:16]}"

    def of(self, modality: Modality) -> str:
        """Return the prompt for an image of a modality."""
        return self._texts[modality]
