"""Thresholds against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.metrics import f1_score, precision_recall_curve

from inspection.errors import ConfigError
from training.autoencoder.thresholds import (
    ThresholdConfig,
    compute_threshold,
    f1_max_threshold,
    mean_std_threshold,
    percentile_threshold,
)


def test_mean_std_is_the_mean_and_k_population_deviations():
    # mean 5, population variance 4
    scores = np.array([2, 4, 4, 4, 5, 5, 7, 9], float)
    assert mean_std_threshold(scores, 2.5) == pytest.approx(5 + 2.5 * 2)


def test_percentile_interpolates_between_neighbours():
    assert percentile_threshold(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), 95) == pytest.approx(3.8)


def test_f1_max_separates_what_can_be_separated():
    scores = np.array([0.1, 0.2, 0.3, 0.7, 0.9])
    defects = np.array([False, False, False, True, True])
    assert f1_max_threshold(scores, defects) == pytest.approx(0.5)


def test_f1_max_takes_the_lower_of_two_equals():
    # Above 0.35: 2 hits, 1 alarm, F1 0.8. Above 0.65: 1 hit, F1 2/3. Below all: F1 2/3.
    scores = np.array([0.1, 0.2, 0.5, 0.6, 0.7])
    defects = np.array([False, False, True, False, True])
    assert f1_max_threshold(scores, defects) == pytest.approx(0.35)


@example([(1.0000000000000002e-06, True), (1e-06, False)])  # nothing lies between them
@given(
    st.lists(st.tuples(st.floats(1e-6, 100), st.booleans()), min_size=1, max_size=40).filter(
        lambda rows: any(defect for _, defect in rows)
    )
)
def test_no_other_threshold_has_a_higher_f1(rows):
    scores = np.array([score for score, _ in rows])
    defects = np.array([defect for _, defect in rows])

    def f1(threshold: float) -> float:
        called = scores > threshold
        return 2 * np.sum(called & defects) / (np.sum(called) + np.sum(defects))

    best = f1(f1_max_threshold(scores, defects))
    # Every decision that any threshold can make is made by one of the scores or by 0.
    assert all(best >= f1(t) - 1e-12 for t in [0.0, *scores])


def test_the_record_counts_the_normal_images_only():
    scores, defects = np.array([1.0, 3.0, 50.0]), np.array([False, False, True])
    record = compute_threshold(ThresholdConfig(method="mean_std", k=2.0), scores, defects, "lot A")
    assert (record.threshold, record.mean_error, record.std_error) == (4.0, 2.0, 1.0)
    assert (record.k, record.percentile, record.num_samples) == (2.0, None, 2)
    assert record.computed_from == "lot A"


def test_f1_max_counts_all_images():
    scores, defects = np.array([1.0, 3.0, 50.0]), np.array([False, False, True])
    record = compute_threshold(ThresholdConfig(method="f1_max"), scores, defects, "lot A")
    assert (record.threshold, record.k, record.percentile) == (26.5, None, None)
    assert record.num_samples == 3


@pytest.mark.parametrize(
    ("method", "defects", "needed"),
    [("f1_max", [False, False], "defect"), ("mean_std", [True, True], "normal")],
)
def test_a_threshold_without_its_images_is_refused(method, defects, needed):
    with pytest.raises(ConfigError, match=f"no {needed} image"):
        compute_threshold(
            ThresholdConfig(method=method), np.array([1.0, 2.0]), np.array(defects), "lot A"
        )


def test_an_unknown_key_is_refused():
    with pytest.raises(ValidationError):
        ThresholdConfig.model_validate({"method": "mean_std", "sigma": 3})


@pytest.mark.parametrize("seed", range(6))
def test_f1_max_is_the_best_point_of_scikit_learns_curve(seed):
    rng = np.random.default_rng(seed)
    # Few distinct scores: most of them are ties, between the classes too.
    scores = rng.integers(1, 12, 300) / 12
    defects = rng.random(300) < scores**2
    precision, recall, _ = precision_recall_curve(defects, scores)
    best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
    called = scores > f1_max_threshold(scores, defects)
    assert f1_score(defects, called) == pytest.approx(best)


def test_tied_scores_are_called_all_or_none():
    scores, defects = np.full(4, 0.3), np.array([True, False, False, True])
    assert f1_max_threshold(scores, defects) < 0.3


def test_the_percentile_agrees_with_its_definition():
    normal = np.random.default_rng(2).random(1001)
    threshold = percentile_threshold(normal, 95)
    assert np.mean(normal <= threshold) == pytest.approx(0.95, abs=1 / 1001)
