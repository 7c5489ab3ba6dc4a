"""Figures of the CT classifier on judged slices: F1 first, then rates, calibration, boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection.agreement.overlap import box_figures, locate
from inspection.classes import class_table
from inspection.comparison.bootstrap import ClusterBootstrap, Interval
from inspection.errors import ConfigError
from inspection.modelstore.bundle import Bundle
from training.evaluation.config import EvaluationConfig
from training.evaluation.judge import JudgedImage
from training.evaluation.metrics import (
    before_temperature,
    classification_figures,
    decision_rates,
    macro_f1,
    ranking_figures,
    reliability,
)


def ct_figures(
    bundle: Bundle, images: Sequence[JudgedImage], config: EvaluationConfig, lot: str
) -> dict[str, Any]:
    """Return the classifier's figures on slices whose class is known.

    ``defect`` holds the rates of defect against normal as the station decides it for a slice
    (summed defect probability over the threshold); ``cam_hit_rate`` is the share of correctly
    found defects whose map peaks in the label polygon or within 8 source pixels of it.

    Raises
    ------
    ConfigError
        If no slice has a known class.
    """
    table = class_table()
    types = [table.rows[name].battery_type for name in table.ct]
    known = [image for image in images if image.truth.name in table.ct and not image.error]
    if not known:
        raise ConfigError("no_labelled_slices", lot=lot)
    # A model that was trained before a class was added gives it no probability.
    rows = [[image.probabilities.get(name, 0.0) for name in table.ct] for image in known]
    probabilities = np.array(rows, np.float64)  # (N, classes)
    labels = np.array([table.ct.index(i.truth.name or "") for i in known], np.int64)
    predicted = probabilities.argmax(axis=1)
    scores = np.array([image.score for image in known], np.float64)
    is_defect = np.array([image.truth.is_defect for image in known], bool)
    called = np.array([image.score > image.threshold for image in known], bool)
    resamples = ClusterBootstrap([image.battery for image in known], config.bootstrap)
    # Of defects that were found: where the map of a missed one peaks says nothing.
    hits = [
        bool(image.peak_hit)
        for image, label, guess in zip(known, labels, predicted, strict=True)
        if image.truth.is_defect and label == guess and image.peak_hit is not None
    ]
    classes = resamples.class_f1(labels, predicted, len(table.ct))
    temperature, bins = bundle.manifest.temperature, config.calibration.bins
    raw = before_temperature(probabilities, temperature)
    before, after = (reliability(p, labels, bins) for p in (raw, probabilities))
    return {
        "model": bundle.manifest.name,
        "sha256": bundle.sha256,
        "batteries": len({image.battery for image in known}),
        "images": len(known),
        "failed": sum(image.error is not None for image in images),
        "unknown": sum(image.truth.name is None for image in images),
        "threshold": known[0].threshold,
        **classification_figures(labels, probabilities),
        "defect": decision_rates(called, is_defect) | ranking_figures(scores, is_defect),
        "macro_f1_per_axis": _macro_f1_per([i.ref.axis or "-" for i in known], labels, predicted),
        "macro_f1_per_type": _macro_f1_per(
            [types[label] or "-" for label in labels], labels, predicted
        ),
        "cam_hit_rate": float(np.mean(hits)) if hits else None,
        "cam_images": len(hits),
        "classes_absent": [n for i, n in enumerate(table.ct) if not (labels == i).any()],
        "calibration": {
            "temperature": temperature,
            "bins": bins,
            "ece_before": before.ece,
            "ece_after": after.ece,
            "before": asdict(before),
            "after": asdict(after),
        },
        "localisation": localisation(known, resamples, config.localisation.iou),
        "intervals": {
            "macro_f1": as_json(resamples.macro_f1(labels, predicted, len(table.ct))),
            "classes": {name: as_json(classes[i]) for i, name in enumerate(table.ct)},
            **decision_intervals(resamples, called, is_defect, scores),
        },
    }


def decision_intervals(
    resamples: ClusterBootstrap,
    called: NDArray[np.bool_],
    is_defect: NDArray[np.bool_],
    scores: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """Return the intervals of the rates of ``decision_rates``, and of the ranking of scores."""
    everything = np.ones(len(called), bool)
    intervals = {
        "accuracy": resamples.rate(called == is_defect, everything),
        "precision": resamples.rate(is_defect, called),
        "recall": resamples.rate(called, is_defect),
        "f1": resamples.f1(called, is_defect),
        "escape_rate": resamples.rate(~called, is_defect),
        "overkill_rate": resamples.rate(called, ~is_defect),
    }
    # A ranking needs both sorts.
    if scores is not None and is_defect.any() and not is_defect.all():
        intervals["auroc"] = resamples.auroc(scores, is_defect)
        intervals["ap"] = resamples.average_precision(scores, is_defect)
    return {name: as_json(interval) for name, interval in intervals.items()}


def localisation(
    images: Sequence[JudgedImage], resamples: ClusterBootstrap, iou: float
) -> dict[str, Any]:
    """Return how the boxes that the station shows lie on the labelled defects."""
    located = [locate(image.boxes, image.truth.polygons, iou) for image in images]
    matched = np.array([item.matched for item in located], np.float64)
    marked = np.array([item.boxes + item.defects for item in located], np.float64)
    f1 = resamples.ratio(2 * matched, marked)
    return box_figures(located, iou) | {"f1_interval": as_json(f1)}


def as_json(interval: Interval | None) -> dict[str, Any] | None:
    """Return an interval as plain data."""
    return None if interval is None else asdict(interval)


def _macro_f1_per(
    groups: Sequence[str], labels: NDArray[np.int64], predicted: NDArray[np.int64]
) -> dict[str, float]:
    names = np.asarray(groups)
    return {
        name: macro_f1(labels[names == name], predicted[names == name])
        for name in sorted(set(groups))
    }
