"""Slices as stacks: which are neighbours, and which numbers a stack lacks. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from inspection.results import ImageResult


def judged(images: Iterable[ImageResult]) -> list[ImageResult]:
    """Images that a model has judged; one without a score counts as failed, whatever it says."""
    return [image for image in images if is_judged(image)]


def score_of(image: ImageResult) -> float:
    """Return the score of a judged image, on CT within 0..1."""
    score = image.pred_score or 0.0
    # A sum of float32 probabilities may exceed 1 by a rounding error.
    return min(1.0, score) if image.modality == "ct" else score


def is_judged(image: ImageResult) -> bool:
    """Return whether a model has given the image a score."""
    known = image.pred_score is not None and image.threshold is not None
    return image.state == "done" and known


def segments(slices: Sequence[ImageResult]) -> list[list[ImageResult]]:
    """Judged slices in order, split wherever two are not neighbours."""
    found: list[list[ImageResult]] = []
    for members in _by_axis(slices):
        numbers = sorted({image.number for image in members})
        reach = _reach(_step(numbers))
        # Two files may carry one slice number; the worse of them stands for the slice.
        by_number = {i.number: i for i in sorted(judged(members), key=score_of)}
        current: list[ImageResult] = []
        for number in numbers:
            image = by_number.get(number)
            if current and (image is None or number - current[-1].number > reach):
                found.append(current)
                current = []
            if image is not None:
                current.append(image)
        if current:
            found.append(current)
    return found


def holes(slices: Sequence[ImageResult]) -> int:
    """Return how many slices are absent inside the axes, by their numbers.

    A stack that holds every fourth slice has none; a gap of eight in it is one. Slices that
    are there but could not be judged are no holes.
    """
    missing = 0
    for members in _by_axis(slices):
        numbers = sorted({image.number for image in members})
        step = _step(numbers)
        gaps = [b - a for a, b in pairwise(numbers)]
        missing += sum(max(1, round(gap / step) - 1) for gap in gaps if gap > _reach(step))
    return missing


def _by_axis(slices: Sequence[ImageResult]) -> list[list[ImageResult]]:
    axes = sorted({image.axis or "" for image in slices})
    return [[image for image in slices if (image.axis or "") == axis] for axis in axes]


def _step(numbers: Sequence[int]) -> int:
    """Return the most common gap between the slices of one axis."""
    gaps = Counter(b - a for a, b in pairwise(numbers))
    return max(gaps, key=lambda gap: (gaps[gap], -gap)) if gaps else 1


def _reach(step: int) -> int:
    """Return the largest gap between neighbouring slices of one axis."""
    # An even sample of a stack has steps of two sizes, one apart, by rounding.
    return step if step == 1 else step + 1
