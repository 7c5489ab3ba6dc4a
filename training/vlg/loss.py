"""The VLG's loss: at every place of every stage, and at every layer of the decoder.

From nothing and in little time a decoder alone learns slowly, for one box a defect is all that it
is told. Every place near a defect is therefore taught what is there, as one-stage detectors are,
and every box of the decoder that overlaps one. The station keeps the surest of such boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss
from transformers import GroundingDinoForObjectDetection

from training.vlg.batches import Batch, Target
from training.vlg.config import VlgLossConfig, VlgNetwork

NEAR = 1.0
"""Features from a defect's centre within which a place is taught it."""
INNER = 0.2
"""Or this share of the defect's side, where that is more."""
SHARED = 0.45
"""Overlap from which a box of the decoder counts as one of a defect's."""
PLACE_WORTH = 0.5
"""How sure a place near a defect may be of it, however badly its box fits."""
SMALLEST_STAGE = 24.0
"""Pixels a side up to which a defect is the first stage's; each later one's are twice as large."""
NORMAL_PAIRS = 8
"""Pairs of box and word that a batch counts for at least, so that one without defects weighs little
more than others."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the network says of a batch.

    Parameters
    ----------
    words : (B, N, T) logits of every box and token
    boxes : (B, N, 4) centre x, centre y, width and height as shares
    """

    words: Tensor
    boxes: Tensor


