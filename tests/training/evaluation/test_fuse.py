"""The fusion search: on batteries made by hand, and as a command with the demo models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inspection.config import InspectorConfig, load_inspector
from inspection.errors import ConfigError
from inspection.records import Battery, ImageRef
from inspection.results import ImageResult
from inspection.systems.ensemble.fusion import judge_images
from training.evaluation.config import (
    AggregationGrid,
    EvaluationConfig,
    FusionGrid,
    WeightedAverageGrid,
    load_evaluation,
    with_methods,
)
from training.evaluation.fuse import Judge, Limits, Search, preference, search
from training.evaluation.fuse_policy import aligned, table, write_policy
from training.evaluation.judge import JudgedBattery, Truth

CURRENT = InspectorConfig()


def grid(**overrides: object) -> FusionGrid:
    whole = load_evaluation().fusion
    return whole.model_copy(update=overrides)


def battery(name: str, truth: Truth | None, slices: list[float], view: float) -> JudgedBattery:
    """One stack of neighbouring slices and one view; the view's threshold is 1."""
    results = [
        ImageResult(
            image=f"{name}_{number}.jpg",
            modality="ct",
            axis="z",
            number=number,
            state="done",
            probabilities={"cell_porosity": score},
            pred_score=score,
            threshold=0.5,
        )
        for number, score in enumerate(slices)
    ]
    results.append(
        ImageResult(
            image=f"{name}.png",
            modality="rgb",
            number=0,
            state="done",
            pred_score=view,
            threshold=1.0,
        )
    )
    ref = ImageRef(Path(f"{name}.jpg"), "ct", name, "z", 0, "cell", "pouch", None)
    whole = Battery(name, name, name, (ref,) * len(slices), (ref._replace(modality="rgb"),))
    return JudgedBattery(whole, name, {}, None, tuple(results), truth)


QUIET = [0.02] * 6
PORE = [0.02, 0.95, 0.96, 0.95, 0.9, 0.02]


@pytest.fixture(scope="module")
def lot() -> list[JudgedBattery]:
    return [
        *(battery(f"n{n}", "normal", QUIET, 0.2) for n in range(6)),
        battery("noisy", "normal", [0.02, 0.02, 0.55, 0.02, 0.02, 0.02], 0.2),
        *(battery(f"i{n}", "internal", PORE, 0.2) for n in range(3)),
        *(battery(f"e{n}", "external", QUIET, 2.5) for n in range(3)),
    ]


@pytest.fixture(scope="module")
def found(lot: list[JudgedBattery]) -> Search:
    return search(lot, load_evaluation().fusion, CURRENT)


def small(thresholds: list[float], w_cnn: list[float], limits: list[float]) -> FusionGrid:
    """Return a grid of the weighted average alone."""
    return grid(
        methods=["weighted_average"],
        aggregation=AggregationGrid(slice_threshold=thresholds, min_run=[3], top_k_views=[1]),
        weighted_average=WeightedAverageGrid(w_cnn=w_cnn, threshold=limits),
    )


def test_every_policy_is_judged_as_the_station_would(lot, found):
    judge = Judge(lot)
    rng = np.random.default_rng(0)
    for index in rng.integers(len(found.candidates), size=40):
        candidate = found.candidates[index]
        policy, outcome = candidate.policy, candidate.outcome
        kinds = {row.key: judge_images(row.results, 6, 1, policy).verdict.kind for row in lot}
        defective = {row.key for row in lot if row.truth != "normal"}
        assert outcome.escapes == sum(kinds[key] == "normal" for key in defective)
        assert outcome.overkills == sum(kinds[k] != "normal" for k in kinds.keys() - defective)
        assert outcome == judge.outcome(policy)


def test_the_best_policy_has_no_escape_and_no_overkill_and_names_defects(found):
    # In force: the lone slice overkills, and an external defect alone is only a review.
    now = found.current.outcome
    assert (now.escapes, now.overkills, now.reviews) == (0, 1, 4)
    best = found.best
    assert (best.outcome.escapes, best.outcome.overkills, best.outcome.f1) == (0, 0, 1.0)
    assert best.policy.aggregation.slice_threshold > 0.55
    assert best.margin > 1
    tried = [preference(c.outcome, Limits()) for c in found.candidates]
    assert tried == sorted(tried)


def test_the_middle_of_the_plateau_is_preferred(lot):
    thresholds = [0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.97]
    found = search(lot, small(thresholds, [0.4], [0.3]), CURRENT)
    # 0.5 overkills the lone slice, 0.97 misses every pore: between them 0.6 to 0.8 are equal.
    assert found.best.policy.aggregation.slice_threshold == 0.7
    assert found.best.margin == 3
    edges = [c for c in found.candidates if c.policy.aggregation.slice_threshold in (0.6, 0.8)]
    assert [c.margin for c in edges] == [1, 1]


