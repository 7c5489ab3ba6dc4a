"""Figures of a classifier with class maps: F1 first, then where its maps point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    recall_score,
    roc_auc_score,
)

from inspection.classes import class_table
from inspection.results import Peak

Probabilities = NDArray[np.floating]
Labels = NDArray[np.int64]

HIT_MARGIN = 8.0
"""A peak this near a label polygon, in source pixels, still points at it."""


def defect_indices() -> tuple[int, ...]:
    """Return the places of the defects among the table's classes of CT."""
    table = class_table()
    return tuple(table.ct.index(name) for name in table.ct_defects)


def classification_figures(labels: Labels, probabilities: Probabilities) -> dict[str, Any]:
    """Return F1, precision and recall per class, their mean, accuracy, confusion and AUROC.

    Parameters
    ----------
    labels : (N,) indices into the table's classes of CT
    probabilities : (N, classes)
    """
    predicted = probabilities.argmax(axis=1)
    present = sorted({*labels.tolist()})
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=present, zero_division=0.0
    )
    defects = defect_indices()
    scores = probabilities[:, defects].sum(axis=1)
    return {
        # Over the classes that the lot has: an absent one has no F1.
        "macro_f1": float(f1.mean()),
        "accuracy": float(accuracy_score(labels, predicted)),
        "auroc": ranking_figures(scores, np.isin(labels, defects))["auroc"],
        "classes": {
            class_table().ct[index]: {
                "precision": float(precision[row]),
                "recall": float(recall[row]),
                "f1": float(f1[row]),
                "images": int(support[row]),
            }
            for row, index in enumerate(present)
        },
        "confusion": {
            "labels": list(class_table().ct),
            "rows": confusion_matrix(
                labels, predicted, labels=range(len(class_table().ct))
            ).tolist(),
        },
    }


def decision_rates(called: NDArray[np.bool_], is_defect: NDArray[np.bool_]) -> dict[str, Any]:
    """Return how defect and normal are told apart; a rate with nothing to count is None.

    Parameters
    ----------
    called, is_defect : (N,) bool

    Returns
    -------
    dict
        ``n, defects, escapes, overkills, accuracy, precision, recall, f1, escape_rate`` (missed
        defects among defects) and ``overkill_rate`` (false alarms among normal ones).
    """
    hits = int(np.sum(called & is_defect))
    alarms, defects = int(np.sum(called)), int(np.sum(is_defect))
    normals = len(is_defect) - defects
    return {
        "n": len(is_defect),
        "defects": defects,
        "escapes": defects - hits,
        "overkills": alarms - hits,
        "accuracy": _rate(int(np.sum(called == is_defect)), len(is_defect)),
        "precision": _rate(hits, alarms),
        "recall": _rate(hits, defects),
        "f1": _rate(2 * hits, alarms + defects),
        "escape_rate": _rate(defects - hits, defects),
        "overkill_rate": _rate(alarms - hits, normals),
    }


def ranking_figures(
    scores: NDArray[np.floating], is_defect: NDArray[np.bool_]
) -> dict[str, float | None]:
    """Return ``auroc`` and ``ap`` of scores, whatever the threshold; None with one class only."""
    two_sided = bool(is_defect.any() and not is_defect.all())
    return {
        "auroc": float(roc_auc_score(is_defect, scores)) if two_sided else None,
        "ap": float(average_precision_score(is_defect, scores)) if two_sided else None,
    }


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def macro_f1(labels: Labels, predicted: Labels) -> float:
    """Return the mean F1 of the classes that occur in `labels`."""
    present = sorted({*labels.tolist()})
    return float(f1_score(labels, predicted, labels=present, average="macro", zero_division=0.0))


def macro_recall(labels: Labels, predicted: Labels) -> float:
    """Return the mean recall of the classes that occur in `labels`."""
    present = sorted({*labels.tolist()})
    return float(
        recall_score(labels, predicted, labels=present, average="macro", zero_division=0.0)
    )


def points_at_defect(peak: Peak, polygons: Sequence[NDArray[np.float32]]) -> bool:
    """Return whether the peak lies in a polygon grown by ``HIT_MARGIN`` source pixels."""
    point = (peak.x + 0.5, peak.y + 0.5)
    # Positive within, negative outside: a margin on the same scale.
    return any(
        cv2.pointPolygonTest(polygon.reshape(-1, 1, 2), point, True) >= -HIT_MARGIN
        for polygon in polygons
    )


def calibrate_temperature(logits: NDArray[np.floating], labels: Labels) -> float:
    """Return the divisor of the logits with the lowest negative log-likelihood.

    Parameters
    ----------
    logits : (N, 5)
    labels : (N,) indices into the table's classes of CT

    References
    ----------
    Guo et al., On calibration of modern neural networks, arXiv:1706.04599.
    """
    # On a fixed grid, which ends even where every image is right and colder is always better.
    candidates = np.exp(np.linspace(np.log(0.25), np.log(8.0), 141))
    rows = np.arange(len(labels))
    losses = [-log_softmax(logits / t, axis=1)[rows, labels].mean() for t in candidates]
    return float(candidates[int(np.argmin(losses))])


@dataclass(frozen=True, slots=True)
class Reliability:
    """How sure a classifier is against how often it is right.

    Parameters
    ----------
    ece : expected calibration error: mean distance of the two over images
    confidence, accuracy : means of each bin that has images
    counts : images of each of these bins
    """

    ece: float
    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    counts: tuple[int, ...]


def reliability(probabilities: Probabilities, labels: Labels, bins: int = 15) -> Reliability:
    """Return the reliability of the predicted class's probability in equally wide bins.

    Parameters
    ----------
    probabilities : (N, C)
    labels : (N,)
    bins : of (0, 1], each closed at its upper end

    References
    ----------
    Guo et al., On calibration of modern neural networks, arXiv:1706.04599, equations 2 and 3.
    """
    sure = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    # Closed above, as in the paper: a certainty of one belongs to the last bin.
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = counts > 0
    confidence = np.bincount(place, weights=sure, minlength=bins)[filled] / counts[filled]
    accuracy = np.bincount(place, weights=right, minlength=bins)[filled] / counts[filled]
    ece = float(np.sum(np.abs(confidence - accuracy) * counts[filled]) / max(1, len(labels)))
    return Reliability(
        ece,
        tuple(map(float, confidence)),
        tuple(map(float, accuracy)),
        tuple(map(int, counts[filled])),
    )


def before_temperature(probabilities: Probabilities, temperature: float) -> NDArray[np.float64]:
    """Return the probabilities as they were before the logits were divided by a temperature.

    A softmax fixes the logits up to a constant, so nothing but the probabilities is needed.

    Parameters
    ----------
    probabilities : (N, C), after
    temperature : the divisor
    """
    # A probability that underflowed has no logarithm.
    smallest = np.finfo(np.float64).tiny
    logits = np.log(np.maximum(probabilities.astype(np.float64), smallest)) * temperature
    return np.asarray(softmax(logits, axis=1), np.float64)
