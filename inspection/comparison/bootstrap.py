"""Confidence intervals by drawing whole batteries: images of one battery are no independent draws.

A percentile bootstrap [1] over clusters [2]. Every figure is computed from sums per battery, or
from images weighted by how often their battery was drawn, so that all resamples are one matrix
product and no resample is ever materialised.

References
----------
[1] Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
[2] Field and Welsh, Bootstrapping clustered data, JRSS B 69 (2007).
[3] Clopper and Pearson, Biometrika 26 (1934).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inspection.config import Config

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
CHUNK = 4_000_000
"""Weights held at a time, so that 200,000 images fit any machine."""


class BootstrapConfig(Config):
    """Percentile bootstrap over batteries."""

    resamples: int = Field(default=2000, ge=100, le=100_000)
    confidence: float = Field(default=0.95, gt=0.0, lt=1.0)
    seed: int = Field(default=20261122, ge=0)


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval.

    Parameters
    ----------
    low, high : bounds
    method : ``clopper_pearson`` where the rate is 0 or 1: there every resample is the same, and a
        bootstrap would claim certainty. Its trials are the batteries that could have failed.
    """

    low: float
    high: float
    method: Literal["cluster_bootstrap", "clopper_pearson"] = "cluster_bootstrap"


class ClusterBootstrap:
    """Resamples of batteries, drawn once and shared by every figure.

    Parameters
    ----------
    clusters : (N,) battery of each item; items are images, or batteries themselves
    config : number of resamples, confidence and seed
    """

    def __init__(self, clusters: Sequence[str], config: BootstrapConfig) -> None:
        names, self._owner = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
        self._clusters = len(names)
        self._confidence = config.confidence
        rng = np.random.default_rng(config.seed)
        share = np.full(self._clusters, 1.0 / max(1, self._clusters))
        # (R, C): how often each battery was drawn.
        self._draws = rng.multinomial(self._clusters, share, size=config.resamples).astype(float)

    def rate(self, part: Bools, whole: Bools) -> Interval | None:
        """Return the interval of ``sum(part & whole) / sum(whole)``; None where ``whole`` is empty.

        Parameters
        ----------
        part, whole : (N,) bool
        """
        hits, trials = part & whole, whole
        if not trials.any():
            return None
        if hits.sum() in (0, trials.sum()):
            # Of none or all the beta quantiles of [3] are powers: no statistics package is needed.
            bound = ((1 - self._confidence) / 2) ** (1 / len(np.unique(self._owner[trials])))
            low, high = (bound, 1.0) if hits.any() else (0.0, 1 - bound)
            return Interval(low, high, "clopper_pearson")
        return self.ratio(hits.astype(float), trials.astype(float))

    def f1(self, called: Bools, truth: Bools) -> Interval | None:
        """Return the interval of the F1 of ``called`` for ``truth``, both (N,) bool."""
        return self.ratio(2.0 * (called & truth).astype(float), called.astype(float) + truth)

    def ratio(self, part: Floats, whole: Floats) -> Interval | None:
        """Return the interval of ``sum(part) / sum(whole)``, both (N,)."""
        totals = self._totals(np.stack([part, whole], axis=1))
        return self._interval(_divide(totals[:, 0], totals[:, 1]))

    def macro_f1(
        self,
        labels: NDArray[np.int64],
        predicted: NDArray[np.int64],
        classes: int,
        among: Sequence[int] | None = None,
    ) -> Interval | None:
        """Return the interval of the mean F1 over the classes that a resample holds.

        Parameters
        ----------
        labels, predicted : (N,)
        classes : how many there are
        among : those that count in the mean; all by default
        """
        values = self._class_f1(labels, predicted, classes)
        values = values[:, list(range(classes) if among is None else among)]
        known = np.isfinite(values)
        return self._interval(_divide(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1)))

    def class_f1(
        self, labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
    ) -> list[Interval | None]:
        """Return the interval of each class's F1."""
        values = self._class_f1(labels, predicted, classes)
        return [self._interval(values[:, index]) for index in range(classes)]

    def auroc(self, scores: Floats, truth: Bools) -> Interval | None:
        """Return the interval of the area under the ROC curve."""
        return self._interval(self._ranked(scores, truth, _auroc))

    def average_precision(self, scores: Floats, truth: Bools) -> Interval | None:
        """Return the interval of the average precision."""
        return self._interval(self._ranked(scores, truth, _average_precision))

    def _totals(self, columns: Floats) -> Floats:
        """Return (R, K) sums of (N, K) columns in every resample."""
        sums = np.zeros((self._clusters, columns.shape[1]))
        np.add.at(sums, self._owner, columns)
        return self._draws @ sums

    def _class_f1(
        self, labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
    ) -> Floats:
        known = np.eye(classes)
        truth, called = known[labels], known[predicted]
        totals = self._totals(np.concatenate([truth * called, truth, called], axis=1))
        hits, support, alarms = np.split(totals, 3, axis=1)
        # A class that no drawn battery has is no part of that resample's mean.
        return np.where(support > 0, _divide(2 * hits, support + alarms), np.nan)

    def _ranked(
        self, scores: Floats, truth: Bools, figure: Callable[[Floats, Floats], Floats]
    ) -> Floats:
        """Return (R,) values of a figure of ranked scores.

        ``figure`` gets the weights of positives and negatives at each distinct score, (r, U) each,
        by rising score.
        """
        order = np.argsort(scores, kind="stable")
        starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
        positive = truth[order].astype(float)
        owner = self._owner[order]
        step = max(1, CHUNK // max(1, len(scores)))
        values = []
        for begin in range(0, len(self._draws), step):
            weights = self._draws[begin : begin + step][:, owner]  # (r, N)
            above = np.add.reduceat(weights * positive, starts, axis=1)
            below = np.add.reduceat(weights * (1 - positive), starts, axis=1)
            values.append(figure(above, below))
        return np.concatenate(values)

    def _interval(self, values: Floats) -> Interval | None:
        """Return the percentiles of the resamples that have the figure at all."""
        known = values[np.isfinite(values)]
        # Were half of them without it, the rest would be no fair sample.
        if len(known) * 2 < len(values) or not len(known):
            return None
        tail = (1 - self._confidence) / 2
        low, high = np.quantile(known, [tail, 1 - tail])
        return Interval(float(low), float(high))


def _auroc(positive: Floats, negative: Floats) -> Floats:
    beaten = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    return _divide((positive * beaten).sum(axis=1), pairs)


def _average_precision(positive: Floats, negative: Floats) -> Floats:
    hits = np.cumsum(positive[:, ::-1], axis=1)
    alarms = np.cumsum(negative[:, ::-1], axis=1)
    precision = np.divide(hits, hits + alarms, out=np.zeros_like(hits), where=hits + alarms > 0)
    return _divide((positive[:, ::-1] * precision).sum(axis=1), positive.sum(axis=1))


def _divide(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, NaN where there is nothing to divide by."""
    out = np.full(np.shape(part), np.nan)
    return np.asarray(np.divide(part, whole, out=out, where=whole > 0), np.float64)