def test_what_is_not_searched_stays_as_it_was(lot):
    current = CURRENT.model_copy(
        update={"aggregation": CURRENT.aggregation.model_copy(update={"evidence_slices": 7})}
    )
    best = search(lot, with_methods(load_evaluation().fusion, ["voting"]), current).best.policy
    assert best.method == "voting"
    assert best.aggregation.evidence_slices == 7
    assert (best.weighted_average, best.rule_based) == (
        current.weighted_average,
        current.rule_based,
    )


def test_weights_sum_to_one(lot):
    only = with_methods(load_evaluation().fusion, ["weighted_average"])
    for candidate in search(lot, only, CURRENT).candidates:
        weights = candidate.policy.weighted_average
        assert weights.w_cnn + weights.w_ae == pytest.approx(1.0)


def test_an_allowed_escape_buys_less_overkill(lot):
    # One defect is fainter than the noise of a normal battery: either both are seen or neither.
    hard = [*lot, battery("faint", "internal", [0.02, 0.02, 0.45, 0.02, 0.02, 0.02], 0.2)]
    only = small([0.4, 0.6], [0.4], [0.3])
    strict = search(hard, only, CURRENT, Limits(max_escape=0.0)).best.outcome
    lenient = search(hard, only, CURRENT, Limits(max_escape=0.2)).best.outcome
    assert (strict.escapes, strict.overkills) == (0, 1)
    assert (lenient.escapes, lenient.overkills) == (1, 0)


def test_one_hidden_defect_does_not_send_every_battery_to_review(lot):
    # No policy can tell it from the normal ones: only reviewing all of them would catch it.
    hidden = [*lot, battery("hidden", "internal", QUIET, 0.2)]
    only = small([0.5, 0.7], [0.4], [0.05, 0.3])
    best = search(hidden, only, CURRENT).best.outcome
    assert (best.escapes, best.overkills) == (1, 0)
    everything = search(hidden, only, CURRENT, Limits(max_overkill=1.0)).best.outcome
    assert (everything.escapes, everything.overkills) == (0, 7)


def test_batteries_of_unknown_truth_do_not_count(lot):
    known = Judge(lot).outcome(CURRENT)
    assert Judge([*lot, battery("unknown", None, PORE, 0.2)]).outcome(CURRENT) == known


def test_one_sort_of_battery_is_nothing_to_search_on(lot):
    for truth in ("normal", "internal"):
        some = [row for row in lot if row.truth == truth]
        with pytest.raises(ConfigError, match="defective and normal"):
            search(some, load_evaluation().fusion, CURRENT)


def test_an_unknown_method_or_key_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="majority"):
        with_methods(load_evaluation().fusion, ["majority"])
    content = load_evaluation().model_dump(mode="json")
    content["fusion"]["voting"]["tiebreaker"] = ["cnn"]
    path = tmp_path / "evaluation.yaml"
    path.write_text(str(content), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"fusion\.voting\.tiebreaker"):
        load_evaluation(path)


def test_the_installed_configuration_holds_the_customers_values():
    values = load_evaluation()
    assert isinstance(values, EvaluationConfig)
    installed = load_inspector()
    assert installed.aggregation.slice_threshold in values.fusion.aggregation.slice_threshold
    assert installed.aggregation.min_run in values.fusion.aggregation.min_run
    assert installed.weighted_average.w_cnn in values.fusion.weighted_average.w_cnn
    assert installed.rule_based.high_confidence_cnn in values.fusion.rule_based.high_confidence_cnn


# -- the file --------------------------------------------------------------------------------


def test_the_policy_is_written_complete_with_its_origin(found, tmp_path):
    path = tmp_path / "new" / "inspector.yaml"
    written = write_policy(path, found, {"ct_cnn": "ab" * 32}, "line 3 (val)", Limits())
    assert written == load_inspector(path) == found.best.policy
    text = path.read_text(encoding="utf-8")
    for piece in ("line 3 (val)", "13 batteries", "ct_cnn sha256 " + "ab" * 32, "escapes 0 of 6"):
        assert piece in text
    sections = ("method:", "weighted_average:", "voting:", "rule_based:", "aggregation:")
    assert all(f"\n  {section}" in text for section in sections)
    assert [p.name for p in path.parent.iterdir()] == ["inspector.yaml"]


def test_the_table_ends_with_the_policy_in_force(found):
    rows = table(found, top=3)
    assert [row[0] for row in rows] == ["", "1", "2", "3", "now"]
    assert rows[1][1:3] == ["0/6", "0/7"]
    assert rows[-1][2] == "1/7"
    assert len({line.index("  ") > 0 for line in aligned(rows[1:])}) == 1
