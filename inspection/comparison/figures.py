"""How good each system is on the same images, with intervals that draw whole batteries.

An abstention (``review``, an image that failed, an answer that could not be read) is never right:
it lowers accuracy, recall and F1, and counts on its own in ``review_rate``. It is no escape and no
overkill either, as it reaches the operator: on defects, recall, escapes and abstentions add up
to one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inspection.agreement.battery import PAIRS, ImageComparison, Pair
from inspection.agreement.overlap import locate
from inspection.classes import class_table
from inspection.comparison.bootstrap import (
    Bools,
    BootstrapConfig,
    ClusterBootstrap,
    Floats,
    Interval,
)
from inspection.lot.truth import ImageTruth
from inspection.results import SystemName

FigureName = Literal[
    "f1",
    "precision",
    "recall",
    "accuracy",
    "macro_f1",
    "mean_iou",
    "box_f1",
    "escape_rate",
    "overkill_rate",
    "review_rate",
    "seconds",
]
LABELLED_FIGURES: tuple[FigureName, ...] = (
    "f1",
    "precision",
    "recall",
    "accuracy",
    "macro_f1",
    "mean_iou",
    "box_f1",
    "escape_rate",
    "overkill_rate",
)
PLAIN_FIGURES: tuple[FigureName, ...] = ("review_rate", "seconds")
"""Those that need no labels."""
BOX_IOU = 0.5
"""A box is right where its overlap with a labelled defect is over it."""
FEWEST_BATTERIES = 5
"""Resamples of fewer are too alike: their interval would claim a certainty that is not there."""


@dataclass(frozen=True, slots=True)
class ComparedImage:
    """An image of the comparison; ``truth`` is None where its label is missing or of no use."""

    battery: str
    comparison: ImageComparison
    truth: ImageTruth | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its interval; None where there is nothing to count.

    There is no interval either where all resamples are alike: it would claim certainty. A rate
    of none or all has an exact one.
    """

    value: float | None
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class SystemFigures:
    """A system's figures.

    Parameters
    ----------
    system : whose
    images, decided : images it was asked about, and those that it called normal or defect
    labelled, defects : images with a usable label, and those with a defect by it
    figures : by name, see `FigureName`. ``macro_f1`` is the mean F1 of the defect types that the
        labels hold; ``mean_iou`` the overlap of a labelled defect with the best box, over
        defects; ``box_f1`` the F1 of boxes that overlap a defect by more than ``BOX_IOU``. A
        labelled polygon counts as its bounding box, see `inspection.agreement.overlap`.
    """

    system: SystemName
    images: int
    decided: int
    labelled: int
    defects: int
    figures: Mapping[FigureName, Figure]


@dataclass(frozen=True, slots=True)
class PairFigures:
    """How far two systems agree.

    Parameters
    ----------
    systems : which two
    decided, agreed : images that both called normal or defect, and alike
    abstained : images on which one of them abstained; they count as neither
    agreement : ``agreed`` of ``decided``
    typed, types_agreed : images on which both named a defect type, and the same
    located : images on which both have boxes
    box_overlap : mean overlap of their matched boxes over these images
    """

    systems: Pair
    decided: int
    agreed: int
    abstained: int
    agreement: Figure
    typed: int
    types_agreed: int
    located: int
    box_overlap: Figure


def system_figures(images: Sequence[ComparedImage], system: SystemName) -> SystemFigures:
    """Return a system's figures over images that it was asked about."""
    known = [image for image in images if image.truth is not None]
    cells = [image.comparison.cells[system] for image in images]
    truths = [image.truth for image in known if image.truth is not None]
    figures = _labelled_figures(known, truths, system) if known else {}
    draws = _Draws(images)
    decided = np.array([cell.decided for cell in cells], bool)
    done = np.array([cell.state == "done" for cell in cells], float)
    seconds = np.array([cell.seconds or 0.0 for cell in cells], float) * done
    figures["review_rate"] = draws.rate(~decided, np.ones(len(cells), bool))
    figures["seconds"] = draws.ratio(seconds, done)
    return SystemFigures(
        system=system,
        images=len(images),
        decided=int(decided.sum()),
        labelled=len(known),
        defects=sum(truth.is_defect for truth in truths),
        figures=figures,
    )


