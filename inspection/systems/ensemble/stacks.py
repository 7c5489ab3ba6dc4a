"""A battery's slices as stacks: what of them was judged, which are neighbours, what is absent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from inspection.results import ImageResult


def judged(images: Iterable[ImageResult]) -> list[ImageResult]:
    """Images that were judged; one without a score, or that failed the gate, counts as failed."""
    return [image for image in images if is_judged(image)]


def score_of(image: ImageResult) -> float:
    """Return the score of a judged image, on CT within 0..1."""
    score = image.pred_score or 0.0
    # A sum of float32 probabilities may exceed 1 by a rounding error.
    return min(1.0, score) if image.modality == "ct" else score


def is_judged(image: ImageResult) -> bool:
    """Return whether a model has given the image a score that counts."""
    known = image.pred_score is not None and image.threshold is not None
    return image.state == "done" and known and not image.gate


def segments(slices: Sequence[ImageResult]) -> list[list[ImageResult]]:
    """Judged slices in order, split wherever two are not neighbours."""
    found: list[list[ImageResult]] = []
    for members in _by_axis(slices):
        numbers = sorted({image.number for image in members})
        reach = _step_and_reach(numbers)[1]
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
        step, reach = _step_and_reach(numbers)
        gaps = [b - a for a, b in pairwise(numbers)]
        missing += sum(max(1, round(gap / step) - 1) for gap in gaps if gap > reach)
    return missing


def _by_axis(slices: Sequence[ImageResult]) -> list[list[ImageResult]]:
    axes = sorted({image.axis or "" for image in slices})
    return [[image for image in slices if (image.axis or "") == axis] for axis in axes]


def _step_and_reach(numbers: Sequence[int]) -> tuple[int, int]:
    """Return the most common and the largest gap between neighbouring slices of one axis."""
    gaps = Counter(b - a for a, b in pairwise(numbers))
    step = max(gaps, key=lambda gap: (gaps[gap], -gap)) if gaps else 1
    # An even sample of a stack has steps of two sizes, one apart, by rounding.
    return step, step if step == 1 else step + 1
