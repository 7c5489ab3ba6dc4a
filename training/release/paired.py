"""How much one model's rate differs from another's on the same units, and how surely."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from inspection.modelstore.release_records import Difference

Bools = NDArray[np.bool_]
RESAMPLES = 2000
SEED = 20261128
_HALVINGS = 60


def rate_difference(
    failed: Bools, present_failed: Bools, confidence: float = 0.95
) -> Difference | None:
    """Return the difference of two rates on the same units, with Tango's score interval.

    It holds where the two agree on every unit, too: 0 of 20 and 0 of 20 may still be apart by 0.16.

    Parameters
    ----------
    failed, present_failed : (N,) bool, of the new model and of the present one; None for N = 0
    confidence : of the two-sided interval

    References
    ----------
    Tango, Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design, Statistics in Medicine 17 (1998).
    """
    count = len(failed)
    if not count:
        return None
    worse = int(np.sum(failed & ~present_failed))
    better = int(np.sum(present_failed & ~failed))
    low, high = tango(worse, better, count, confidence)
    value = (worse - better) / count
    return Difference(value=value, low=low, high=high, method="tango", worse=worse, better=better)


def tango(worse: int, better: int, count: int, confidence: float) -> tuple[float, float]:
    """Return the interval of the difference ``worse / count - better / count`` of paired rates."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)

    def score(difference: float) -> float:
        # Of the likelihood under this difference, the share of units where only one fails.
        linear = -worse - better + (2 * count - worse + better) * difference
        constant = -better * difference * (1 - difference)
        root = math.sqrt(max(0.0, linear * linear - 8 * count * constant))
        share = (root - linear) / (4 * count)
        spread = count * (2 * share + difference * (1 - difference))
        distance = worse - better - count * difference
        if spread <= 0:
            return math.copysign(math.inf, distance) if distance else 0.0
        return distance / math.sqrt(spread)

    def crossing(low: float, high: float, level: float) -> float:
        # The score falls as the difference grows.
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if score(middle) > level else (low, middle)
        return (low + high) / 2

    found = (worse - better) / count
    return crossing(-1.0, found, z), crossing(found, 1.0, -z)


def f1_difference(
    called: Bools, present_called: Bools, defective: Bools, confidence: float = 0.95
) -> Difference | None:
    """Return the difference of the F1 of two models, with a bootstrap over the units.

    Both models are drawn together. Where they agree on every unit every resample is alike, and
    the interval is None: it would claim a certainty that is not there.

    Parameters
    ----------
    called, present_called : (N,) bool, what either calls defective
    defective : (N,) bool, the truth
    """
    if not defective.any():
        return None
    columns = np.stack(
        [called & defective, called, present_called & defective, present_called, defective],
        axis=1,
    ).astype(float)
    value = float(_difference(columns.sum(axis=0)[None])[0])
    right, before = called == defective, present_called == defective
    worse, better = int(np.sum(before & ~right)), int(np.sum(right & ~before))
    low = high = None
    if worse or better:
        count = len(defective)
        draws = np.random.default_rng(SEED).multinomial(
            count, np.full(count, 1.0 / count), size=RESAMPLES
        )
        values = _difference(draws @ columns)
        # A resample without any defective unit has no F1.
        known = values[np.isfinite(values)]
        tail = (1 - confidence) / 2
        low, high = (float(bound) for bound in np.quantile(known, [tail, 1 - tail]))
    return Difference(
        value=value, low=low, high=high, method="bootstrap", worse=worse, better=better
    )


def _difference(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the difference of the two F1 of each row of sums, (R, 5)."""
    hits, alarms, present_hits, present_alarms, defects = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        found = 2 * hits / (alarms + defects) - 2 * present_hits / (present_alarms + defects)
    return np.where(defects > 0, found, np.nan)
