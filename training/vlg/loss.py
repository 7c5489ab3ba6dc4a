"""The loss of a GroundingDINO's boxes, at every layer of its decoder.

Set prediction as DETR has it, one box a defect in the last layer; in the earlier ones every box
that overlaps a defect enough is taught it too, which small sets of pictures need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss
from torchvision.ops import box_convert, box_iou, generalized_box_iou

from training.vlg.targets import Question, Target

if TYPE_CHECKING:
    from transformers import BertTokenizerFast, GroundingDinoForObjectDetection

SHARED = 0.45
"""Overlap from which a box of an earlier layer counts as one of a defect's."""
FEWEST_PAIRS = 8
"""Pairs of box and word that a picture counts for at least, so that one without defects weighs
little more than others."""


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the loss terms.

    Parameters
    ----------
    classes, boxes : which token, and where
    worth : how sure a box may be that misses its defect; the more it overlaps it, the surer
    focus : exponent by which what is nearly right already counts less
    """

    classes: float = 2.0
    boxes: float = 0.5
    worth: float = 0.2
    focus: float = 2.0


@dataclass(frozen=True, slots=True)
class Proposals:
    """What one layer of the decoder says of a picture.

    Parameters
    ----------
    words : (Q, T) logits of every box and token
    boxes : (Q, 4) centre x, centre y, width and height as shares
    """

    words: Tensor
    boxes: Tensor


def question_loss(
    network: GroundingDinoForObjectDetection,
    tokenizer: BertTokenizerFast,
    question: Question,
    weights: LossWeights,
) -> Tensor:
    """Return the loss of a question, summed over the layers of the decoder."""
    layers = layers_of(network, tokenizer, question)
    losses = [
        proposals_loss(layer, question.target, weights, alone=number == len(layers) - 1)
        for number, layer in enumerate(layers)
    ]
    return torch.stack(losses).sum()


def layers_of(
    network: GroundingDinoForObjectDetection, tokenizer: BertTokenizerFast, question: Question
) -> list[Proposals]:
    """Return the boxes of every layer of the decoder."""
    words = tokenizer(question.caption, return_tensors="pt").to(question.pixels.device)
    out = network.model(pixel_values=question.pixels, **words)
    length = words["input_ids"].shape[1]
    layers: list[Proposals] = []
    heads = zip(network.class_embed, network.bbox_embed, strict=True)
    for number, (classes, boxes) in enumerate(heads):
        hidden = out.intermediate_hidden_states[:, number]
        before = out.intermediate_reference_points
        reference = before[:, number - 1] if number else out.init_reference_points
        # A layer moves the boxes of the one before, in logits.
        moved = boxes(hidden).float() + torch.special.logit(reference.float(), eps=1e-5)
        said = classes(
            vision_hidden_state=hidden,
            text_hidden_state=out.encoder_last_hidden_state_text,
            text_token_mask=words["attention_mask"].bool(),
        )
        layers.append(Proposals(said[0, :, :length].float(), moved[0].sigmoid()))
    return layers


def proposals_loss(said: Proposals, target: Target, weights: LossWeights, *, alone: bool) -> Tensor:
    """Return the loss of one layer's boxes.

    Parameters
    ----------
    alone : one box a defect; otherwise what overlaps it enough is its too
    """
    tokens = torch.zeros(len(target.boxes), said.words.shape[1], device=said.words.device)
    # A target ends with its last named word, a caption with the mark behind it.
    tokens[:, : target.tokens.shape[1]] = target.tokens
    true = target.boxes.to(said.boxes.device)
    pair = matched(said, true, tokens, alone=alone)
    chosen = (pair >= 0).nonzero()[:, 0]
    wanted, own = torch.zeros_like(said.words), pair[chosen]
    boxes = said.boxes[chosen]
    overlaps = box_iou(*_corners(boxes, true))[range(len(own)), own]
    quality = weights.worth + (1 - weights.worth) * overlaps.detach()
    wanted[chosen] = tokens[own] * quality[:, None]
    # Words beyond the caption's are masked with minus infinity.
    there = said.words.isfinite()
    words, wanted = said.words[there], wanted[there]
    error = (words.sigmoid() - wanted).abs() ** weights.focus
    surprise = binary_cross_entropy_with_logits(words, wanted, reduction="none")
    # Over pairs and not boxes: most of some hundred boxes are nowhere near a defect.
    pairs = max(float(tokens[own].sum()), FEWEST_PAIRS)
    loss = weights.classes * (error * surprise).sum() / pairs
    if not len(chosen):
        return loss
    enclosed = generalized_box_iou(*_corners(boxes, true))[range(len(own)), own]
    # Where a box is off, measured by the true one's size: in a small one little is much.
    moved = (boxes[:, :2] - true[own, :2]) / true[own, 2:]
    grown = (boxes[:, 2:].clamp(min=1e-6) / true[own, 2:]).log()
    away = torch.cat([moved, grown], dim=1)
    linear = smooth_l1_loss(away, torch.zeros_like(away), beta=0.1, reduction="none").sum(dim=1)
    off: Tensor = 2 * (1 - enclosed) + 0.5 * linear
    return loss + weights.boxes * off.mean()


@torch.no_grad()
def matched(said: Proposals, true: Tensor, tokens: Tensor, *, alone: bool) -> Tensor:
    """Return (Q,) the target of each box, -1 for none.

    Parameters
    ----------
    true, tokens : (n, 4) and (n, T) float32 of the targets
    """
    pair = torch.full((len(said.boxes),), -1, device=said.boxes.device)
    if not len(true):
        return pair
    corners = _corners(said.boxes, true)
    if not alone:
        # Several boxes may learn one defect: the station keeps the surest of those that overlap.
        best, which = box_iou(*corners).max(dim=1)
        pair[best > SHARED] = which[best > SHARED]
    apart = torch.cdist(said.boxes, true, p=1)
    sure = said.words.sigmoid() @ (tokens / tokens.sum(dim=1, keepdim=True)).T
    # The weights that Deformable DETR and GroundingDINO match by.
    costs = 5 * apart - 2 * generalized_box_iou(*corners) - 2 * sure
    rows, targets = linear_sum_assignment(costs.numpy(force=True))
    pair[torch.from_numpy(rows)] = torch.from_numpy(targets).to(pair.device)
    return pair


def _corners(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    return box_convert(first, "cxcywh", "xyxy"), box_convert(second, "cxcywh", "xyxy")
