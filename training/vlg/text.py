"""What the VLG is asked in training, and which tokens a defect answers to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from transformers import BertTokenizerFast

from inspection.classes import class_table
from inspection.records import MODALITIES, Modality
from inspection.systems.vlg.boxes import caption_of, spans_of
from inspection.systems.vlg.config import VlgConfig
from training.vlg.config import CaptionConfig


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption and its tokens.

    Parameters
    ----------
    phrases : in their order
    ids : of the tokens, with the two that frame the caption
    spans : the tokens of each phrase
    """

    phrases: tuple[str, ...]
    ids: tuple[int, ...]
    spans: dict[str, list[int]]


class Captions:
    """Captions of the product's phrases.

    Parameters
    ----------
    queries : the product's
    tokenizer : of the network
    """

    def __init__(self, queries: VlgConfig, tokenizer: BertTokenizerFast) -> None:
        self._queries, self._tokenizer = queries, tokenizer
        self._kinds = {
            phrase: class_table().rows[name].kind or name
            for modality in MODALITIES
            for phrase, name in queries.defect_types(modality, None).items()
        }
        self._known: dict[tuple[str, ...], Caption] = {}

    def full(self, modality: Modality) -> Caption:
        """Return what the station asks."""
        return self.of(self._queries.phrases(modality))

    def drawn(
        self,
        modality: Modality,
        kinds: Collection[str],
        shares: CaptionConfig,
        rng: np.random.Generator,
    ) -> Caption:
        """Return what a training picture is asked, mostly what the station asks.

        Parameters
        ----------
        kinds : of the picture's defects
        """
        own = self._queries.phrases(modality)
        draw = rng.random()
        if draw < shares.parts:
            return self.of(_some(own, rng))
        draw -= shares.parts
        if draw < shares.lacking:
            rest = [phrase for phrase in own if self._kinds[phrase] not in kinds]
            return self.of(_some(rest or own, rng))
        draw -= shares.lacking
        if draw < shares.foreign:
            other = "rgb" if modality == "ct" else "ct"
            foreign = _some(self._queries.phrases(other), rng)
            mixed = [*_some(own, rng), *foreign[: max(1, len(own) // 2)]]
            return self.of([mixed[index] for index in rng.permutation(len(mixed))])
        return self.full(modality)

    def of(self, phrases: Sequence[str]) -> Caption:
        """Return the caption of some phrases."""
        key = tuple(phrases)
        if key not in self._known:
            words = self._tokenizer(caption_of(key), return_offsets_mapping=True)
            spans = spans_of(key, words["offset_mapping"])
            self._known[key] = Caption(key, tuple(words["input_ids"]), spans)
        return self._known[key]

    def tokens(self, caption: Caption, kind: str) -> list[int]:
        """Return the tokens of every phrase that stands for a kind of defect."""
        return [
            token
            for phrase in caption.phrases
            if self._kinds[phrase] == kind
            for token in caption.spans[phrase]
        ]


def _some(phrases: Sequence[str], rng: np.random.Generator) -> list[str]:
    count = int(rng.integers(1, len(phrases) + 1))
    return [phrases[index] for index in rng.permutation(len(phrases))[:count]]
