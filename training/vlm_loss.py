"""What a VLM's training minimises, and how its answers to known pictures are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.vlm_config import DemoVlmConfig
from training.vlm_lessons import (
    CONFIDENCE,
    COORDINATE,
    VERDICT,
    WORD,
    LessonBatch,
    SightBatch,
    Teacher,
)
from training.vlm_network import SightHead
from training.vlm_texts import CONFIDENCES

REACH = 4.0
"""Tokens: the unit in which the vision tower says how far a defect's sides are."""

if TYPE_CHECKING:
    from transformers import Qwen2VLForConditionalGeneration


@dataclass(frozen=True, slots=True)
class Told:
    """What the network says where the right answer stood before.

    Parameters
    ----------
    logits : (A, vocabulary) float32, one row for each answer token
    seen, placed : what the visual tokens say, of the vision tower and of the decoder's layer
    """

    logits: Tensor
    seen: tuple[Tensor, Tensor]
    placed: tuple[Tensor, Tensor]


class VlmLoss(nn.Module):
    """The loss of a batch of lessons, as a module around the network and its heads.

    Parameters
    ----------
    network : what is trained
    config : of the training
    teacher : knows which tokens are numbers
    """

    def __init__(
        self, network: Qwen2VLForConditionalGeneration, config: DemoVlmConfig, teacher: Teacher
    ) -> None:
        super().__init__()
        self.network = network
        width = config.architecture.text.width
        self.seen = SightHead(width)
        self.placed = SightHead(width, extras=2)
        self._layer = config.architecture.text.looked_at
        self._weights = config.loss
        self._teacher = teacher
        self._numbers: Tensor
        self._nearness: Tensor
        numbers = torch.tensor(list(teacher.numbers))
        self.register_buffer("_numbers", numbers, persistent=False)
        self.register_buffer("_nearness", _nearness(len(numbers), config.loss.spread), False)

    def forward(self, batch: LessonBatch | SightBatch) -> Tensor:
        """Return the loss of a batch; of pictures alone it is what the vision tower sees."""
        if isinstance(batch, SightBatch):
            said = self.seen(self.network.model.visual(batch.patches, grid_thw=batch.grids))
            return self._weights.dense * _of_sight(said, batch.offsets / REACH, batch)
        return self.loss_of(self.tell(batch), batch)

    def loss_of(self, told: Told, batch: LessonBatch) -> Tensor:
        """Return the loss of what the network says of a batch."""
        sight = batch.sight
        dense = _of_sight(told.seen, sight.offsets / REACH, sight)
        dense = dense + _of_sight(told.placed, sight.places, sight)
        return self._of_words(told, batch) + self._weights.dense * dense

    def tell(self, batch: LessonBatch) -> Told:
        """Run the network with the right answers in front of it."""
        model = self.network.model
        visual = model.visual(batch.sight.patches, grid_thw=batch.sight.grids)
        is_visual = batch.ids == model.config.image_token_id
        words = model.get_input_embeddings()(batch.ids)
        embedded = words.masked_scatter(is_visual[..., None], visual.to(words.dtype))
        positions, _ = model.get_rope_index(batch.ids, batch.sight.grids, None, batch.mask)
        answer = model(
            inputs_embeds=embedded,
            position_ids=positions,
            attention_mask=batch.mask,
            output_hidden_states=True,
            use_cache=False,
        )
        at = answer.last_hidden_state.flatten(0, 1)[batch.asked]
        return Told(
            self.network.lm_head(at).float(),
            self.seen(visual),
            self.placed(answer.hidden_states[self._layer][is_visual]),
        )

    def _of_words(self, told: Told, batch: LessonBatch) -> Tensor:
        weights = self._weights
        targets, parts = self._targets(told, batch)
        by_token = -(targets * told.logits.log_softmax(dim=1)).sum(dim=1)
        table = torch.zeros(4, device=parts.device)
        table[WORD], table[VERDICT] = weights.words, weights.verdict
        table[COORDINATE], table[CONFIDENCE] = weights.coordinates, weights.words
        return (by_token * table[parts]).sum() / len(batch.ids)

    def _targets(self, told: Told, batch: LessonBatch) -> tuple[Tensor, Tensor]:
        """Return the wanted distribution of each answer token, and what the token is."""
        count = told.logits.shape[1]
        targets = F.one_hot(batch.targets, count).float()
        numbers = batch.parts == COORDINATE
        which = (batch.targets[numbers][:, None] == self._numbers).int().argmax(dim=1)
        targets[numbers] = 0.0
        targets[numbers] = targets[numbers].index_copy(1, self._numbers, self._nearness[which])
        stated = batch.parts == CONFIDENCE
        targets[stated] = F.one_hot(self._sureness(told, batch), count).float()
        return targets, batch.parts

    def _sureness(self, told: Told, batch: LessonBatch) -> Tensor:
        """Return the confidence to state: how likely the network itself finds the judgement."""
        teacher = self._teacher
        choices = torch.tensor([teacher.normal, teacher.defect], device=batch.targets.device)
        judged = (batch.targets[:, None] == choices).any(dim=1) & (batch.parts == VERDICT)
        likely = told.logits.detach()[judged][:, choices].softmax(dim=1)
        of_right = likely[batch.targets[judged][:, None] == choices]
        levels = torch.tensor(CONFIDENCES, device=likely.device) / 100
        nearest = (of_right[:, None] - levels).abs().argmin(dim=1)
        return torch.tensor(teacher.confidences, device=likely.device)[nearest]


def _of_sight(said: tuple[Tensor, Tensor], wanted: Tensor, batch: SightBatch) -> Tensor:
    """Return the loss of what visual tokens say: kinds, sides, and their own place if asked."""
    kinds, numbers = said
    on_defect = batch.kinds.amax(dim=1)
    count = on_defect.sum().clamp(min=1.0)
    away = (numbers - wanted).abs()
    loss = _focal(kinds, batch.kinds) / count
    loss = loss + 4 * (away[:, :4].sum(dim=1) * on_defect).sum() / count
    if away.shape[1] > 4:
        loss = loss + 4 * away[:, 4:].sum(dim=1).mean()
    return loss


def _focal(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return the summed focal loss (Lin et al., arXiv:1708.02002), both classes weighed alike."""
    plain = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    right = torch.exp(-plain)
    return ((1 - right) ** 2 * plain).sum()


def _nearness(count: int, spread: float) -> Tensor:
    """Return (count, count): for each number, how right each other number is."""
    order = torch.arange(count, dtype=torch.float32)
    near = torch.exp(-((order[:, None] - order) ** 2) / (2 * spread**2))
    return near / near.sum(dim=1, keepdim=True)
