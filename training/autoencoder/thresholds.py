"""The score above which an image is an anomaly, computed from validation scores."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inspection.config import Config, Positive
from inspection.errors import ConfigError
from inspection.modelstore.bundle import ThresholdFile

Scores = NDArray[np.floating]
Labels = NDArray[np.bool_]
Method = Literal["mean_std", "percentile", "f1_max"]

SMALLEST = 1e-9
"""A threshold must be positive, also where every normal score is zero."""


class ThresholdConfig(Config):
    """The ``threshold`` block: ``k`` is for ``mean_std``, ``percentile`` for ``percentile``."""

    method: Method = "mean_std"
    k: Positive = 2.5
    percentile: float = Field(default=95.0, gt=0.0, le=100.0)


def mean_std_threshold(normal: Scores, k: float) -> float:
    """Return mean + k * std of normal scores (population std)."""
    return float(np.mean(normal) + k * np.std(normal))


def percentile_threshold(normal: Scores, percentile: float) -> float:
    """Return the score that ``percentile`` per cent of normal images do not exceed."""
    return float(np.percentile(normal, percentile))


def f1_max_threshold(scores: Scores, is_defect: Labels) -> float:
    """Return the threshold with the highest F1 of ``scores > threshold``.

    Every place where the decision changes is tried: below the lowest score and between each
    two neighbouring ones. Among equals the middle of the lowest interval wins, which misses
    the fewest defects.

    Parameters
    ----------
    scores : (N,)
    is_defect : (N,) bool, with at least one True
    """
    ordered = np.unique(scores.astype(np.float64))
    below, above = ordered[:-1], ordered[1:]
    middle = (below + above) / 2
    # Between two numbers that have none between them the middle is one of them.
    between = np.where(middle < above, middle, below)
    candidates = np.concatenate([[ordered[0] / 2], between])
    defects = np.sort(scores[is_defect].astype(np.float64))
    normals = np.sort(scores[~is_defect].astype(np.float64))
    hits = len(defects) - np.searchsorted(defects, candidates, side="right")
    false_alarms = len(normals) - np.searchsorted(normals, candidates, side="right")
    f1 = 2 * hits / (hits + false_alarms + len(defects))
    return float(candidates[int(np.argmax(f1))])


def compute_threshold(
    config: ThresholdConfig, scores: Scores, is_defect: Labels, computed_from: str
) -> ThresholdFile:
    """Return the threshold with its record.

    Parameters
    ----------
    config : method and its parameter
    scores : (N,) validation scores
    is_defect : (N,) bool; ``mean_std`` and ``percentile`` look at the normal images only
    computed_from : which images the scores are of, for the record

    Raises
    ------
    ConfigError
        If there is no normal image, or no defect where ``f1_max`` is asked for.
    """
    # Defects say nothing about where normal ends, but where F1 is asked for.
    normal = scores[~is_defect]
    if not len(normal):
        raise ConfigError("ae_no_scores", needed="normal")
    if config.method == "f1_max":
        if not is_defect.any():
            raise ConfigError("ae_no_scores", needed="defect")
        value = f1_max_threshold(scores, is_defect)
    elif config.method == "percentile":
        value = percentile_threshold(normal, config.percentile)
    else:
        value = mean_std_threshold(normal, config.k)
    return ThresholdFile(
        threshold=max(value, SMALLEST),
        method=config.method,
        k=config.k if config.method == "mean_std" else None,
        percentile=config.percentile if config.method == "percentile" else None,
        computed_from=computed_from,
        num_samples=len(scores) if config.method == "f1_max" else len(normal),
        mean_error=float(np.mean(normal)),
        std_error=float(np.std(normal)),
    )
