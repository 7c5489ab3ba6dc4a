"""From image results to what each of the two channels, CT and RGB, says of a battery. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from inspection.classes import class_table
from inspection.config import InspectorConfig
from inspection.messages import Message, wordings
from inspection.records import Modality
from inspection.results import ChannelState, ImageResult, SliceRun
from inspection.systems.ensemble.stacks import holes, is_judged, judged, score_of, segments

NAMED_FAILURES = 5
"""Unjudged images that a verdict names one by one; the rest are counted."""


@dataclass(frozen=True, slots=True)
class ChannelEvidence:
    """What one modality says of a battery.

    Parameters
    ----------
    state : ``missing`` where the battery has no such images, ``failed`` where it has but none
        could be judged
    prob : the channel's value in 0..1: ``cnn_prob`` or ``ae_score``; None where absent
    score : the value that is compared with ``threshold``: on CT the same as ``prob``, on RGB
        the reconstruction score; None where absent
    threshold : a score above it is a defect; None where absent
    defect_type : class of the defect; an autoencoder tells none
    complete : False where some images could not be judged: the battery is at best ``review``
    reasons : why the channel is in its state
    """

    state: ChannelState
    prob: float | None = None
    score: float | None = None
    threshold: float | None = None
    defect_type: str | None = None
    complete: bool = True
    reasons: tuple[Message, ...] = ()


def find_runs(slices: Sequence[ImageResult], threshold: float, min_run: int) -> list[SliceRun]:
    """Runs of at least ``min_run`` neighbouring slices of one axis above the threshold.

    Neighbours are one step apart, the step being the axis's most common one, so that a lot
    which holds every fourth slice has runs too. A slice that is absent or could not be judged
    ends a run. A run's type is the defect class with the highest summed probability; its score
    is the highest mean of ``min_run`` neighbouring slices in it, which a long weak tail does
    not dilute.

    Returns
    -------
    list of SliceRun
        The highest score first.
    """
    runs = []
    for segment in segments(slices):
        for above, members in groupby(segment, key=lambda image: score_of(image) > threshold):
            run = list(members)
            if above and len(run) >= min_run:
                runs.append(_slice_run(run, min_run))
    return sorted(runs, key=lambda run: run.score, reverse=True)


def ct_evidence(
    slices: Sequence[ImageResult], expected: int, policy: InspectorConfig
) -> ChannelEvidence:
    """What the CT slices say.

    With a run, ``prob`` is the best run's score. Without one it is the highest level that
    ``min_run`` neighbouring slices all reach, so that a lone hit on a clean battery does not
    raise it; the lone hit makes the channel ``uncertain`` instead. So do slices in which a run
    could not be seen: too few neighbours on every axis, or numbers that are absent.
    """
    absent = _absent("ct", slices, expected)
    if absent is not None:
        return absent
    threshold, min_run = policy.aggregation.slice_threshold, policy.aggregation.min_run
    failures = _failures("ct", slices, expected)
    runs = find_runs(slices, threshold, min_run)
    if runs:
        return ChannelEvidence(
            state="defect",
            prob=runs[0].score,
            score=runs[0].score,
            threshold=threshold,
            defect_type=runs[0].defect_type,
            complete=not failures,
            reasons=(_run_reason(runs[0]), *failures),
        )
    lone = _lone_hits([i for i in judged(slices) if score_of(i) > threshold], min_run)
    gaps = _gaps(slices, min_run)
    level = _common_level(segments(slices), min_run)
    return ChannelEvidence(
        state="uncertain" if lone or gaps or failures else "normal",
        prob=level,
        score=level,
        threshold=threshold,
        complete=not failures,
        reasons=(*lone, *gaps, *failures),
    )


def rgb_evidence(
    views: Sequence[ImageResult], expected: int, policy: InspectorConfig
) -> ChannelEvidence:
    """What the RGB views say: the mean of the ``top_k_views`` highest scores.

    A view that is over the threshold while the mean is not makes the channel ``uncertain``.
    """
    absent = _absent("rgb", views, expected)
    if absent is not None:
        return absent
    ranked = sorted(judged(views), key=score_of, reverse=True)
    top = ranked[: policy.aggregation.top_k_views]
    score = sum(map(score_of, top)) / len(top)
    # One model judged them all; were it not so, the strictest threshold is the safe one.
    threshold = min(image.threshold for image in ranked if image.threshold is not None)
    failures = _failures("rgb", views, expected)
    state: ChannelState = "uncertain" if failures else "normal"
    reasons: list[Message] = []
    worst: dict[str, str | int | float] = {"image": _file_name(ranked[0]), "threshold": threshold}
    if score > threshold:
        state = "defect"
        reasons.append(Message(code="fusion_rgb_defect", params={**worst, "score": score}))
    elif score_of(ranked[0]) > threshold:
        state = "uncertain"
        worst |= {"score": score_of(ranked[0]), "count": len(top), "mean": score}
        reasons.append(Message(code="fusion_rgb_lone_view", params=worst))
    named = [image.pred_label for image in top if image.pred_label in class_table().rgb_defects]
    return ChannelEvidence(
        state=state,
        prob=ae_score_from(score, threshold),
        score=score,
        threshold=threshold,
        defect_type=named[0] if named and state == "defect" else None,
        complete=not failures,
        reasons=(*reasons, *failures),
    )


def ae_score_from(score: float, threshold: float) -> float:
    """Map a reconstruction score to 0..1: rises with the score, 0.5 at the threshold.

    Parameters
    ----------
    score : >= 0
    threshold : >= 0; at 0, any score above it is certain

    Raises
    ------
    ValueError
        If either is negative.
    """
    if score < 0 or threshold < 0:
        raise ValueError(f"score and threshold must not be negative, got {score}, {threshold}")
    if threshold == 0:
        return 1.0 if score > 0 else 0.5
    return 1.0 - float(2.0 ** (-score / threshold))


# -- slices ------------------------------------------------------------------------------------


def _slice_run(run: Sequence[ImageResult], min_run: int) -> SliceRun:
    scores = [score_of(image) for image in run]
    totals = {
        name: sum(image.probabilities.get(name, 0.0) for image in run)
        for name in class_table().ct_defects
    }
    windows = (scores[n : n + min_run] for n in range(len(scores) - min_run + 1))
    return SliceRun(
        axis=run[0].axis,
        first=run[0].number,
        last=run[-1].number,
        length=len(run),
        defect_type=max(totals, key=totals.__getitem__),
        score=min(1.0, max(sum(window) for window in windows) / min_run),
    )


def _common_level(stretches: Sequence[Sequence[ImageResult]], min_run: int) -> float:
    """Return the highest level that ``min_run`` neighbours all reach."""
    # Where no stretch is long enough for a run, the whole of each stretch has to do.
    long_enough = [s for s in stretches if len(s) >= min_run] or stretches
    return max(
        min(map(score_of, segment[n : n + min_run]))
        for segment in long_enough
        for n in range(max(1, len(segment) - min_run + 1))
    )


# -- reasons -----------------------------------------------------------------------------------


def _run_reason(run: SliceRun) -> Message:
    slices = f"{run.axis or ''} {run.first}–{run.last}".strip()
    params: dict[str, str | int | float] = {
        "slices": slices,
        "length": run.length,
        "score": run.score,
    }
    code = f"fusion_ct_{run.defect_type}"
    if code not in wordings():
        # A class that was added to the table has no sentence of its own: its names are told.
        code, name = "fusion_ct_run", class_table().rows[run.defect_type].name
        params |= {"name_en": name["en"], "name_ko": name["ko"]}
    return Message(code=code, params=params)


def _lone_hits(hits: Sequence[ImageResult], min_run: int) -> tuple[Message, ...]:
    if not hits:
        return ()
    worst = max(hits, key=score_of)
    params: dict[str, str | int | float] = {
        "count": len(hits),
        "image": _file_name(worst),
        "score": score_of(worst),
        "min_run": min_run,
    }
    return (Message(code="fusion_ct_lone_hit", params=params),)


def _gaps(slices: Sequence[ImageResult], min_run: int) -> tuple[Message, ...]:
    """Return why a run could have been overlooked between or beyond the slices."""
    reasons: list[Message] = []
    longest = max(map(len, segments(slices)))
    if longest < min_run:
        short: dict[str, str | int | float] = {"count": longest, "min_run": min_run}
        reasons.append(Message(code="fusion_ct_short", params=short))
    if missing := holes(slices):
        reasons.append(Message(code="fusion_ct_holes", params={"count": missing}))
    return tuple(reasons)


def _absent(
    modality: Modality, images: Sequence[ImageResult], expected: int
) -> ChannelEvidence | None:
    if not images and expected == 0:
        return ChannelEvidence(
            "missing", complete=False, reasons=(Message(code=f"fusion_{modality}_missing"),)
        )
    if judged(images):
        return None
    first = images[0].error if images else None
    if first is not None and len(images) > 1 and all(image.error == first for image in images):
        # A model that is not there: said once, not once an image.
        reasons: tuple[Message, ...] = (first,)
    else:
        reasons = _named_failures(images)
    failed = Message(code=f"fusion_{modality}_failed")
    return ChannelEvidence("failed", complete=False, reasons=(failed, *reasons))


def _failures(
    modality: Modality, images: Sequence[ImageResult], expected: int
) -> tuple[Message, ...]:
    """Return why images of a channel were not judged; empty where all were."""
    reasons = _named_failures(images)
    if len(images) < expected:
        counts: dict[str, str | int | float] = {"count": len(images), "expected": expected}
        reasons = (Message(code=f"fusion_{modality}_incomplete", params=counts), *reasons)
    return reasons


def _named_failures(images: Sequence[ImageResult]) -> tuple[Message, ...]:
    failed = [image for image in images if not is_judged(image)]
    reasons = [message for image in failed[:NAMED_FAILURES] for message in _failure(image)]
    left = len(failed) - NAMED_FAILURES
    if left > 0:
        reasons.append(Message(code="fusion_more_failures", params={"count": left}))
    return tuple(reasons)


def _failure(image: ImageResult) -> list[Message]:
    """Return the image's own error, with the file's name in front where it does not say it."""
    name = _file_name(image)
    error = [image.error] if image.error is not None else []
    said = [str(value) for message in error for value in message.params.values()]
    if any(name.rpartition("/")[2] in value for value in said):
        return error
    return [Message(code="fusion_image_failed", params={"image": name}), *error]


def _file_name(image: ImageResult) -> str:
    """Return what tells the image from the battery's others, without the lot's long folders."""
    folder, _, name = image.image.rpartition("/")
    parent = folder.rpartition("/")[2]
    # In the plain layout a slice and a view may have the same name.
    return f"{parent}/{name}" if parent.lower() == image.modality else name
