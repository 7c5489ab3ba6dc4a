"""The interval of a paired difference is the published one, and never a false certainty."""

from __future__ import annotations

import numpy as np
import pytest

from training.release.paired import f1_difference, rate_difference, tango


def test_the_interval_is_the_one_in_the_literature() -> None:
    # Airway reactivity before and after transplantation (Bentur 2009), as Fagerland, Lydersen and
    # Laake (Statistics in Medicine 33, 2014) print it for Tango's interval.
    assert tango(1, 7, 21, 0.95) == pytest.approx((-0.517, -0.026), abs=5e-4)


@pytest.mark.parametrize("count", [5, 20, 73, 400])
def test_no_disagreement_is_no_certainty(count: int) -> None:
    z = 1.959964
    nothing = np.zeros(count, bool)
    found = rate_difference(nothing, nothing)
    assert found is not None
    assert found.high == pytest.approx(z * z / (count + z * z), abs=1e-6)
    assert found.low == pytest.approx(-found.high)
    assert (found.high <= 0.05) == (count >= 73)


def test_the_interval_turns_round_with_the_models_and_holds_the_difference() -> None:
    rng = np.random.default_rng(1)
    for count in (1, 3, 30):
        for _ in range(20):
            one, two = rng.random((2, count)) < rng.random()
            found, turned = rate_difference(one, two), rate_difference(two, one)
            assert found is not None
            assert turned is not None
            assert found.low <= found.value <= found.high
            assert (found.low, found.high) == pytest.approx((-turned.high, -turned.low), abs=1e-9)
    assert rate_difference(np.zeros(0, bool), np.zeros(0, bool)) is None


def test_the_difference_of_f1_is_drawn_for_both_models_together() -> None:
    truth = np.repeat([True, False], 50)
    present = truth.copy()
    present[:5] = False
    found = f1_difference(truth, present, truth)
    assert found is not None
    assert found.value == pytest.approx(1 - 2 * 45 / 95)
    assert found.low is not None
    assert 0 < found.low < found.value < found.high
    same = f1_difference(present, present, truth)
    assert same is not None
    # Every resample would say zero.
    assert (same.value, same.low, same.high) == (0.0, None, None)
    assert f1_difference(~truth[50:], present[50:], truth[50:]) is None
