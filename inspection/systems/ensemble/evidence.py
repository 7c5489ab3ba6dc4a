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

Params = dict[str, str | int | float]
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
            if not above or len(run) < min_run:
                continue
            scores = [score_of(image) for image in run]
            windows = (scores[n : n + min_run] for n in range(len(scores) - min_run + 1))
            totals = {
                name: sum(image.probabilities.get(name, 0.0) for image in run)
                for name in class_table().ct_defects
            }
            runs.append(
                SliceRun(
                    axis=run[0].axis,
                    first=run[0].number,
                    last=run[-1].number,
                    length=len(run),
                    defect_type=max(totals, key=totals.__getitem__),
                    score=min(1.0, max(sum(window) for window in windows) / min_run),
                )
            )
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
        worst = runs[0]
        where = f"{worst.axis or ''} {worst.first}–{worst.last}".strip()
        params: Params = {"slices": where, "length": worst.length, "score": worst.score}
        code = f"fusion_ct_{worst.defect_type}"
        if code not in wordings():
            # A class that was added to the table has no sentence of its own: its names are told.
            code, name = "fusion_ct_run", class_table().rows[worst.defect_type].name
            params |= {"name_en": name["en"], "name_ko": name["ko"]}
        said = Message(code=code, params=params)
        return ChannelEvidence(
            state="defect",
            prob=worst.score,
            score=worst.score,
            threshold=threshold,
            defect_type=worst.defect_type,
            complete=not failures,
            reasons=(said, *failures),
        )
    reasons: list[Message] = []
    if hits := [image for image in judged(slices) if score_of(image) > threshold]:
        loudest = max(hits, key=score_of)
        params = {
            "count": len(hits),
            "image": _file_name(loudest),
            "score": score_of(loudest),
            "min_run": min_run,
        }
        reasons.append(Message(code="fusion_ct_lone_hit", params=params))
    # A run could have been overlooked between or beyond the slices.
    stretches = segments(slices)
    longest = max(map(len, stretches))
    if longest < min_run:
        params = {"count": longest, "min_run": min_run}
        reasons.append(Message(code="fusion_ct_short", params=params))
    if missing := holes(slices):
        reasons.append(Message(code="fusion_ct_holes", params={"count": missing}))
    # Where no stretch is long enough for a run, the whole of each stretch has to do.
    long_enough = [s for s in stretches if len(s) >= min_run] or stretches
    level = max(
        min(map(score_of, segment[n : n + min_run]))
        for segment in long_enough
        for n in range(max(1, len(segment) - min_run + 1))
    )
    return ChannelEvidence(
        state="uncertain" if reasons or failures else "normal",
        prob=level,
        score=level,
        threshold=threshold,
        complete=not failures,
        reasons=(*reasons, *failures),
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
    worst: Params = {"image": _file_name(ranked[0]), "threshold": threshold}
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
        reasons = (*_gate_failures(modality, images), *_named_failures(images))
    failed = Message(code=f"fusion_{modality}_failed")
    return ChannelEvidence("failed", complete=False, reasons=(failed, *reasons))


def _failures(
    modality: Modality, images: Sequence[ImageResult], expected: int
) -> tuple[Message, ...]:
    """Return why images of a channel were not judged; empty where all were."""
    reasons = (*_gate_failures(modality, images), *_named_failures(images))
    if len(images) < expected:
        counts: Params = {"count": len(images), "expected": expected}
        reasons = (Message(code=f"fusion_{modality}_incomplete", params=counts), *reasons)
    return reasons


def _gate_failures(modality: Modality, images: Sequence[ImageResult]) -> tuple[Message, ...]:
    """Return how many images did not pass the gate, and of each check one of them."""
    stopped = [image for image in images if image.gate]
    if not stopped:
        return ()
    counts: Params = {"count": len(stopped), "total": len(images)}
    examples: dict[str, Message] = {}
    for image in stopped:
        for message in image.gate:
            examples.setdefault(message.code, message)
    return (Message(code=f"gate_images_{modality}", params=counts), *examples.values())


def _named_failures(images: Sequence[ImageResult]) -> tuple[Message, ...]:
    failed = [image for image in images if not is_judged(image) and not image.gate]
    reasons: list[Message] = []
    for image in failed[:NAMED_FAILURES]:
        name, error = _file_name(image), [image.error] if image.error is not None else []
        said = [str(value) for message in error for value in message.params.values()]
        # In front of an error that does not name the file itself.
        if not any(name.rpartition("/")[2] in value for value in said):
            reasons.append(Message(code="fusion_image_failed", params={"image": name}))
        reasons += error
    left = len(failed) - NAMED_FAILURES
    if left > 0:
        reasons.append(Message(code="fusion_more_failures", params={"count": left}))
    return tuple(reasons)


def _file_name(image: ImageResult) -> str:
    """Return what tells the image from the battery's others, without the lot's long folders."""
    folder, _, name = image.image.rpartition("/")
    parent = folder.rpartition("/")[2]
    # In the plain layout a slice and a view may have the same name.
    return f"{parent}/{name}" if parent.lower() == image.modality else name
