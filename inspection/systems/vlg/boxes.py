"""From a GroundingDINO's numbers to boxes: which phrase, how sure, where. Numpy only.

Both backends give a number for every query and every token of a caption, and a box for every
query. A box belongs to the phrase whose tokens it answers to; which tokens those are is known from
where the phrase stands in the caption, never guessed from the text of single tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inspection.agreement.overlap import containment, corners_of, overlap
from inspection.records import Rect
from inspection.results import Alternative, Box
from inspection.systems.vlg.config import VlgLimits

Floats = NDArray[np.float32]
Spans = Mapping[str, Sequence[int]]
"""The tokens of each phrase in a caption."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One box.

    Parameters
    ----------
    box : source pixels
    score : of the surest word of the phrase
    phrase : what was found, as it was asked for
    defect_type : class that the phrase stands for
    alternatives : what else the same spot was taken for, surest first, each defect type once
    """

    box: Box
    score: float
    phrase: str
    defect_type: str
    alternatives: tuple[Alternative, ...] = ()

    def told(self) -> Alternative:
        """Return it as what another box may have been taken for."""
        return Alternative(phrase=self.phrase, defect_type=self.defect_type, score=self.score)


@dataclass(frozen=True, slots=True)
class Raw:
    """What a model says of one caption.

    Parameters
    ----------
    probabilities : (Q, T) float32, by query and token
    boxes : (Q, 4) float32, centre x, centre y, width and height as shares of the image
    spans : the tokens of each phrase
    """

    probabilities: Floats
    boxes: Floats
    spans: Spans

    def __post_init__(self) -> None:
        if self.probabilities.ndim != 2 or self.boxes.shape != (len(self.probabilities), 4):
            raise ValueError(
                f"(Q, T) and (Q, 4) are needed, not {self.probabilities.shape}, {self.boxes.shape}"
            )
        if not (np.isfinite(self.probabilities).all() and np.isfinite(self.boxes).all()):
            raise ValueError("the model's numbers are not finite")


def caption_of(phrases: Sequence[str]) -> str:
    """Return phrases as one caption, each ended by a full stop as in training."""
    return " ".join(f"{phrase}." for phrase in phrases)


def spans_of(phrases: Sequence[str], offsets: Sequence[tuple[int, int]]) -> dict[str, list[int]]:
    """Return the tokens of each phrase of `caption_of`.

    Parameters
    ----------
    offsets : the characters of each token, start and end; equal for the two that frame a caption
    """
    spans: dict[str, list[int]] = {}
    start = 0
    for phrase in phrases:
        end = start + len(phrase)
        spans[phrase] = [
            number for number, (first, last) in enumerate(offsets) if start <= first < last <= end
        ]
        start = end + len(". ")
    return spans


def detect(
    answers: Sequence[Raw],
    defect_types: Mapping[str, str],
    limits: VlgLimits,
    *,
    region: Rect,
) -> list[Detection]:
    """Return the boxes that count, surest first, each spot once.

    Of boxes that overlap, or lie in one another, the surest stays. What it leaves out is the same
    spot: under another defect type it is told as an alternative.

    Parameters
    ----------
    answers : one a caption
    defect_types : by phrase; a box of a phrase without one is dropped
    limits : thresholds, overlap and count
    region : what the model saw, in source pixels
    """
    found = [
        detection
        for raw in answers
        for detection in _above_thresholds(raw, defect_types, limits, region)
    ]
    found.sort(key=lambda d: (-d.score, d.box.x, d.box.y, d.phrase))
    corners = corners_of([detection.box for detection in found])
    overlaps, contained = overlap(corners, corners), containment(corners, corners)
    types = np.array([detection.defect_type for detection in found])
    alike = np.where(types[:, None] == types, limits.nms_iou, limits.spot_iou)
    same_spot = (overlaps > alike) | (contained > limits.spot_containment)
    kept: dict[int, dict[str, Alternative]] = {}
    for number, detection in enumerate(found):
        spot = next((winner for winner in kept if same_spot[number, winner]), None)
        others = kept.setdefault(number if spot is None else spot, {})
        for other in (detection.told(), *detection.alternatives):
            known = others.get(other.defect_type)
            if known is None or known.score < other.score:
                others[other.defect_type] = other
    winners = []
    for number, others in kept.items():
        others.pop(found[number].defect_type)
        surest_first = sorted(others.values(), key=lambda other: -other.score)
        winners.append(replace(found[number], alternatives=tuple(surest_first)))
    return winners[: limits.max_boxes]


def _above_thresholds(
    raw: Raw, defect_types: Mapping[str, str], limits: VlgLimits, region: Rect
) -> list[Detection]:
    phrases = [phrase for phrase, tokens in raw.spans.items() if tokens]
    if not phrases:
        return []
    words = [raw.probabilities[:, list(raw.spans[phrase])] for phrase in phrases]
    surest = np.stack([word.max(axis=1) for word in words], axis=1)  # (Q, phrases)
    mean = np.stack([word.mean(axis=1) for word in words], axis=1)
    counts = (surest >= limits.box_threshold) & (mean >= limits.text_threshold)
    best = np.where(counts, surest, -1.0).argmax(axis=1)  # (Q,)
    detections: list[Detection] = []
    for query in np.flatnonzero(counts.any(axis=1)):
        box = _to_source(raw.boxes[query], region)
        if box is None or phrases[int(best[query])] not in defect_types:
            continue
        # Of all phrases that the box answers to the surest names it.
        named, *others = (
            Alternative(
                phrase=phrases[int(place)],
                defect_type=defect_types[phrases[int(place)]],
                score=float(surest[query, place]),
            )
            for place in np.argsort(-np.where(counts[query], surest[query], -1.0), kind="stable")
            if counts[query, place] and phrases[int(place)] in defect_types
        )
        scored = box.model_copy(update={"score": named.score})
        detections.append(
            Detection(scored, named.score, named.phrase, named.defect_type, tuple(others))
        )
    return detections


def _to_source(shares: Floats, region: Rect) -> Box | None:
    """Return a box in whole source pixels, cut to the region; None where nothing is left."""
    x, y, w, h = (float(share) for share in shares)
    left, top = max(0.0, x - w / 2) * region.w, max(0.0, y - h / 2) * region.h
    right, bottom = min(1.0, x + w / 2) * region.w, min(1.0, y + h / 2) * region.h
    first_x, first_y = min(round(left), region.w - 1), min(round(top), region.h - 1)
    if right <= left or bottom <= top:
        return None
    return Box(
        x=region.x + first_x,
        y=region.y + first_y,
        w=max(1, round(right) - first_x),
        h=max(1, round(bottom) - first_y),
    )
