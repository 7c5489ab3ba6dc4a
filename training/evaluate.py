"""Figures of the models of a folder on a labelled lot, by the station's own predictors."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection.bundle import Bundle, find_bundle
from inspection.errors import ConfigError
from inspection.images import ModelInput, Preprocess, load_image, to_model_input
from inspection.models.cnn import CnnPredictor
from inspection.records import CT_CLASSES, Rect
from inspection.results import Peak
from training.dataset import Slice, read_slices
from training.metrics import (
    DEFECT_INDICES,
    classification_figures,
    macro_f1,
    peak_in_source,
    points_at_defect,
)

BATCH = 16
FUSED_SLOTS = ("ct_cnn", "rgb_ae")
"""Only with both can batteries be judged."""


def evaluate_models(models_dir: Path, lot: Path, device: str = "cpu") -> dict[str, Any]:
    """Return the figures of every model in a folder.

    Raises
    ------
    InspectionError
        If the folder holds no model, a model is altered, or the lot has no labels.
    """
    models: dict[str, Any] = {}
    if (models_dir / "ct_cnn").is_dir():
        models["ct_cnn"] = evaluate_ct(find_bundle(models_dir, "ct_cnn"), lot, device)
    if (models_dir / "rgb_ae").is_dir():
        from training.evaluate_rgb import evaluate_rgb

        models["rgb_ae"] = evaluate_rgb(find_bundle(models_dir, "rgb_ae"), lot)
    if not models:
        raise ConfigError("no_models", folder=str(models_dir))
    figures: dict[str, Any] = {"lot": lot.name, "models": models}
    if len(models) == len(FUSED_SLOTS):
        from training.evaluate_batteries import evaluate_batteries

        figures["batteries"] = evaluate_batteries(models_dir, lot, device)
    return figures


def evaluate_ct(bundle: Bundle, lot: Path, device: str = "cpu") -> dict[str, Any]:
    """Return the classifier's figures on the labelled slices of a lot.

    ``cam_hit_rate`` is the share of correctly found defects whose map peaks in the label polygon
    or within 8 source pixels of it.

    Raises
    ------
    ConfigError
        If the lot has no labelled slice.
    """
    slices = read_slices([lot])
    if not slices:
        raise ConfigError("no_labelled_slices", lot=lot.name)
    probabilities, peaks = judge_slices(CnnPredictor(bundle, device), slices)
    labels = np.array([item.label for item in slices], np.int64)
    predicted = probabilities.argmax(axis=1)
    found = [
        points_at_defect(peaks[i], item.polygons)
        for i, item in enumerate(slices)
        if item.label in DEFECT_INDICES and predicted[i] == item.label and item.polygons
    ]
    axes = np.array([item.ref.axis or "-" for item in slices])
    return {
        "model": bundle.manifest.name,
        "sha256": bundle.sha256,
        "batteries": len({item.battery for item in slices}),
        "images": len(slices),
        **classification_figures(labels, probabilities),
        "macro_f1_per_axis": {
            axis: macro_f1(labels[axes == axis], predicted[axes == axis])
            for axis in sorted(set(axes.tolist()))
        },
        "cam_hit_rate": float(np.mean(found)) if found else None,
        "cam_images": len(found),
        "classes_absent": [n for i, n in enumerate(CT_CLASSES) if not (labels == i).any()],
    }


def judge_slices(
    predictor: CnnPredictor, slices: Sequence[Slice]
) -> tuple[NDArray[np.float32], list[Peak]]:
    """Return (N, 5) probabilities and the peak of each slice's anomaly map, in source pixels."""
    spec = predictor.preprocess
    probabilities: list[NDArray[np.float32]] = []
    peaks: list[Peak] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for start in range(0, len(slices), BATCH):
            part = slices[start : start + BATCH]
            prepared = list(pool.map(lambda item: _prepare(item, spec), part))
            output = predictor.predict(np.stack([item.array for item, _ in prepared]))
            probabilities.append(output.probabilities)
            for heat, (item, roi) in zip(predictor.anomaly_maps(output), prepared, strict=True):
                size = (spec.width, spec.height)
                peaks.append(peak_in_source(heat, item.content, size, roi))
    return np.concatenate(probabilities), peaks


def _prepare(item: Slice, spec: Preprocess) -> tuple[ModelInput, Rect]:
    fit = (spec.width, spec.height)
    image = load_image(item.ref.path, modality="ct", roi=item.roi, fit=fit)
    return to_model_input(image, spec), image.roi
