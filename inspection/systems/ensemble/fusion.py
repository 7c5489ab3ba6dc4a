"""From the two channels to a battery's verdict. Pure; see docs/decisions/0004."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from inspection.config import InspectorConfig
from inspection.messages import Message
from inspection.results import EnsembleResult, FusionMethod, ImageResult, Kind, SliceRun, Verdict
from inspection.systems.ensemble.evidence import (
    ChannelEvidence,
    ct_evidence,
    find_runs,
    rgb_evidence,
)
from inspection.systems.ensemble.second_look import SecondLook, second_look
from inspection.systems.ensemble.stacks import judged, score_of

NO_LOOK = SecondLook()
Outcome = Literal["normal", "defect", "uncertain"]

_DEFECT_KINDS: dict[tuple[bool, bool], Kind] = {
    (True, False): "internal_defect",
    (False, True): "external_defect",
    (True, True): "composite_defect",
}
_OVERRULED = {
    ("ct", "weighted_average"): "fusion_ct_under_average",
    ("rgb", "weighted_average"): "fusion_rgb_under_average",
    ("ct", "voting"): "fusion_ct_outvoted",
    ("rgb", "voting"): "fusion_rgb_outvoted",
    ("ct", "rule_based"): "fusion_ct_overruled",
    ("rgb", "rule_based"): "fusion_rgb_overruled",
}


class FusedJudgement(NamedTuple):
    """A battery's verdict with its evidence; the worst images are named, worst first."""

    verdict: Verdict
    ensemble: EnsembleResult
    runs: list[SliceRun]
    worst_slices: list[str]
    worst_views: list[str]


def judge_images(
    images: Sequence[ImageResult],
    expected_ct: int,
    expected_rgb: int,
    policy: InspectorConfig,
    *,
    lost: Sequence[Message] = (),
    unasked: Message | None = None,
) -> FusedJudgement:
    """Judge a battery by its images.

    Parameters
    ----------
    images : results of both modalities, in any order, failed ones included
    expected_ct, expected_rgb : images that the battery has; fewer results are never ``normal``
    policy : thresholds and fusion method
    lost : what the intake left out of the battery; with any it is never more than ``review``
    unasked : why the CT autoencoder, which is installed, could not be asked
    """
    rules = policy.aggregation
    slices = [image for image in images if image.modality == "ct"]
    views = [image for image in images if image.modality == "rgb"]
    ct = ct_evidence(slices, expected_ct, policy)
    rgb = rgb_evidence(views, expected_rgb, policy)
    second = SecondLook(reason=unasked) if unasked else second_look(slices, rules.min_run)
    verdict = decide(ct, rgb, policy, lost, second)
    runs = find_runs(slices, rules.slice_threshold, rules.min_run)

    def order(image: ImageResult) -> tuple[bool, bool, float]:
        # What the verdict rests on comes before a louder hit that is alone.
        in_a_run = any(r.axis == image.axis and r.first <= image.number <= r.last for r in runs)
        return in_a_run, any(run.holds(image) for run in second.runs), score_of(image)

    worst_slices = sorted(judged(slices), key=order, reverse=True)[: rules.evidence_slices]
    worst_views = sorted(judged(views), key=score_of, reverse=True)[: rules.evidence_views]
    ensemble = EnsembleResult(
        prediction=verdict.kind,
        defect_type=verdict.defect_type,
        confidence=_confidence(verdict),
        cnn_prob=ct.prob,
        cnn_defect_type=ct.defect_type,
        ae_score=rgb.prob,
        ct_ae_score=second.score,
        method=policy.method,
        weights={"cnn": policy.weighted_average.w_cnn, "ae": policy.weighted_average.w_ae},
        gradcam_heatmap=worst_slices[0].evidence.get("heatmap") if worst_slices else None,
        gradcam_bbox=worst_slices[0].pred_boxes if worst_slices else [],
    )
    names = [[image.image for image in worst] for worst in (worst_slices, worst_views)]
    return FusedJudgement(verdict, ensemble, runs, *names)


def decide(
    ct: ChannelEvidence,
    rgb: ChannelEvidence,
    policy: InspectorConfig,
    lost: Sequence[Message] = (),
    second: SecondLook = NO_LOOK,
) -> Verdict:
    """Fuse the two channels into a verdict.

    The configured method says whether the battery is normal or a defect, the channels say which
    kind. Only two complete, normal channels that the method calls normal are ``normal``. Where
    method and channels disagree, or where something was not judged or is ``lost``, it is
    ``review``; where neither channel was judged, ``not_inspected``. What is strange to the CT
    autoencoder alone is ``review`` too.
    """
    kind, said = _kind_of(ct, rgb, policy)
    if lost and kind != "not_inspected":
        kind, said = "review", []
    if second.reason is not None and ct.state != "defect":
        # That neither channel shows a defect is no longer the word on it.
        kind, said = ("review", []) if kind == "normal" else (kind, said)
        said = [*said, second.reason]
    found_defects = [c.defect_type for c in (ct, rgb) if c.state == "defect" and c.defect_type]
    return Verdict(
        kind=kind,
        defect_type=found_defects[0] if found_defects else None,
        fused_score=_fused_score(ct, rgb, policy),
        cnn_prob=ct.prob,
        ae_score=rgb.prob,
        ct_ae_score=second.score,
        ct_state=ct.state,
        rgb_state=rgb.state,
        reasons=[*ct.reasons, *rgb.reasons, *lost, *said],
    )


