"""What a classifier in training says of the validation slices, and what its bundle needs of it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inspection.models.cnn import CtClassifier
from training.config import CnnConfig, Localisation
from training.dataset import DEFECT_INDICES, SliceCache
from training.metrics import macro_f1, macro_recall, peak_in_source, points_at_defect
from training.transforms import normalise

EVALUATION_BATCH = 32


@dataclass(frozen=True, slots=True)
class Validation:
    """What the network says of the validation slices.

    Parameters
    ----------
    logits : (N, 5) float32
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
    cache: SliceCache,
    config: CnnConfig,
    autocast: AbstractContextManager[object],
) -> Validation:
    """Judge every slice of a cache; leaves the model in evaluation mode."""
    model.eval()
    device = next(model.parameters()).device
    all_logits: list[Tensor] = []
    all_maps: list[Tensor] = []
    with torch.inference_mode():
        for start in range(0, len(cache.slices), EVALUATION_BATCH):
            part = cache.pixels[start : start + EVALUATION_BATCH]
            inputs = np.stack([normalise(pixels, config.preprocess) for pixels in part])
            x = torch.from_numpy(inputs).to(device).contiguous(memory_format=torch.channels_last)
            with autocast:
                logits, cams = model(x)
            all_logits.append(logits.float().cpu())
            all_maps.append(cams[:, list(DEFECT_INDICES)].float().cpu())
    logits, maps = torch.cat(all_logits), torch.cat(all_maps)
    labels = torch.from_numpy(cache.labels)
    predicted = logits.argmax(dim=1).numpy()
    hits, peaks = _localisation(maps.numpy(), predicted, cache, config)
    return Validation(
        logits=logits.numpy(),
        loss=float(functional.cross_entropy(logits, labels)),
        f1=macro_f1(cache.labels, predicted),
        accuracy=float((predicted == cache.labels).mean()),
        recall=macro_recall(cache.labels, predicted),
        cam_hit=float(np.mean(hits)) if hits else 0.0,
        display_scale=_display_scale(peaks, config.localisation),
    )


def _localisation(
    maps: NDArray[np.float32],
    predicted: NDArray[np.int64],
    cache: SliceCache,
    config: CnnConfig,
) -> tuple[list[bool], list[float]]:
    """Return, per correctly found defect, whether its map points at it, and its raw heat."""
    size = (config.preprocess.width, config.preprocess.height)
    hits: list[bool] = []
    peaks: list[float] = []
    for index, item in enumerate(cache.slices):
        if item.label not in DEFECT_INDICES or predicted[index] != item.label:
            continue
        if not item.polygons:
            continue
        heat = maps[index, DEFECT_INDICES.index(item.label)]
        hottest = float(heat.max())
        if hottest > 0:
            shown = np.clip(heat / hottest, 0.0, 1.0)
            peak = peak_in_source(shown, cache.contents[index], size, cache.rois[index])
            hits.append(points_at_defect(peak, item.polygons))
            peaks.append(hottest)
        else:
            hits.append(False)
    return hits, peaks


def _display_scale(peaks: list[float], localisation: Localisation) -> float:
    """Return the raw heat shown as 1.0: nine of ten defects peak below it, so few saturate."""
    return float(np.percentile(peaks, 90)) if peaks else localisation.peak
