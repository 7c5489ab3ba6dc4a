"""Figures against scikit-learn and values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from training.evaluation.metrics import (
    before_temperature,
    classification_figures,
    decision_rates,
    ranking_figures,
    reliability,
)


def softmax(logits: np.ndarray) -> np.ndarray:
    raw = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raw / raw.sum(axis=1, keepdims=True)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_decisions_agree_with_scikit_learn(rows):
    called = np.array([row[0] for row in rows])
    truth = np.array([row[1] for row in rows])
    rates = decision_rates(called, truth)
    assert rates["accuracy"] == pytest.approx(accuracy_score(truth, called))
    if truth.any():
        assert rates["recall"] == pytest.approx(recall_score(truth, called))
        assert rates["escape_rate"] == pytest.approx(1 - recall_score(truth, called))
        assert rates["f1"] == pytest.approx(f1_score(truth, called))
    if called.any():
        assert rates["precision"] == pytest.approx(precision_score(truth, called, zero_division=0))
    if not truth.all():
        alarms = recall_score(~truth, ~called)
        assert rates["overkill_rate"] == pytest.approx(1 - alarms)


def test_a_rate_with_nothing_to_count_is_none():
    rates = decision_rates(np.zeros(3, bool), np.zeros(3, bool))
    assert (rates["recall"], rates["precision"], rates["f1"]) == (None, None, None)
    assert rates["overkill_rate"] == 0.0
    assert ranking_figures(np.arange(3.0), np.zeros(3, bool)) == {"auroc": None, "ap": None}


def test_ranking_agrees_with_scikit_learn_on_ties():
    rng = np.random.default_rng(4)
    scores, truth = rng.integers(0, 6, 200) / 6, rng.random(200) < 0.3
    figures = ranking_figures(scores, truth)
    assert figures["auroc"] == pytest.approx(roc_auc_score(truth, scores))
    assert figures["ap"] == pytest.approx(average_precision_score(truth, scores))


def test_macro_f1_is_over_the_classes_that_the_lot_has():
    labels = np.array([0, 0, 1, 1])
    probabilities = np.eye(5)[[0, 0, 1, 4]]
    figures = classification_figures(labels, probabilities)
    # cell_normal 1, cell_porosity 2·1/(1+2); the wrongly predicted class 4 has no label.
    assert figures["macro_f1"] == pytest.approx((1 + 2 / 3) / 2)
    assert set(figures["classes"]) == {"cell_normal", "cell_porosity"}
    assert figures["confusion"]["rows"][1] == [0, 1, 0, 0, 1]


# -- calibration -----------------------------------------------------------------------------


def test_calibration_error_by_hand():
    # Two of confidence 0.9 (one right), two of 0.6 (both right), in bins of a tenth.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    found = reliability(probabilities, np.array([0, 1, 0, 1]), bins=10)
    assert found.counts == (2, 2)
    assert found.confidence == pytest.approx((0.6, 0.9))
    assert found.accuracy == pytest.approx((1.0, 0.5))
    assert found.ece == pytest.approx((0.4 + 0.4) / 2)


def test_certain_and_right_has_no_calibration_error():
    found = reliability(np.eye(5)[[0, 3]], np.array([0, 3]), bins=15)
    assert (found.ece, found.counts) == (0.0, (2,))


def test_a_well_calibrated_classifier_has_almost_no_error():
    rng = np.random.default_rng(1)
    sure = rng.uniform(0.5, 1.0, 40_000)
    labels = (rng.random(len(sure)) >= sure).astype(np.int64)
    assert reliability(np.stack([sure, 1 - sure], axis=1), labels).ece < 0.01


@settings(deadline=None)
@given(st.floats(0.25, 8.0), st.integers(0, 1000))
def test_the_temperature_can_be_taken_back(temperature, seed):
    logits = np.random.default_rng(seed).normal(0, 3, (20, 5))
    raw = before_temperature(softmax(logits / temperature), temperature)
    np.testing.assert_allclose(raw, softmax(logits), atol=1e-9)
