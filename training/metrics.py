"""Figures of a classifier with class maps: F1 first, then where its maps point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    recall_score,
    roc_auc_score,
)

from inspection.heatmaps import crop_to_content, peak_of
from inspection.records import CT_CLASSES, CT_DEFECT_CLASSES, Rect
from inspection.results import Peak

Probabilities = NDArray[np.floating]
Labels = NDArray[np.int64]

HIT_MARGIN = 8.0
"""A peak this near a label polygon, in source pixels, still points at it."""
DEFECT_INDICES = np.array([CT_CLASSES.index(name) for name in CT_DEFECT_CLASSES])


def classification_figures(labels: Labels, probabilities: Probabilities) -> dict[str, Any]:
    """Return F1, precision and recall per class, their mean, accuracy, confusion and AUROC.

    Parameters
    ----------
    labels : (N,) indices into ``CT_CLASSES``
    probabilities : (N, 5)
    """
    predicted = probabilities.argmax(axis=1)
    present = sorted({*labels.tolist()})
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=present, zero_division=0.0
    )
    defect = np.isin(labels, DEFECT_INDICES)
    scores = probabilities[:, DEFECT_INDICES].sum(axis=1)
    return {
        # Over the classes that the lot has: an absent one has no F1.
        "macro_f1": float(f1.mean()),
        "accuracy": float(accuracy_score(labels, predicted)),
        "auroc": float(roc_auc_score(defect, scores)) if 0 < defect.sum() < len(defect) else None,
        "classes": {
            CT_CLASSES[index]: {
                "precision": float(precision[row]),
                "recall": float(recall[row]),
                "f1": float(f1[row]),
                "images": int(support[row]),
            }
            for row, index in enumerate(present)
        },
        "confusion": {
            "labels": list(CT_CLASSES),
            "rows": confusion_matrix(labels, predicted, labels=range(len(CT_CLASSES))).tolist(),
        },
    }


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


def peak_in_source(
    heat: NDArray[np.float32], content: Rect, input_size: tuple[int, int], roi: Rect
) -> Peak:
    """Return the hottest point of a map over the network's input, in source pixels."""
    return peak_of(crop_to_content(heat, content, input_size), roi)


def points_at_defect(peak: Peak, polygons: Sequence[NDArray[np.float32]]) -> bool:
    """Return whether the peak lies in a polygon grown by ``HIT_MARGIN`` source pixels."""
    point = (peak.x + 0.5, peak.y + 0.5)
    return any(
        cv2.pointPolygonTest(polygon.reshape(-1, 1, 2), point, True) >= -HIT_MARGIN
        for polygon in polygons
    )


def calibrate_temperature(logits: NDArray[np.floating], labels: Labels) -> float:
    """Return the divisor of the logits with the lowest negative log-likelihood.

    Parameters
    ----------
    logits : (N, 5)
    labels : (N,) indices into ``CT_CLASSES``

    References
    ----------
    Guo et al., On calibration of modern neural networks, arXiv:1706.04599.
    """
    # On a fixed grid, which ends even where every image is right and colder is always better.
    candidates = np.exp(np.linspace(np.log(0.25), np.log(8.0), 141))
    losses = [_negative_log_likelihood(logits / t, labels) for t in candidates]
    return float(candidates[int(np.argmin(losses))])


def _negative_log_likelihood(logits: NDArray[np.floating], labels: Labels) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return float((log_sum - shifted[np.arange(len(labels)), labels]).mean())
