"""From the scores of held-out good batteries to thresholds that could be set. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    views: Sequence[ScoredView], batteries: Sequence[ScoredBattery]
) -> tuple[Proposal, ...]:
    """Return what each rule would set, with what it does to a battery that had no say in it."""
    by_battery: Mapping[str, list[float]] = {row.battery: [] for row in views}
    for row in views:
        by_battery[row.battery].append(row.score)
    found = []
    for rule in RULES:
        unseen = None
        if len(batteries) >= FEWEST_TO_LEAVE_OUT:
            called = 0
            for one in batteries:
                others = [
                    s for name, part in by_battery.items() if name != one.battery for s in part
                ]
                called += one.score > threshold_of(rule, others, "").threshold
            unseen = Rate(count=called, total=len(batteries))
        threshold = threshold_of(rule, [row.score for row in views], "").threshold
        method, value = rule
        found.append(Proposal(method=method, value=value, threshold=threshold, unseen=unseen))
    return tuple(found)
