"""What a VLM's training minimises, and how its answers to known pictures are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import generalized_box_iou_loss

from training.vlm.config import DemoVlmConfig, VlmTraining
from training.vlm.lessons import (
    CONFIDENCE,
    COORDINATE,
    VERDICT,
    WORD,
    LessonBatch,
    Teacher,
)
from training.vlm.network import PlaceHead
from training.vlm.sight import KINDS, SightBatch, SightCode
from training.vlm.texts import CONFIDENCES

FAR = 4.0
"""Tokens: the unit in which the decoder's visual tokens say how far from the corner things are."""
MEASURED = 10.0
"""Strength of the loss of sides as shares of the picture, which are small numbers."""

if TYPE_CHECKING:
    from transformers import Qwen2VLForConditionalGeneration


@dataclass(frozen=True, slots=True)
class Told:
    """What the network says where the right answer stood before.

    Parameters
    ----------
    logits : (A, vocabulary) float32, one row for each answer token
    seen, placed : what the visual tokens say, of the vision tower and of the decoder's layer
    measured : (A, 4) sides of a box as the last layer but one knows them, shares of the picture
    """

    logits: Tensor
    seen: tuple[Tensor, Tensor]
    placed: tuple[Tensor, Tensor]
    measured: Tensor


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
        self.code = SightCode(width)
        self.placed = PlaceHead(width)
        self.measured = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4))
        self._layer = config.architecture.text.looked_at
        self._verdict_weights = _verdict_weights(config.training)
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
            return self._weights.dense * _of_sight(self.code.read(self._look(batch)), batch)
        return self.loss_of(self.tell(batch), batch)

    def loss_of(self, told: Told, batch: LessonBatch) -> Tensor:
        """Return the loss of what the network says of a batch."""
        sight = batch.sight
        dense = _of_places(told.placed, sight)
        if sight.imagined is None:
            dense = dense + _of_sight(told.seen, sight)
        numbers = batch.parts == COORDINATE
        said, wanted = told.measured[numbers], batch.sides[numbers]
        away = MEASURED * (said - wanted).abs().sum(dim=1) + _missed(said, wanted)
        measured = away.sum() / max(len(away), 1)
        weights = self._weights
        return self._of_words(told, batch) + weights.dense * dense + weights.measured * measured

    def tell(self, batch: LessonBatch) -> Told:
        """Run the network with the right answers in front of it."""
        model = self.network.model
        visual = self._look(batch.sight)
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
        before = answer.hidden_states[-2].flatten(0, 1)[batch.asked]
        return Told(
            self.network.lm_head(at).float(),
            self.code.read(visual),
            self.placed(answer.hidden_states[self._layer][is_visual]),
            self.measured(before.float()),
        )

    def _look(self, sight: SightBatch) -> Tensor:
        """Return the visual tokens (V, width)."""
        imagined = sight.imagined
        if imagined is None:
            seen: Tensor = self.network.model.visual(sight.patches, grid_thw=sight.grids)
            return seen
        return self.code.write(imagined.traits, imagined.sides, imagined.rest)

    def _of_words(self, told: Told, batch: LessonBatch) -> Tensor:
        weights = self._weights
        targets, parts = self._targets(told, batch)
        by_token = -(targets * told.logits.log_softmax(dim=1)).sum(dim=1)
        table = torch.zeros(4, device=parts.device)
        table[WORD], table[VERDICT] = weights.words, weights.verdict
        table[COORDINATE], table[CONFIDENCE] = weights.coordinates, weights.words
        by_token = by_token * table[parts]
        of_verdict = torch.where(batch.defective, *self._verdict_weights)[batch.rows]
        return torch.where(parts == VERDICT, of_verdict, 1.0).mul(by_token).sum() / len(batch.ids)

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


def _verdict_weights(settings: VlmTraining) -> tuple[float, float]:
    """Return the weight of a defective picture's verdict and of a normal one's."""
    share = settings.defect_share
    if settings.prior is None:
        return 1.0, 1.0
    return settings.prior / share, (1 - settings.prior) / (1 - share)


def _of_sight(said: tuple[Tensor, Tensor], batch: SightBatch) -> Tensor:
    """Return the loss of what the vision tower's tokens say: traits, and a defect's sides."""
    traits, sides = said
    kinds, module = batch.kinds.tensor_split([len(KINDS)], dim=1)
    built = F.binary_cross_entropy_with_logits(traits[:, len(KINDS) :], module)
    on_defect = kinds.amax(dim=1) > 0
    count = on_defect.sum().clamp(min=1)
    missed = _missed(sides[on_defect], batch.offsets[on_defect]).sum() / count
    return built + missed + _of_defects(traits[:, : len(KINDS)], sides - batch.offsets, kinds)


def _missed(said: Tensor, wanted: Tensor) -> Tensor:
    """Return (n,) by how much a box misses another: in a small one little is much.

    Generalised IoU (Rezatofighi et al., arXiv:1902.09630).
    """
    first, second = said[:, :2], said[:, 2:]
    upright = torch.cat([torch.minimum(first, second), torch.maximum(first, second)], dim=1)
    loss: Tensor = generalized_box_iou_loss(upright, wanted)
    return loss


def _of_places(said: tuple[Tensor, Tensor], batch: SightBatch) -> Tensor:
    """Return the loss of what they say within the decoder: kinds, sides, and their own place."""
    kinds, places = said
    sides, own = (places - batch.places / FAR).tensor_split([4], dim=1)
    of_defects = _of_defects(kinds, FAR * sides, batch.kinds[:, : len(KINDS)])
    return of_defects + 4 * own.abs().sum(dim=1).mean()


def _of_defects(logits: Tensor, away: Tensor, wanted: Tensor) -> Tensor:
    """Return the loss for each token on a defect.

    Parameters
    ----------
    logits, wanted : (n, 4) by kind
    away : (n, 4) by which a defect's sides are missed, in tokens
    """
    on_defect = wanted.amax(dim=1)
    count = on_defect.sum().clamp(min=1.0)
    return (_focal(logits, wanted) + (away.abs().sum(dim=1) * on_defect).sum()) / count


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
