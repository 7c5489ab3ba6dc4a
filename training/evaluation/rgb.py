"""How well an autoencoder judges labelled images: views, batteries, boxes, heat-map peaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from inspection.comparison.bootstrap import ClusterBootstrap
from inspection.errors import ConfigError
from inspection.modelstore.bundle import Bundle
from training.evaluation.config import EvaluationConfig
from training.evaluation.ct import decision_intervals, localisation
from training.evaluation.judge import JudgedImage
from training.evaluation.metrics import decision_rates, ranking_figures


def view_figures(
    bundle: Bundle, images: Sequence[JudgedImage], config: EvaluationConfig, top_k: int, lot: str
) -> dict[str, Any]:
    """Return the figures of judged images whose truth is known.

    Returns
    -------
    dict
        ``views`` (n, auroc, ap and the rates), ``batteries`` (the same rates; a battery's score is
        the mean of its ``top_k`` highest), ``peak_hit_rate`` among detected defects, ``by_type``
        and ``by_visibility`` recall with n, ``localisation``, ``threshold``, ``intervals`` of
        views and batteries. A rate with nothing to count is None.

    Raises
    ------
    ConfigError
        If the truth of no image is known.
    """
    known = [image for image in images if image.truth.name is not None and not image.error]
    if not known:
        raise ConfigError("no_labelled_views", lot=lot)
    scores = np.array([image.score for image in known], np.float64)
    is_defect = np.array([image.truth.is_defect for image in known], bool)
    called = np.array([image.score > image.threshold for image in known], bool)
    resamples = ClusterBootstrap([image.battery for image in known], config.bootstrap)
    hits = [i.peak_hit for i in known if i.peak_hit is not None and i.score > i.threshold]
    defects = [image for image in known if image.truth.is_defect]
    batteries, battery_intervals = _battery_figures(known, config, top_k)
    return {
        "model": bundle.manifest.name,
        "sha256": bundle.sha256,
        "threshold": known[0].threshold,
        "threshold_record": bundle.threshold.model_dump(mode="json") if bundle.threshold else None,
        "failed": sum(image.error is not None for image in images),
        "unknown": sum(image.truth.name is None for image in images),
        "views": decision_rates(called, is_defect) | ranking_figures(scores, is_defect),
        "batteries": batteries,
        "peak_hit_rate": sum(hits) / len(hits) if hits else None,
        "peak_images": len(hits),
        "by_type": _recall_by(["+".join(sorted({*i.truth.defects})) for i in defects], defects),
        "by_visibility": _recall_by([i.truth.visibility for i in defects], defects),
        "localisation": localisation(known, resamples, config.localisation.iou),
        "intervals": {
            "views": decision_intervals(resamples, called, is_defect, scores),
            "batteries": battery_intervals,
        },
    }


def _battery_figures(
    images: Sequence[JudgedImage], config: EvaluationConfig, top_k: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return rates over batteries, with the names of the missed ones, and their intervals."""
    by_battery: dict[str, list[JudgedImage]] = {}
    for image in images:
        by_battery.setdefault(image.battery, []).append(image)
    called, truth, escaped = [], [], []
    for battery, members in by_battery.items():
        top = sorted((image.score for image in members), reverse=True)[:top_k]
        called.append(float(np.mean(top)) > members[0].threshold)
        truth.append(any(image.truth.is_defect for image in members))
        if truth[-1] and not called[-1]:
            seen = sorted({i.truth.visibility for i in members if i.truth.visibility})
            escaped.append(f"{battery} ({', '.join(seen) or 'visibility unknown'})")
    decisions = np.array(called, bool), np.array(truth, bool)
    # Here each item is a battery itself.
    resamples = ClusterBootstrap(list(by_battery), config.bootstrap)
    rates = decision_rates(*decisions) | {"top_k_views": top_k, "escaped": escaped}
    return rates, decision_intervals(resamples, *decisions)


def _recall_by(
    groups: Sequence[str | None], defects: Sequence[JudgedImage]
) -> dict[str, dict[str, Any]]:
    found: dict[str, list[bool]] = {}
    for group, image in zip(groups, defects, strict=True):
        if group is not None:
            found.setdefault(group, []).append(image.score > image.threshold)
    return {g: {"n": len(f), "recall": sum(f) / len(f)} for g, f in sorted(found.items())}
