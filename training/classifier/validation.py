"""What a classifier in training says of the validation slices, and what its bundle needs of it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from inspection.images.heatmaps import crop_to_content, peak_of
from inspection.records import Rect
from inspection.systems.ensemble.backbones import CtClassifier
from training.classifier.config import CnnConfig
from training.classifier.dataset import SliceImages
from training.data.prefetch import prefetch
from training.data.transforms import normalise
from training.evaluation.metrics import defect_indices, macro_f1, macro_recall, points_at_defect
from training.loop.distributed import Processes

EVALUATION_BATCH = 32

_Place = tuple[Rect, Rect]
"""Where the inspected part lies in the input, and in the source."""
_Row = tuple[NDArray[np.float32], NDArray[np.float32], _Place]
"""Logits (classes,), maps of the defect classes (defects, h, w), and where they lie."""


@dataclass(frozen=True, slots=True)
class Validation:
    """What the network says of the validation slices.

    Parameters
    ----------
    logits : (N, classes) float32
    loss, f1, accuracy, recall : figures; recall and F1 are means over classes
    cam_hit : share of the correctly found defects whose map peaks at the defect
    display_scale : raw heat to be shown as 1.0
    """

    logits: NDArray[np.float32]
    loss: float
    f1: float
    accuracy: float
    recall: float
    cam_hit: float
    display_scale: float


def validate(
    model: CtClassifier,
    images: SliceImages,
    config: CnnConfig,
    context: AbstractContextManager[object],
    processes: Processes,
) -> Validation:
    """Judge every slice, each process its share; leaves the model in evaluation mode.

    Parameters
    ----------
    model : the classifier
    images : validation slices
    config : of the training
    context : of mixed precision
    processes : that all call this, and all get the same result
    """
    model.eval()
    device = model.fc.weight.device
    mine = list(processes.share(range(len(images))))
    chunks = [mine[i : i + EVALUATION_BATCH] for i in range(0, len(mine), EVALUATION_BATCH)]

    def prepare(chunk: list[int]) -> tuple[NDArray[np.float32], list[_Place]]:
        read = [images.read(index)[0] for index in chunk]
        inputs = np.stack([normalise(image.pixels, config.preprocess) for image in read])
        return inputs, [(image.content, image.roi) for image in read]

    rows: list[_Row] = []
    with torch.inference_mode():
        for inputs, places in prefetch(prepare, chunks, config.training.workers):
            x = torch.from_numpy(inputs).to(device).contiguous(memory_format=torch.channels_last)
            with context:
                logits, cams = model(x)
            maps = cams[:, list(defect_indices())].float().cpu().numpy()
            rows += zip(logits.float().cpu().numpy(), maps, places, strict=True)
    # Figures are no means over processes: F1 needs all rows in one place.
    rows = processes.gather(rows, len(images))
    logits, labels = np.stack([row[0] for row in rows]), images.labels
    predicted = logits.argmax(axis=1)
    # Of each defect that was found: whether its map points at it, and its raw heat.
    size = (config.preprocess.width, config.preprocess.height)
    hits: list[bool] = []
    peaks: list[float] = []
    for item, guess, (_, maps, (content, roi)) in zip(images.slices, predicted, rows, strict=True):
        if item.label not in defect_indices() or guess != item.label:
            continue
        heat = maps[defect_indices().index(item.label)]
        hottest = float(heat.max())
        if hottest > 0:
            peaks.append(hottest)
        if not item.polygons:
            continue
        if hottest > 0:
            shown = np.clip(heat / hottest, 0.0, 1.0)
            peak = peak_of(crop_to_content(shown, content, size), roi)
        hits.append(hottest > 0 and points_at_defect(peak, item.polygons))
    loss = functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    return Validation(
        logits=logits,
        loss=float(loss),
        f1=macro_f1(labels, predicted),
        accuracy=float((predicted == labels).mean()),
        recall=macro_recall(labels, predicted),
        cam_hit=float(np.mean(hits)) if hits else 0.0,
        # Nine of ten defects peak below it, so few saturate.
        display_scale=float(np.percentile(peaks, 90)) if peaks else config.localisation.peak,
    )
