"""From the scores of held-out good batteries to thresholds that could be set. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np

from inspection.modelstore.bundle import ThresholdFile
from inspection.modelstore.teaching import Proposal, Rate, ScoredBattery, ScoredView
from training.autoencoder.thresholds import ThresholdConfig, compute_threshold

Method = Literal["mean_std", "percentile"]
RULES: tuple[tuple[Method, float], ...] = (
    ("mean_std", 2.5),
    ("mean_std", 4.0),
    ("percentile", 95.0),
    ("percentile", 99.0),
    ("percentile", 100.0),
)
"""The first one is what a model is written with; the others trade overkill for escapes."""
FEWEST_TO_LEAVE_OUT = 3
"""Held-out batteries of which one can be left out, so that the others still say anything."""


def threshold_of(rule: tuple[Method, float], scores: Sequence[float], source: str) -> ThresholdFile:
    """Return the threshold that a rule gives for the scores of good images."""
    method, value = rule
    given = {"k": value} if method == "mean_std" else {"percentile": value}
    config = ThresholdConfig.model_validate({"method": method, **given})
    values = np.asarray(scores, np.float64)
    return compute_threshold(config, values, np.zeros(len(values), bool), source)


def proposals(
    views: Sequence[ScoredView], batteries: Sequence[ScoredBattery], judged: Collection[str]
) -> tuple[Proposal, ...]:
    """Return what each rule would set, with what it does to a battery that had no say in it.

    Parameters
    ----------
    views, batteries : held-out ones
    judged : batteries among them that have no say in any threshold
    """
    by_battery: dict[str, list[float]] = {}
    for row in views:
        if row.battery not in judged:
            by_battery.setdefault(row.battery, []).append(row.score)
    found = []
    for method, value in RULES:
        rule = (method, value)
        scores = [score for part in by_battery.values() for score in part]
        threshold = threshold_of(rule, scores, "").threshold
        called = [one.score > threshold for one in batteries if one.battery in judged]
        if len(by_battery) >= FEWEST_TO_LEAVE_OUT:
            for one in batteries:
                if one.battery in by_battery:
                    rest = (part for name, part in by_battery.items() if name != one.battery)
                    others = [score for part in rest for score in part]
                    called.append(one.score > threshold_of(rule, others, "").threshold)
        unseen = Rate(count=sum(called), total=len(called)) if called else None
        found.append(Proposal(method=method, value=value, threshold=threshold, unseen=unseen))
    return tuple(found)
