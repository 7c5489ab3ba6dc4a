"""``configs/vlm.yaml``: what the VLM is asked, and how much it may spend on an answer."""

from __future__ import annotations

import hashlib
import string
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from inspection.classes import ClassTable, class_table
from inspection.config import Config, Positive, Words, load_section
from inspection.messages import Language
from inspection.modelstore.vlm_folder import BoxScale
from inspection.paths import config_path
from inspection.records import Modality

Pixels = Annotated[int, Field(ge=56 * 56, le=16_777_216)]
PerModality = Annotated[dict[Modality, Words], Field(min_length=2)]
PerUnit = Annotated[dict[Literal["thousandths", "pixels"], Words], Field(min_length=2)]
_PLACEHOLDERS = {"classes", "box"}


class VlmLimits(Config):
    """What an answer may cost.

    Parameters
    ----------
    max_pixels, min_pixels : of the image as the model sees it
    floor_pixels : ``max_pixels`` is halved down to this where memory runs out
    max_new_tokens : an answer is cut there
    answer_seconds : an answer that takes longer is ended
    """

    max_pixels: Pixels
    min_pixels: Pixels
    floor_pixels: Pixels
    max_new_tokens: int = Field(ge=16, le=8192)
    answer_seconds: Positive

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min_pixels <= self.floor_pixels <= self.max_pixels:
            raise ValueError("min_pixels, floor_pixels and max_pixels must not decrease")
        return self

    def as_trained(self, fewest: int, most: int) -> VlmLimits:
        """Return these limits within the pixels that a model was trained on.

        Where the two do not meet, the model's count: it has seen no other pictures.
        """
        if self.min_pixels > most or self.max_pixels < fewest:
            low, high = fewest, most
        else:
            low, high = max(self.min_pixels, fewest), min(self.max_pixels, most)
        floor = min(max(self.floor_pixels, low), high)
        return self.model_copy(
            update={"min_pixels": low, "max_pixels": high, "floor_pixels": floor}
        )

    def fewer_pixels(self) -> VlmLimits | None:
        """Return these limits with half the pixels, None where that is under the floor."""
        half = self.max_pixels // 2
        if half < self.floor_pixels:
            return None
        return self.model_copy(update={"max_pixels": half})


class VlmConfig(Config):
    """The VLM's settings.

    Parameters
    ----------
    version : of the prompts
    limits : what an answer may cost
    boxes : how the prompt describes a box, by unit and language
    prompts : by modality and language, with ``{classes}`` and ``{box}`` to be filled in
    """

    version: int = Field(ge=1)
    limits: VlmLimits
    boxes: PerUnit
    prompts: PerModality

    @model_validator(mode="after")
    def _fields_known(self) -> Self:
        for words in self.prompts.values():
            for prompt in words.values():
                fields = {name for _, name, _, _ in string.Formatter().parse(prompt) if name}
                if fields != _PLACEHOLDERS:
                    raise ValueError("a prompt needs {classes} and {box}, and no other field")
        return self


def load_vlm_config(path: Path | None = None) -> VlmConfig:
    """Return the VLM's settings, by default the installed ones.

    Raises
    ------
    ConfigError
        If the file is missing, malformed, or has an unknown or wrong key.
    """
    file = path or config_path("vlm.yaml")
    return load_section(file, VlmConfig, "vlm", with_site=path is None)


class Prompts:
    """The prompts for one family of models, filled in.

    Parameters
    ----------
    config : the templates
    scale : how the family writes boxes
    classes : the class table, by default the installed one
    """

    def __init__(
        self,
        config: VlmConfig,
        scale: BoxScale,
        classes: ClassTable | None = None,
    ) -> None:
        table = classes or class_table()
        box = config.boxes["pixels" if scale == "input_pixels" else "thousandths"]
        self._texts: dict[tuple[Modality, Language], str] = {
            (modality, language): template.format(
                classes="\n".join(
                    f"- {name}: {table.rows[name].name[language]}"
                    for name in table.defects(modality)
                ),
                box=box[language],
            ).strip()
            for modality, templates in config.prompts.items()
            for language, template in templates.items()
        }
        everything = "\0".join(text for _, text in sorted(self._texts.items()))
        digest = hashlib.sha256(everything.encode("utf-8")).hexdigest()
        self.identity = f"v{config.version} sha256:{digest}"

    def of(self, modality: Modality, language: Language) -> str:
        """Return the prompt for an image of a modality; explanations are asked in ``language``."""
        return self._texts[modality, language]
