"""Intervals: exact where they can be checked, and covering what they claim to cover."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from inspection.comparison.bootstrap import BootstrapConfig, ClusterBootstrap, Interval

CONFIG = BootstrapConfig(resamples=400, seed=3)


def test_batteries_that_are_all_alike_leave_no_doubt():
    # Every resample of equal batteries is the same lot, so its figure must be scikit-learn's.
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 5, 12) / 5, rng.random(12) < 0.5
    called = scores > 0.5
    owners = np.repeat([f"b{n}" for n in range(6)], 12)
    boot = ClusterBootstrap(list(owners), CONFIG)
    scores, truth, called = (np.tile(a, 6) for a in (scores, truth, called))
    pairs = [
        (boot.auroc(scores, truth), roc_auc_score(truth, scores)),
        (boot.average_precision(scores, truth), average_precision_score(truth, scores)),
        (boot.f1(called, truth), f1_score(truth, called)),
        (boot.rate(called, truth), np.mean(called[truth])),
        (
            boot.macro_f1(truth.astype(np.int64), called.astype(np.int64), 2),
            f1_score(truth, called, average="macro"),
        ),
    ]
    for interval, figure in pairs:
        assert interval is not None
        assert (interval.low, interval.high) == pytest.approx((figure, figure))


def test_resampled_figures_are_those_of_the_resampled_images():
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 9, 10)
    owner = np.repeat(np.arange(10), sizes)
    scores, truth = rng.integers(0, 8, len(owner)) / 8, rng.random(len(owner)) < 0.4
    config = BootstrapConfig(resamples=100, seed=11)
    boot = ClusterBootstrap([str(n) for n in owner], config)
    draws = np.random.default_rng(11).multinomial(10, np.full(10, 0.1), size=100)
    by_hand = []
    for draw in draws:
        rows = np.concatenate(
            [np.repeat(np.flatnonzero(owner == n), k) for n, k in enumerate(draw)]
        )
        if 0 < truth[rows].sum() < len(rows):
            by_hand.append(roc_auc_score(truth[rows], scores[rows]))
    found = boot.auroc(scores, truth)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(by_hand, [0.025, 0.975])))


def test_memory_is_bounded_without_changing_the_result(monkeypatch):
    rng = np.random.default_rng(2)
    scores, truth = rng.random(60), rng.random(60) < 0.5
    owners = [str(n // 5) for n in range(60)]
    whole = ClusterBootstrap(owners, CONFIG).auroc(scores, truth)
    monkeypatch.setattr("inspection.comparison.bootstrap.CHUNK", 100)
    assert ClusterBootstrap(owners, CONFIG).auroc(scores, truth) == whole


def test_the_same_seed_gives_the_same_interval():
    called, truth = np.arange(40) % 3 == 0, np.arange(40) % 2 == 0
    owners = [str(n // 4) for n in range(40)]
    again = [ClusterBootstrap(owners, CONFIG).rate(called, truth) for _ in range(2)]
    other = ClusterBootstrap(owners, BootstrapConfig(resamples=401, seed=4)).rate(called, truth)
    assert again[0] == again[1] != other


def test_images_of_one_battery_count_as_one():
    # The same 200 images as 200 batteries, and as 10 batteries that are all right or all wrong.
    right = np.repeat(np.arange(10) % 2 == 0, 20)
    everything = np.ones(200, bool)
    alone = ClusterBootstrap([str(n) for n in range(200)], CONFIG).rate(right, everything)
    grouped = ClusterBootstrap([str(n // 20) for n in range(200)], CONFIG).rate(right, everything)
    assert alone is not None
    assert grouped is not None
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_no_escape_among_thirty_batteries_is_not_certainty():
    nothing, everything = np.zeros(90, bool), np.ones(90, bool)
    boot = ClusterBootstrap([str(n // 3) for n in range(90)], CONFIG)
    # Clopper and Pearson: 1 - 0.025^(1/30), whatever the number of images a battery has.
    found = boot.rate(nothing, everything)
    assert found == Interval(0.0, pytest.approx(1 - 0.025 ** (1 / 30)), "clopper_pearson")
    found = boot.rate(everything, everything)
    assert found == Interval(pytest.approx(0.025 ** (1 / 30)), 1.0, "clopper_pearson")


def test_a_figure_that_most_resamples_lack_has_no_interval():
    truth = np.zeros(12, bool)
    boot = ClusterBootstrap([str(n) for n in range(12)], CONFIG)
    assert boot.rate(np.ones(12, bool), truth) is None
    assert boot.auroc(np.arange(12.0), truth) is None
    assert boot.macro_f1(np.zeros(12, np.int64), np.zeros(12, np.int64), 5) == Interval(1.0, 1.0)


def test_ninety_five_per_cent_of_the_intervals_hold_the_truth():
    # Batteries differ in how easily they are overkilled; the expected rate is 2 / (2 + 6).
    rng = np.random.default_rng(20261122)
    config, held, trials = BootstrapConfig(resamples=300), 0, 300
    for trial in range(trials):
        rates = np.repeat(rng.beta(2, 6, 60), 8)
        wrong = rng.random(len(rates)) < rates
        boot = ClusterBootstrap(
            [str(n // 8) for n in range(len(rates))], config.model_copy(update={"seed": trial})
        )
        found = boot.rate(wrong, np.ones(len(rates), bool))
        assert found is not None
        held += found.low <= 0.25 <= found.high
    # Three standard errors of 300 trials around 95 %, less what a percentile bootstrap of
    # 60 batteries is known to fall short by.
    assert 0.90 <= held / trials <= 0.985
