"""The verdict of a battery: all combinations of channels, runs of slices, what never passes."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection.config import InspectorConfig
from inspection.messages import Message, wordings
from inspection.results import ImageResult
from inspection.systems.ensemble import fusion
from inspection.systems.ensemble.evidence import ChannelEvidence, ae_score_from, find_runs
from inspection.systems.ensemble.fusion import decide, judge_images

METHODS = ("weighted_average", "voting", "rule_based")
STATES = ("normal", "defect", "uncertain", "missing", "failed")
RGB_THRESHOLD = 0.02
POLICY = InspectorConfig()


def policy(method="weighted_average", aggregation=None, **changes):
    return InspectorConfig.model_validate(
        {"method": method, "aggregation": aggregation or {}, **changes}
    )


def ct_channel(state, prob=None):
    if state in ("missing", "failed"):
        return ChannelEvidence(state, complete=False)
    prob = prob if prob is not None else {"normal": 0.03, "defect": 0.95, "uncertain": 0.1}[state]
    kind = "cell_porosity" if state == "defect" else None
    return ChannelEvidence(state, prob, prob, 0.5, kind)


def rgb_channel(state, ratio=None):
    """A channel whose score is ``ratio`` times its threshold."""
    if state in ("missing", "failed"):
        return ChannelEvidence(state, complete=False)
    ratio = ratio if ratio is not None else {"normal": 0.3, "defect": 3.0, "uncertain": 0.9}[state]
    score = ratio * RGB_THRESHOLD
    return ChannelEvidence(state, ae_score_from(score, RGB_THRESHOLD), score, RGB_THRESHOLD)


def codes(verdict):
    return [reason.code for reason in verdict.reasons]


# What each method makes of two channels at the values above. The fused scores are
# 0.03 * 0.6 + 0.19 * 0.4 = 0.09, external 0.37, internal 0.65, composite 0.92.
TABLE = {
    ("normal", "normal"): ("normal", "normal", "normal"),
    ("normal", "uncertain"): ("review", "review", "review"),
    ("uncertain", "normal"): ("review", "review", "review"),
    ("uncertain", "uncertain"): ("review", "review", "review"),
    ("defect", "normal"): ("internal_defect", "internal_defect", "internal_defect"),
    ("defect", "uncertain"): ("internal_defect", "internal_defect", "internal_defect"),
    # The trap: a certain external defect alone weighs 0.4 at most, and CT breaks the tie.
    ("normal", "defect"): ("review", "review", "external_defect"),
    ("uncertain", "defect"): ("review", "review", "external_defect"),
    ("defect", "defect"): ("composite_defect", "composite_defect", "composite_defect"),
    **{
        (ct, rgb): ("review",) * 3
        for ct, rgb in itertools.product(STATES, repeat=2)
        if (ct in ("missing", "failed")) != (rgb in ("missing", "failed"))
    },
    **dict.fromkeys(itertools.product(("missing", "failed"), repeat=2), ("not_inspected",) * 3),
}


def test_the_table_has_every_combination():
    assert set(TABLE) == set(itertools.product(STATES, repeat=2))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("ct", "rgb"), sorted(TABLE))
def test_every_combination_of_channel_states(ct, rgb, method):
    verdict = decide(ct_channel(ct), rgb_channel(rgb), policy(method))
    assert verdict.kind == TABLE[ct, rgb][METHODS.index(method)]
    assert (verdict.kind == "normal") == (ct == rgb == "normal")
    assert (verdict.ct_state, verdict.rgb_state) == (ct, rgb)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ct", ["normal", "defect", "uncertain"])
@pytest.mark.parametrize("broken", ["ct", "rgb"])
def test_an_unjudged_image_makes_review_at_best(ct, broken, method):
    whole = ct_channel(ct)
    other = rgb_channel("normal")
    if broken == "ct":
        whole = ChannelEvidence("uncertain", 0.1, 0.1, 0.5, complete=False)
    if broken == "rgb":
        other = ChannelEvidence("uncertain", 0.1, 0.001, RGB_THRESHOLD, complete=False)
    assert decide(whole, other, policy(method)).kind == "review"


def test_an_external_defect_under_the_average_says_why_it_needs_a_look():
    verdict = decide(ct_channel("normal", 0.0), rgb_channel("defect", 50.0), POLICY)
    assert verdict.kind == "review"
    assert verdict.fused_score == pytest.approx(0.4)
    korean = verdict.reasons[-1].text("ko")
    assert "외관 결함 점수는 1.000" in korean
    assert "가중 평균 0.400" in korean
    assert "0.500 미만" in korean


def test_heavier_weights_give_the_external_defect_its_kind():
    heavy = policy(weighted_average={"w_cnn": 0.5, "w_ae": 0.5, "threshold": 0.4})
    verdict = decide(ct_channel("normal"), rgb_channel("defect"), heavy)
    assert verdict.kind == "external_defect"


def test_an_average_at_the_threshold_is_a_defect():
    even = policy(weighted_average={"w_cnn": 0.5, "w_ae": 0.5, "threshold": 0.5})
    assert decide(ct_channel("defect", 1.0), rgb_channel("normal", 0.0), even).kind == (
        "internal_defect"
    )


def test_two_suspicious_channels_that_fuse_to_a_defect_are_review():
    strict = policy(weighted_average={"w_cnn": 0.6, "w_ae": 0.4, "threshold": 0.4})
    verdict = decide(ct_channel("normal", 0.45), rgb_channel("normal", 0.95), strict)
    assert verdict.kind == "review"
    assert codes(verdict) == ["fusion_only_fused"]


@pytest.mark.parametrize(
    ("tie_breaker", "ct", "rgb", "kind", "code"),
    [
        ("cnn", "defect", "normal", "internal_defect", None),
        ("cnn", "normal", "defect", "review", "fusion_rgb_outvoted"),
        ("ae", "defect", "normal", "review", "fusion_ct_outvoted"),
        ("ae", "normal", "defect", "external_defect", None),
        ("uncertain", "defect", "normal", "review", "fusion_split"),
        ("uncertain", "normal", "defect", "review", "fusion_split"),
        ("uncertain", "defect", "defect", "composite_defect", None),
        ("uncertain", "normal", "normal", "normal", "fusion_normal"),
    ],
)
def test_the_tie_breaker_of_a_vote(tie_breaker, ct, rgb, kind, code):
    voting = policy("voting", voting={"tie_breaker": tie_breaker})
    verdict = decide(ct_channel(ct), rgb_channel(rgb), voting)
    assert verdict.kind == kind
    assert codes(verdict) == ([code] if code else [])


def test_the_votes_use_their_own_thresholds():
    picky = {"cnn_threshold": 0.96, "ae_threshold_multiplier": 4.0}
    verdict = decide(
        ct_channel("defect", 0.95), rgb_channel("defect", 3.0), policy("voting", voting=picky)
    )
    assert verdict.kind == "review"
    assert codes(verdict) == ["fusion_ct_outvoted", "fusion_rgb_outvoted"]
    at_limit = {"cnn_threshold": 0.95}
    assert decide(
        ct_channel("defect", 0.95), rgb_channel("normal"), policy("voting", voting=at_limit)
    ).kind == ("internal_defect")


@pytest.mark.parametrize(
    ("ct", "rgb", "kind"),
    [
        (("defect", 0.8), ("normal", 0.01), "internal_defect"),  # a sure CT decides alone
        (("normal", 0.3), ("normal", 0.79), "normal"),
        (("normal", 0.3), ("defect", 1.2), "external_defect"),  # a sure autoencoder
        (("normal", 0.45), ("defect", 1.1), "review"),  # fallback: 0.27 + 0.21 < 0.5
        (("defect", 0.6), ("defect", 1.1), "composite_defect"),  # fallback: 0.36 + 0.21 > 0.5
        (("defect", 0.55), ("normal", 0.7), "review"),  # fallback: 0.33 + 0.15 < 0.5
    ],
)
def test_the_rules(ct, rgb, kind):
    assert decide(ct_channel(*ct), rgb_channel(*rgb), policy("rule_based")).kind == kind


def test_the_rules_may_fall_back_on_a_vote():
    rules = policy("rule_based", rule_based={"fallback_method": "voting"})
    verdict = decide(ct_channel("normal", 0.45), rgb_channel("defect", 1.1), rules)
    assert codes(verdict) == ["fusion_rgb_outvoted"]


def test_rules_at_odds_with_a_channel_are_review():
    lenient = policy("rule_based", rule_based={"low_confidence_cnn": 0.6})
    verdict = decide(ct_channel("defect", 0.55), rgb_channel("normal", 0.1), lenient)
    assert verdict.kind == "review"
    assert codes(verdict) == ["fusion_ct_overruled"]


probs = st.floats(0, 1)
ratios = st.floats(0, 100)
policies = st.builds(
    policy,
    st.sampled_from(METHODS),
    st.none(),
    weighted_average=st.fixed_dictionaries({"w_cnn": probs, "w_ae": probs, "threshold": probs}),
    voting=st.fixed_dictionaries(
        {
            "cnn_threshold": probs,
            "ae_threshold_multiplier": st.floats(0.1, 5),
            "tie_breaker": st.sampled_from(["cnn", "ae", "uncertain"]),
        }
    ),
    rule_based=st.fixed_dictionaries({"fallback_method": st.sampled_from(METHODS[:2])}),
)


@given(policies, st.sampled_from(STATES), probs, st.sampled_from(STATES), ratios)
def test_no_policy_makes_anything_but_two_normal_channels_normal(rules, ct, prob, rgb, ratio):
    verdict = decide(ct_channel(ct, prob), rgb_channel(rgb, ratio), rules)
    if verdict.kind == "normal":
        assert ct == rgb == "normal"
    if verdict.kind.endswith("_defect"):
        assert "defect" in (ct, rgb)
        assert not {ct, rgb} & {"missing", "failed"}


# -- images ------------------------------------------------------------------------------------


def ct_slice(number, score, axis="z", kind="cell_porosity", name=None):
    return ImageResult(
        image=name or f"ct/{axis}_{number:03}.jpg",
        modality="ct",
        axis=axis,
        number=number,
        state="done",
        pred_label=kind if score > 0.5 else "cell_normal",
        probabilities={kind: score, "cell_normal": 1 - score},
        pred_score=score,
        threshold=0.5,
        is_anomaly=score > 0.5,
    )


def rgb_view(number, score, threshold=RGB_THRESHOLD):
    return ImageResult(
        image=f"rgb/{number:03}.png",
        modality="rgb",
        number=number,
        state="done",
        pred_label="defect" if score > threshold else "normal",
        pred_score=score,
        threshold=threshold,
        is_anomaly=score > threshold,
    )


def broken_image(modality="ct", number=9, name="ct/z_009.jpg", error=None):
    axis = "z" if modality == "ct" else None
    return ImageResult(
        image=name, modality=modality, axis=axis, number=number, state="failed", error=error
    )


CLEAN_VIEWS = [rgb_view(n, 0.005) for n in range(4)]


def stack(scores, axis="z", first=1, step=1, kind="cell_porosity"):
    return [ct_slice(first + step * n, s, axis, kind) for n, s in enumerate(scores)]


def judge(images, rules=POLICY, ct=None, rgb=None):
    count = {m: sum(i.modality == m for i in images) for m in ("ct", "rgb")}
    return judge_images(
        images, count["ct"] if ct is None else ct, count["rgb"] if rgb is None else rgb, rules
    )


def test_three_neighbours_make_a_run_and_a_defect():
    slices = stack([0.02, 0.9, 0.8, 0.7, 0.02], kind="module_resin_overflow")
    judgement = judge([*slices, *CLEAN_VIEWS])
    (run,) = judgement.runs
    assert (run.axis, run.first, run.last, run.length) == ("z", 2, 4, 3)
    assert run.score == pytest.approx(0.8)
    assert judgement.verdict.kind == "internal_defect"
    assert judgement.verdict.defect_type == "module_resin_overflow"
    assert judgement.ensemble.cnn_prob == pytest.approx(0.8)
    assert judgement.ensemble.confidence == pytest.approx(0.8)
    assert judgement.worst_slices == ["ct/z_002.jpg", "ct/z_003.jpg", "ct/z_004.jpg"]
    assert "2–4" in judgement.verdict.reasons[0].text("ko")


def test_a_lone_hit_is_review_and_does_not_raise_the_score():
    judgement = judge([*stack([0.01, 0.02, 0.99, 0.02, 0.01]), *CLEAN_VIEWS])
    assert judgement.runs == []
    assert judgement.verdict.kind == "review"
    assert judgement.verdict.ct_state == "uncertain"
    assert judgement.verdict.cnn_prob < 0.05
    assert "ct/z_003.jpg" in judgement.verdict.reasons[0].text("en")
    assert judgement.worst_slices[0] == "ct/z_003.jpg"


def test_two_hits_on_each_of_two_axes_are_no_run():
    images = [*stack([0.9, 0.9, 0.1], "x"), *stack([0.9, 0.9, 0.1], "y"), *CLEAN_VIEWS]
    assert judge(images).runs == []
    assert judge(images).verdict.kind == "review"


def test_a_clean_battery_is_normal_with_low_scores():
    judgement = judge([*stack([0.01, 0.3, 0.02, 0.01]), *CLEAN_VIEWS])
    assert judgement.verdict.kind == "normal"
    assert judgement.verdict.cnn_prob < 0.05
    assert judgement.verdict.ae_score < 0.2
    assert judgement.verdict.defect_type is None


def test_a_score_at_the_threshold_is_not_above_it():
    assert find_runs(stack([0.5, 0.5, 0.5]), 0.5, 3) == []


@pytest.mark.parametrize(
    ("numbers", "runs"),
    [
        ([4, 8, 12, 16, 20], 1),  # every fourth slice was scanned
        ([1, 5, 8, 12, 15], 1),  # an even sample, rounded
        ([1, 2, 4, 5], 0),  # slice 3 is missing
        ([1, 2, 3, 90, 91], 1),
        ([10, 11, 50, 51, 90, 91], 0),
    ],
)
def test_neighbours_are_one_step_of_their_stack_apart(numbers, runs):
    assert len(find_runs([ct_slice(n, 0.9) for n in numbers], 0.5, 3)) == runs


def test_an_unreadable_slice_parts_two_that_are_within_reach():
    slices = [ct_slice(n, 0.9) for n in (1, 3, 5)] + [ct_slice(n, 0.1) for n in (20, 22, 24)]
    assert len(find_runs(slices, 0.5, 3)) == 1
    assert find_runs([*slices, broken_image(number=4)], 0.5, 3) == []


def test_one_slice_under_three_names_is_no_run():
    copies = [ct_slice(7, 0.9, name=f"copy{n}.jpg") for n in range(3)]
    clean = stack([0.1] * 5, first=1)
    assert find_runs([*clean, *copies], 0.5, 3) == []


def test_slices_without_an_axis_are_a_stack_of_their_own():
    (run,) = find_runs(stack([0.9, 0.9, 0.9], axis=None), 0.5, 3)
    assert run.axis is None


def test_an_unreadable_slice_inside_a_run_ends_it_and_is_named():
    error = Message(code="config_missing", params={"name": "z_003.jpg"})
    images = [*stack([0.9, 0.9]), *stack([0.9, 0.9], first=4), *CLEAN_VIEWS]
    images.append(broken_image(number=3, name="ct/z_003.jpg", error=error))
    judgement = judge(images)
    assert judgement.runs == []
    assert judgement.verdict.kind == "review"
    assert any("z_003.jpg" in reason.text("ko") for reason in judgement.verdict.reasons)


@pytest.mark.parametrize("bad", [broken_image(), broken_image("rgb", 9, "rgb/009.png")])
def test_a_clean_battery_with_one_unreadable_image_is_review_and_names_it(bad):
    judgement = judge([*stack([0.01] * 6), bad, *CLEAN_VIEWS])
    assert judgement.verdict.kind == "review"
    assert bad.image in "".join(r.text("en") for r in judgement.verdict.reasons)


def test_a_defect_beside_an_unreadable_image_is_review_but_keeps_what_was_found():
    judgement = judge([*stack([0.9] * 4), broken_image(), *CLEAN_VIEWS])
    assert judgement.verdict.kind == "review"
    assert judgement.verdict.ct_state == "defect"
    assert judgement.verdict.defect_type == "cell_porosity"


def test_many_unreadable_images_are_counted_after_five():
    bad = [broken_image(number=7 + n, name=f"ct/bad{n}.jpg") for n in range(30)]
    reasons = judge([*stack([0.01] * 6), *bad, *CLEAN_VIEWS]).verdict.reasons
    assert len(reasons) == 6
    assert "25" in reasons[-1].text("ko")


@pytest.mark.parametrize(
    "slices",
    [
        stack([0.01]),
        stack([0.01] * 2),
        [s for axis in "xyz" for s in stack([0.01] * 2, axis)],
        [ct_slice(n, 0.01) for n in (10, 11, 50, 51, 90, 91)],
    ],
    ids=["one", "two", "two_on_each_axis", "pairs_far_apart"],
)
def test_slices_too_few_for_any_run_are_never_normal(slices):
    verdict = judge([*slices, *CLEAN_VIEWS]).verdict
    assert (verdict.kind, verdict.ct_state) == ("review", "uncertain")
    assert codes(verdict)[0] == "fusion_ct_short"
    assert "3" in verdict.reasons[0].text("ko")


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ([1, 2, 3, 5, 6, 7], 1),
        ([1, 2, 3, 90, 91, 92], 86),
        ([4, 8, 12, 20, 24, 28, 44], 4),
        ([2, 4, 6, 10, 12], 1),
        ([4, 8, 12, 16, 20], 0),  # every fourth slice was scanned
        ([1, 5, 8, 12, 15], 0),  # an even sample, rounded
        ([521, 522, 523, 524], 0),
    ],
)
def test_numbers_absent_inside_an_axis_are_counted_and_never_normal(numbers, missing):
    whole = stack([0.01] * 4, "x")
    verdict = judge([*whole, *(ct_slice(n, 0.01) for n in numbers), *CLEAN_VIEWS]).verdict
    assert verdict.kind == ("review" if missing else "normal")
    counted = [r.params["count"] for r in verdict.reasons if r.code == "fusion_ct_holes"]
    assert counted == ([missing] if missing else [])


def test_a_run_beside_a_hole_stays_a_defect():
    slices = [*stack([0.9] * 3), *stack([0.01] * 3, first=6)]
    assert judge([*slices, *CLEAN_VIEWS]).verdict.kind == "internal_defect"


def test_images_that_never_came_back_are_missed():
    images = [*stack([0.01] * 6), *CLEAN_VIEWS]
    assert judge(images, ct=7).verdict.kind == "review"
    assert judge(images, rgb=5).verdict.kind == "review"
    assert judge(images).verdict.kind == "normal"


@pytest.mark.parametrize("score", [0.01, 0.9])
def test_what_the_intake_left_out_makes_review_at_best(score):
    images = [*stack([score] * 6), *CLEAN_VIEWS]
    lost = Message(code="lot_file_type_unknown", params={"name": "z_007.dcm"})
    verdict = judge_images(images, 6, len(CLEAN_VIEWS), POLICY, lost=[lost]).verdict
    assert verdict.kind == "review"
    assert lost in verdict.reasons
    assert verdict.ct_state == ("defect" if score > 0.5 else "normal")
    assert judge_images([], 0, 0, POLICY, lost=[lost]).verdict.kind == "not_inspected"


def test_a_missing_modality_is_review_and_said():
    judgement = judge(stack([0.01] * 6))
    assert judgement.verdict.kind == "review"
    assert judgement.verdict.rgb_state == "missing"
    assert "외관 이미지가 없습니다" in judgement.verdict.reasons[0].text("ko")
    assert judgement.verdict.fused_score is None


def test_a_model_that_is_not_there_is_said_once():
    absent = Message(code="model_not_installed", params={"system": "ensemble"})
    bad = [broken_image(number=n, name=f"ct/{n}.jpg", error=absent) for n in range(50)]
    verdict = judge([*bad, *CLEAN_VIEWS]).verdict
    assert verdict.kind == "review"
    assert verdict.ct_state == "failed"
    assert codes(verdict) == ["fusion_ct_failed", "model_not_installed"]


def test_nothing_at_all_is_not_inspected():
    assert judge([]).verdict.kind == "not_inspected"
    assert judge([], ct=5, rgb=5).verdict.kind == "not_inspected"
    assert judge([broken_image(), broken_image("rgb")]).verdict.kind == "not_inspected"


def test_the_worst_view_decides_by_default():
    views = [*CLEAN_VIEWS, rgb_view(7, 0.2)]
    judgement = judge([*stack([0.01] * 6), *views], policy("rule_based"))
    assert judgement.verdict.kind == "external_defect"
    assert judgement.worst_views[0] == "rgb/007.png"
    assert judgement.ensemble.ae_score == pytest.approx(1 - 2**-10)


def test_a_view_that_the_mean_of_the_top_views_hides_is_review():
    rules = policy(aggregation={"top_k_views": 3})
    judgement = judge([*stack([0.01] * 6), *CLEAN_VIEWS, rgb_view(7, 0.03)], rules)
    assert judgement.verdict.rgb_state == "uncertain"
    assert judgement.verdict.kind == "review"
    assert "rgb/007.png" in judgement.verdict.reasons[0].text("ko")


def test_the_evidence_of_a_run_comes_before_a_louder_lone_hit():
    slices = [*stack([0.6, 0.6, 0.6], "x"), *stack([0.1, 0.1, 0.99, 0.1], "y")]
    assert judge([*slices, *CLEAN_VIEWS]).worst_slices == [f"ct/x_00{n}.jpg" for n in (1, 2, 3)]


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1e-6, 1e3))
def test_ae_score_rises_and_is_one_half_at_the_threshold(a, b, threshold):
    low, high = sorted((ae_score_from(a, threshold), ae_score_from(b, threshold)))
    assert 0 <= low <= high <= 1
    assert (a <= b) == (ae_score_from(a, threshold) <= ae_score_from(b, threshold)) or low == high
    assert ae_score_from(threshold, threshold) == 0.5


def test_ae_score_at_a_threshold_of_zero():
    assert ae_score_from(0, 0) == 0.5
    assert ae_score_from(1e-9, 0) == 1
    with pytest.raises(ValueError, match="negative"):
        ae_score_from(1, -1)


slice_scores = st.lists(st.floats(0, 1), min_size=1, max_size=12)
view_scores = st.lists(st.floats(0, 0.1), min_size=1, max_size=5)


@given(slice_scores, view_scores, policies, st.data())
def test_raising_any_score_never_makes_a_battery_normal(cts, rgbs, rules, data):
    def verdict_of(slices, views):
        return judge([*stack(slices), *(rgb_view(n, s) for n, s in enumerate(views))], rules)

    before = verdict_of(cts, rgbs)
    at = data.draw(st.integers(0, len(cts) - 1))
    raised = [s if n != at else data.draw(st.floats(s, 1)) for n, s in enumerate(cts)]
    view = data.draw(st.integers(0, len(rgbs) - 1))
    louder = [s if n != view else data.draw(st.floats(s, 1)) for n, s in enumerate(rgbs)]
    after = verdict_of(raised, louder)
    if before.verdict.kind != "normal":
        assert after.verdict.kind != "normal"
    assert after.verdict.cnn_prob >= before.verdict.cnn_prob - 1e-12
    assert after.verdict.ae_score >= before.verdict.ae_score


@given(slice_scores, view_scores, policies)
def test_normal_means_that_no_image_is_over_its_threshold(cts, rgbs, rules):
    images = [*stack(cts), *(rgb_view(n, s) for n, s in enumerate(rgbs))]
    judgement = judge(images, rules)
    if judgement.verdict.kind == "normal":
        assert not any(image.is_anomaly for image in images)
    assert judgement.ensemble.prediction == judgement.verdict.kind


def test_every_sentence_of_the_fusion_is_worded():
    for name in ("fusion.py", "evidence.py"):
        source = (Path(fusion.__file__).parent / name).read_text(encoding="utf-8")
        quoted = set(re.findall(r'"(fusion_[a-z_]+)"', source))
        by_modality = re.findall(r'f"fusion_\{modality\}_([a-z]+)"', source)
        quoted |= {f"fusion_{m}_{end}" for end in by_modality for m in ("ct", "rgb")}
        assert quoted
        assert quoted <= set(wordings())
