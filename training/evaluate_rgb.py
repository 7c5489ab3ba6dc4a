"""How well an autoencoder's bundle judges a labelled lot: views, batteries, heat-map peaks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from inspection.bundle import Bundle
from inspection.config import InspectorConfig, load_inspector
from inspection.images import load_image, to_model_input
from inspection.models.cae import CaePredictor
from training.metrics import peak_in_source, points_at_defect
from training.views import View, read_views

BATCH = 8


@dataclass(frozen=True, slots=True)
class JudgedView:
    """A view with the model's word on it.

    Parameters
    ----------
    peak_inside : whether the map peaks at the defect; None where there is no polygon
    visibility : how visible the defect was made; None on normal views and real lots
    """

    view: View
    score: float
    peak_inside: bool | None
    visibility: str | None = None


def evaluate_rgb(
    bundle: Bundle, lot: Path, policy: InspectorConfig | None = None
) -> dict[str, Any]:
    """Return the figures of an autoencoder on a labelled lot.

    Parameters
    ----------
    bundle : with its threshold
    lot : labelled; per-visibility figures need the ``truth.json`` of a synthetic lot
    policy : how views make a battery, by default the installed ``inspector.yaml``

    Returns
    -------
    dict
        ``views`` (n, auroc, ap, f1, precision, recall, escape_rate, overkill_rate), ``batteries``
        (the same rates), ``peak_hit_rate`` among detected defects, ``by_type`` and
        ``by_visibility`` recall with n, ``threshold``. A rate with nothing to count is None.
    """
    predictor = CaePredictor(bundle)
    views = read_views(lot, predictor.preprocess.modality)
    judged = list(judge_views(predictor, views, read_visibility(lot)))
    rules = (policy or load_inspector()).aggregation
    return summarise(judged, predictor.threshold, rules.top_k_views)


def read_visibility(lot: Path) -> dict[tuple[str, int], str]:
    """Return the visibility of a synthetic lot's exterior defects by battery and view number."""
    path = lot / "truth.json"
    if not path.is_file():
        return {}
    truth = json.loads(path.read_text(encoding="utf-8"))
    return {
        (battery_id, int(number)): str(defect["visibility"])
        for battery_id, battery in truth.items()
        for defect in battery["external"]
        for number in defect["views"]
    }


def judge_views(
    predictor: CaePredictor,
    views: Sequence[View],
    visibility: Mapping[tuple[str, int], str] | None = None,
) -> Iterator[JudgedView]:
    """Judge views exactly as the station does, peaks included."""
    spec = predictor.preprocess
    size = (spec.width, spec.height)
    for start in range(0, len(views), BATCH):
        part = views[start : start + BATCH]
        images = [load_image(v.ref.path, modality=v.ref.modality, fit=size) for v in part]
        inputs = [to_model_input(image, spec) for image in images]
        output = predictor.predict(np.stack([i.array for i in inputs]))
        for i, view in enumerate(part):
            peak = peak_in_source(output.maps[i], inputs[i].content, size, images[i].roi)
            inside = points_at_defect(peak, view.polygons) if view.polygons else None
            shown = (visibility or {}).get((view.ref.battery_id, view.ref.number))
            yield JudgedView(
                view, float(output.scores[i]), inside, shown if view.is_defect else None
            )


def summarise(judged: Sequence[JudgedView], threshold: float, top_k: int) -> dict[str, Any]:
    """Return the figures of judged views; see ``evaluate_rgb``."""
    scores = np.array([j.score for j in judged], np.float64)
    is_defect = np.array([j.view.is_defect for j in judged], bool)
    two_sided = bool(is_defect.any() and not is_defect.all())
    views = decision_rates(scores > threshold, is_defect)
    views["auroc"] = float(roc_auc_score(is_defect, scores)) if two_sided else None
    views["ap"] = float(average_precision_score(is_defect, scores)) if two_sided else None
    found = [j for j in judged if j.peak_inside is not None and j.score > threshold]
    defects = [j for j in judged if j.view.is_defect]
    types = ["+".join(sorted({*j.view.defects})) for j in defects]
    return {
        "threshold": threshold,
        "views": views,
        "batteries": battery_figures(judged, threshold, top_k),
        "peak_hit_rate": _rate(sum(bool(j.peak_inside) for j in found), len(found)),
        "by_type": _recall_by(types, defects, threshold),
        "by_visibility": _recall_by([j.visibility for j in defects], defects, threshold),
    }


def decision_rates(called: NDArray[np.bool_], is_defect: NDArray[np.bool_]) -> dict[str, Any]:
    """Return n, precision, recall, f1, escape_rate (missed defects), overkill_rate."""
    hits = int(np.sum(called & is_defect))
    alarms, defects = int(np.sum(called)), int(np.sum(is_defect))
    normals = len(is_defect) - defects
    return {
        "n": len(is_defect),
        "defects": defects,
        "precision": _rate(hits, alarms),
        "recall": _rate(hits, defects),
        "f1": _rate(2 * hits, alarms + defects),
        "escape_rate": _rate(defects - hits, defects),
        "overkill_rate": _rate(alarms - hits, normals),
    }


def battery_figures(judged: Sequence[JudgedView], threshold: float, top_k: int) -> dict[str, Any]:
    """Return the rates over batteries, whose score is the mean of their ``top_k`` highest views."""
    by_battery: dict[str, list[JudgedView]] = {}
    for item in judged:
        by_battery.setdefault(item.view.battery, []).append(item)
    called, truth, escaped = [], [], []
    for battery, items in by_battery.items():
        top = sorted((j.score for j in items), reverse=True)[:top_k]
        called.append(float(np.mean(top)) > threshold)
        truth.append(any(j.view.is_defect for j in items))
        if truth[-1] and not called[-1]:
            seen = sorted({j.visibility for j in items if j.visibility})
            escaped.append(f"{battery} ({', '.join(seen) or 'visibility unknown'})")
    rates = decision_rates(np.array(called, bool), np.array(truth, bool))
    return {**rates, "top_k_views": top_k, "escaped": escaped}


def _recall_by(
    groups: Sequence[str | None], defects: Sequence[JudgedView], threshold: float
) -> dict[str, dict[str, Any]]:
    found: dict[str, list[bool]] = {}
    for group, item in zip(groups, defects, strict=True):
        if group is not None:
            found.setdefault(group, []).append(item.score > threshold)
    return {g: {"n": len(f), "recall": sum(f) / len(f)} for g, f in sorted(found.items())}


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None