class VlgLoss(nn.Module):
    """The loss of a batch, as a module around the network."""

    def __init__(
        self, model: GroundingDinoForObjectDetection, network: VlgNetwork, config: VlgLossConfig
    ) -> None:
        super().__init__()
        self.model = model
        self._network, self._config = network, config

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss of a batch."""
        batch = batch.to(self.model.device)
        dense, layers = answers(self.model, batch.pixels, batch.ids, batch.mask)
        height, width = batch.pixels.shape[-2:]
        places = places_of(self._network, height, width, self.model.device)
        config = self._config
        pairs = [near(places, target) for target in batch.targets]
        loss = config.dense * self._of(dense, batch, pairs, PLACE_WORTH)
        for number, layer in enumerate(layers):
            alone = config.once and number == len(layers) - 1
            pairs = [
                found(Answer(layer.words[i], layer.boxes[i]), target, alone=alone)
                for i, target in enumerate(batch.targets)
            ]
            loss = loss + self._of(layer, batch, pairs, config.worth)
        return loss

    def _of(self, answer: Answer, batch: Batch, pairs: Sequence[Tensor], worth: float) -> Tensor:
        """Return the loss of boxes.

        Parameters
        ----------
        pairs : the target of each box by picture, -1 for none, -2 is left out
        worth : how sure a box may be that misses its target; the more it overlaps it, the surer
        """
        there = batch.mask.bool()[:, None].expand_as(answer.words)
        wanted = torch.zeros_like(answer.words)
        counted = there.clone()
        missed: list[Tensor] = []
        total = 0.0
        for i, (pair, target) in enumerate(zip(pairs, batch.targets, strict=True)):
            counted[i, pair == -2] = False
            chosen = (pair >= 0).nonzero()[:, 0]
            if not len(chosen):
                continue
            true = target.boxes[pair[chosen]]
            boxes = answer.boxes[i, chosen]
            overlaps = paired_overlap(boxes, true)
            missed.append(box_loss(boxes, true, overlaps))
            quality = worth + (1 - worth) * overlaps[:, 0].detach()
            wanted[i, chosen] = target.tokens[pair[chosen]] * quality[:, None]
            total += float(target.tokens[pair[chosen]].sum())
        words, wanted = answer.words[counted], wanted[counted]
        error = (words.sigmoid() - wanted).abs() ** self._config.focus
        surprise = binary_cross_entropy_with_logits(words, wanted, reduction="none")
        loss = self._config.classes * (error * surprise).sum() / max(total, NORMAL_PAIRS)
        if missed:
            loss = loss + self._config.boxes * torch.cat(missed).mean()
        return loss


def answers(
    model: GroundingDinoForObjectDetection, pixels: Tensor, ids: Tensor, mask: Tensor
) -> tuple[Answer, list[Answer]]:
    """Return the proposals of all places, and the boxes of every layer of the decoder."""
    out = model.model(pixel_values=pixels, input_ids=ids, attention_mask=mask)
    length = ids.shape[1]
    text = out.encoder_last_hidden_state_text
    dense = Answer(
        out.enc_outputs_class[..., :length].float(), out.enc_outputs_coord_logits.float().sigmoid()
    )
    layers: list[Answer] = []
    for number, (classes, boxes) in enumerate(
        zip(model.class_embed, model.bbox_embed, strict=True)
    ):
        hidden = out.intermediate_hidden_states[:, number]
        before = out.intermediate_reference_points
        reference = before[:, number - 1] if number else out.init_reference_points
        moved = boxes(hidden).float() + torch.special.logit(reference.float(), eps=1e-5)
        words = classes(
            vision_hidden_state=hidden, text_hidden_state=text, text_token_mask=mask.bool()
        )
        layers.append(Answer(words[..., :length].float(), moved.sigmoid()))
    return dense, layers


@dataclass(frozen=True, slots=True)
class Places:
    """Where the network proposes a box.

    Parameters
    ----------
    centres : (N, 2) x and y as shares of the picture
    cells : (N, 2) width and height of a feature, as shares
    stages : (N,) of the backbone, from 0
    size : (width, height) of the picture
    """

    centres: Tensor
    cells: Tensor
    stages: Tensor
    size: Tensor


def places_of(
    network: VlgNetwork, height: int, width: int, device: torch.device | None = None
) -> Places:
    """Return the places of all stages in the network's order."""
    rows, columns = -(-height // network.patch), -(-width // network.patch)
    centres: list[Tensor] = []
    cells: list[Tensor] = []
    stages: list[Tensor] = []
    for stage in range(len(network.depths)):
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        cell = torch.tensor([1 / columns, 1 / rows])
        centres.append((torch.stack([x, y], -1).reshape(-1, 2) + 0.5) * cell)
        cells.append(cell.expand(rows * columns, 2))
        stages.append(torch.full((rows * columns,), stage))
        rows, columns = -(-rows // 2), -(-columns // 2)
    size = torch.tensor([width, height])
    parts = (torch.cat(centres), torch.cat(cells), torch.cat(stages), size)
    return Places(*(part.to(device) for part in parts))


def near(places: Places, target: Target) -> Tensor:
    """Return (N,) the target that each place is taught, -1 for none, -2 where it is left out."""
    pair = torch.full_like(places.stages, -1)
    # The network proposes nothing at the very edge.
    edge = ((places.centres <= 0.01) | (places.centres >= 0.99)).any(-1)
    for number in (-target.boxes[:, 2:].prod(-1)).argsort().tolist():
        box = target.boxes[number]
        away = (places.centres - box[:2]).abs()
        inside = (away <= box[2:] / 2 + places.cells / 2).all(-1)
        reach = torch.maximum(NEAR * places.cells, INNER * box[2:].expand_as(places.cells))
        central = (away <= reach).all(-1)
        side = (box[2:] * places.size).prod().sqrt()
        least = SMALLEST_STAGE * 2.0 ** (places.stages - 1)
        fits = (places.stages == 0) | (side > least * 2 / 3)
        fits &= (places.stages == places.stages.max()) | (side <= least * 2)
        pair[(inside | central) & (pair == -1)] = -2
        pair[central & fits & ~edge] = number
    return pair


def found(answer: Answer, target: Target, *, alone: bool) -> Tensor:
    """Return (Q,) the target of each of the decoder's boxes, -1 for none.

    Parameters
    ----------
    alone : one box a target; otherwise what overlaps it enough is its too
    """
    pair = torch.full((len(answer.boxes),), -1, device=answer.boxes.device)
    if not len(target.boxes):
        return pair
    with torch.no_grad():
        overlaps, enclosed = overlaps_of(answer.boxes[:, None], target.boxes[None])
        apart = torch.cdist(answer.boxes, target.boxes, p=1)
        share = target.tokens.float() / target.tokens.sum(-1, keepdim=True)
        sure = answer.words.sigmoid().nan_to_num() @ share.T
        costs = 5 * apart - 2 * enclosed - 2 * sure
        if not alone:
            best, which = overlaps.max(-1)
            pair[best > SHARED] = which[best > SHARED]
        boxes, targets = linear_sum_assignment(costs.numpy(force=True))
        pair[torch.from_numpy(boxes).to(pair.device)] = torch.from_numpy(targets).to(pair.device)
    return pair


def box_loss(boxes: Tensor, true: Tensor, overlaps: Tensor) -> Tensor:
    """Return (n,) how far boxes are from the true ones, measured by the true ones' size."""
    moved = (boxes[:, :2] - true[:, :2]) / true[:, 2:]
    grown = (boxes[:, 2:].clamp(min=1e-6) / true[:, 2:]).log()
    error = torch.cat([moved, grown], -1)
    linear = smooth_l1_loss(error, torch.zeros_like(error), beta=0.1, reduction="none").sum(-1)
    return 2 * (1 - overlaps[:, 1]) + 0.5 * linear


def paired_overlap(boxes: Tensor, true: Tensor) -> Tensor:
    """Return (n, 2) the overlap of each box with its own, plain and generalised."""
    return torch.stack(overlaps_of(boxes, true), -1)


def overlaps_of(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return intersection over union of broadcast boxes, and the generalised form.

    References
    ----------
    Rezatofighi et al., Generalized intersection over union, CVPR 2019.
    """
    a, b = _corners(first), _corners(second)
    left_top, right_bottom = (
        torch.maximum(a[..., :2], b[..., :2]),
        torch.minimum(a[..., 2:], b[..., 2:]),
    )
    shared = (right_bottom - left_top).clamp(min=0).prod(-1)
    united = first[..., 2:].prod(-1) + second[..., 2:].prod(-1) - shared
    outer = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    hull = outer.prod(-1).clamp(min=1e-9)
    overlap = shared / united.clamp(min=1e-9)
    return overlap, overlap - (hull - united) / hull


def _corners(boxes: Tensor) -> Tensor:
    half = boxes[..., 2:] / 2
    return torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], -1)