def pair_figures(images: Sequence[ComparedImage], pair: Pair) -> PairFigures:
    """Return how far two systems agree on images that both were asked about."""
    first, second = ([i.comparison.cells[name] for i in images] for name in pair)
    both = list(zip(first, second, strict=True))
    decided = np.array([a.decided and b.decided for a, b in both], bool)
    alike = np.array([a.judgement == b.judgement for a, b in both], bool)
    typed = [(a.defect_type, b.defect_type) for a, b in both if a.defect_type and b.defect_type]
    overlaps = [image.comparison.overlaps.get(pair) for image in images]
    located = np.array([found is not None for found in overlaps], float)
    means = np.array([found.mean if found else 0.0 for found in overlaps], float)
    draws = _Draws(images)
    return PairFigures(
        systems=pair,
        decided=int(decided.sum()),
        agreed=int((alike & decided).sum()),
        abstained=int((~decided).sum()),
        agreement=draws.rate(alike, decided),
        typed=len(typed),
        types_agreed=sum(a == b for a, b in typed),
        located=int(located.sum()),
        box_overlap=draws.ratio(means, located),
    )


def pairs_of(systems: Sequence[SystemName]) -> list[Pair]:
    """Return the pairs of systems that took part."""
    return [pair for pair in PAIRS if set(pair) <= set(systems)]


class _Draws:
    """Figures with intervals over the batteries of some images."""

    def __init__(self, images: Sequence[ComparedImage]) -> None:
        batteries = [image.battery for image in images]
        enough = len(set(batteries)) >= FEWEST_BATTERIES
        self._resamples = ClusterBootstrap(batteries, BootstrapConfig()) if enough else None

    def rate(self, part: Bools, whole: Bools) -> Figure:
        value = _share(float((part & whole).sum()), float(whole.sum()))
        return _figure(value, self._resamples.rate(part, whole) if self._resamples else None)

    def ratio(self, part: Floats, whole: Floats) -> Figure:
        value = _share(float(part.sum()), float(whole.sum()))
        if self._resamples is None or value is None:
            return Figure(value)
        return _figure(value, self._resamples.ratio(part, whole))

    def macro_f1(self, labels: NDArray[np.int64], called: NDArray[np.int64]) -> Figure:
        """Return the mean F1 of the defect types that occur; index 0 is no defect."""
        scores = []
        for index in sorted({*labels.tolist()} - {0}):
            hits = float(((labels == index) & (called == index)).sum())
            scores.append(2 * hits / float((labels == index).sum() + (called == index).sum()))
        if not scores:
            return Figure(None)
        value, classes = float(np.mean(scores)), len(class_table().all_defects) + 1
        if self._resamples is None:
            return Figure(value)
        return _figure(value, self._resamples.macro_f1(labels, called, classes, range(1, classes)))


def _labelled_figures(
    images: Sequence[ComparedImage], truths: Sequence[ImageTruth], system: SystemName
) -> dict[FigureName, Figure]:
    cells = [image.comparison.cells[system] for image in images]
    is_defect = np.array([truth.is_defect for truth in truths], bool)
    called = np.array([cell.judgement == "defect" for cell in cells], bool)
    passed = np.array([cell.judgement == "normal" for cell in cells], bool)
    labels = np.array([_type_index(t.name if t.is_defect else None) for t in truths], np.int64)
    types = np.array([_type_index(cell.defect_type) for cell in cells], np.int64)
    hits = (called & is_defect).astype(float)
    # The boxes of an abstention find nothing, as the abstention itself does not.
    marked_by = [cell.boxes if cell.judgement == "defect" else () for cell in cells]
    located = [
        locate(boxes, truth.polygons, BOX_IOU)
        for boxes, truth in zip(marked_by, truths, strict=True)
    ]
    matched = np.array([item.matched for item in located], float)
    marked = np.array([item.boxes + item.defects for item in located], float)
    best = np.array([sum(item.best) for item in located], float)
    defects = np.array([item.defects for item in located], float)
    draws = _Draws(images)
    right = (called & is_defect) | (passed & ~is_defect)
    return {
        "f1": draws.ratio(2 * hits, called.astype(float) + is_defect),
        "precision": draws.rate(is_defect, called),
        "recall": draws.rate(called, is_defect),
        "accuracy": draws.rate(right, np.ones(len(cells), bool)),
        "macro_f1": draws.macro_f1(labels, types),
        "mean_iou": draws.ratio(best, defects),
        "box_f1": draws.ratio(2 * matched, marked),
        "escape_rate": draws.rate(passed, is_defect),
        "overkill_rate": draws.rate(called, ~is_defect),
    }


def _type_index(name: str | None) -> int:
    types = class_table().all_defects
    return types.index(name) + 1 if name in types else 0


def _figure(value: float | None, interval: Interval | None) -> Figure:
    certain = interval is not None and interval.low == interval.high
    return Figure(value, None if certain else interval)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