def _kind_of(
    ct: ChannelEvidence, rgb: ChannelEvidence, policy: InspectorConfig
) -> tuple[Kind, list[Message]]:
    """Return the kind, and what has to be said beyond the channels' own reasons."""
    numbers = _numbers(ct, rgb, policy)
    if numbers is None:
        kind: Kind = "review" if _present(ct) or _present(rgb) else "not_inspected"
        return kind, []
    if not (ct.complete and rgb.complete):
        return "review", []
    outcome, method = _fuse(ct, rgb, policy)
    defects = (ct.state == "defect", rgb.state == "defect")
    if outcome == "uncertain":
        return "review", [Message(code="fusion_split", params=numbers)]
    if any(defects):
        if outcome == "defect":
            return _DEFECT_KINDS[defects], []
        names = [name for name, says in zip(("ct", "rgb"), defects, strict=True) if says]
        return "review", [Message(code=_OVERRULED[n, method], params=numbers) for n in names]
    if outcome == "defect":
        return "review", [Message(code="fusion_only_fused", params=numbers)]
    if ct.state == rgb.state == "normal":
        return "normal", [Message(code="fusion_normal", params=numbers)]
    return "review", []


def _fuse(
    ct: ChannelEvidence, rgb: ChannelEvidence, policy: InspectorConfig
) -> tuple[Outcome, FusionMethod]:
    """Return what the configured method says, and the method that had the last word."""
    if policy.method != "rule_based":
        return _fuse_by(policy.method, ct, rgb, policy), policy.method
    rules = policy.rule_based
    prob, score, limit = _value(ct.prob), _value(rgb.score), _value(rgb.threshold)
    if prob >= rules.high_confidence_cnn:
        return "defect", "rule_based"
    if prob <= rules.low_confidence_cnn and score < rules.ae_multiplier_low * limit:
        return "normal", "rule_based"
    # At a threshold of 0 every multiple of it is 0, and a score of 0 is no anomaly.
    if score > 0 and score >= rules.ae_multiplier_high * limit:
        return "defect", "rule_based"
    return _fuse_by(rules.fallback_method, ct, rgb, policy), rules.fallback_method


def _fuse_by(
    method: Literal["weighted_average", "voting"],
    ct: ChannelEvidence,
    rgb: ChannelEvidence,
    policy: InspectorConfig,
) -> Outcome:
    if method == "weighted_average":
        fused = _value(_fused_score(ct, rgb, policy))
        return "defect" if fused >= policy.weighted_average.threshold else "normal"
    rules = policy.voting
    ct_vote = _value(ct.prob) >= rules.cnn_threshold
    rgb_vote = _value(rgb.score) > _value(rgb.threshold) * rules.ae_threshold_multiplier
    if ct_vote != rgb_vote and rules.tie_breaker == "uncertain":
        return "uncertain"
    vote = rgb_vote if rules.tie_breaker == "ae" else ct_vote
    return "defect" if vote else "normal"


def _fused_score(
    ct: ChannelEvidence, rgb: ChannelEvidence, policy: InspectorConfig
) -> float | None:
    """Return w_cnn * cnn_prob + w_ae * ae_score, or None where a channel has no value."""
    if ct.prob is None or rgb.prob is None:
        return None
    weights = policy.weighted_average
    return min(1.0, weights.w_cnn * ct.prob + weights.w_ae * rgb.prob)


def _numbers(
    ct: ChannelEvidence, rgb: ChannelEvidence, policy: InspectorConfig
) -> dict[str, str | int | float] | None:
    """Return the figures that reasons quote, or None where a channel was not judged."""
    fused = _fused_score(ct, rgb, policy)
    if fused is None or not (_present(ct) and _present(rgb)):
        return None
    return {
        "cnn_prob": _value(ct.prob),
        "ae_score": _value(rgb.prob),
        "fused": fused,
        "threshold": policy.weighted_average.threshold,
    }


def _present(channel: ChannelEvidence) -> bool:
    return channel.state not in ("missing", "failed")


def _value(number: float | None) -> float:
    # Only present channels get here, and those have their numbers.
    if number is None:
        raise ValueError("a channel that was judged needs prob, score and threshold")
    return number


def _confidence(verdict: Verdict) -> float | None:
    """Return how sure the channels are of the kind; None where nothing is claimed."""
    if verdict.cnn_prob is None or verdict.ae_score is None:
        return None
    by_kind = {
        "normal": min(1 - verdict.cnn_prob, 1 - verdict.ae_score),
        "internal_defect": verdict.cnn_prob,
        "external_defect": verdict.ae_score,
        "composite_defect": min(verdict.cnn_prob, verdict.ae_score),
    }
    return by_kind.get(verdict.kind)
