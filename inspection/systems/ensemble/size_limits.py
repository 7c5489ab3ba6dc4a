"""What the limits of a site's classes make of a verdict, once defects have a size. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inspection.classes import DefectClass, SizeLimits
from inspection.messages import Message
from inspection.results import ImageResult, SliceRun, Verdict
from inspection.volume_results import DefectBody, SizeOutcome

DEVIATIONS = 2.0
"""Standard deviations of the measure that a size has to be below a limit by, to be accepted."""
LEAST_SHARE = 0.5
"""Of a run's slices that bodies have to lie in: what else was hot there was not measured."""


def outcome_of(body: DefectBody, limits: SizeLimits | None) -> SizeOutcome | None:
    """Return what a class's limits say of a body; None where there are none, or no size in mm."""
    found = body.size.value(limits.measure) if limits and body.size else None
    if limits is None or found is None:
        return None
    value, error = found
    if limits.accept_below is not None and value + DEVIATIONS * error < limits.accept_below:
        return "accept"
    if limits.defect_above is None or value >= limits.defect_above:
        return "defect"
    return "review"


def apply_limits(
    verdict: Verdict,
    bodies: Sequence[DefectBody],
    runs: Sequence[SliceRun],
    images: Sequence[ImageResult],
    classes: Mapping[str, DefectClass],
    *,
    whole: bool,
) -> tuple[Verdict, list[DefectBody]]:
    """Return a verdict under the limits that classes have, and the bodies with what they say.

    Only a defect that CT has shown can become anything else, and only where every part of it was
    measured; where something was not, it stays what it is.

    Parameters
    ----------
    verdict : of the battery
    bodies : of its volume
    runs : that the verdict stands on
    images : all of the battery
    classes : with their limits
    whole : False where anything of the battery was left out or not judged: what is accepted
        is a review then, as a battery without a defect would be
    """
    told = [
        body.model_copy(update={"outcome": outcome_of(body, classes[body.defect_type].limits)})
        for body in bodies
    ]
    limited = [body for body in told if classes[body.defect_type].limits is not None]
    if not limited or verdict.kind not in ("internal_defect", "composite_defect"):
        return verdict, told
    outcomes = {body.outcome for body in told}
    if outcomes & {None, "defect"}:
        return _with_reasons(verdict, limited), told
    alone = [
        image
        for image in images
        if image.modality == "ct"
        and image.is_anomaly
        and not any(
            run.axis == image.axis and run.first <= image.number <= run.last for run in runs
        )
    ]
    measured = all(_covered(run, told) for run in runs)
    if outcomes == {"accept"} and measured and not alone:
        if verdict.kind == "composite_defect":
            change = {"kind": "external_defect", "defect_type": None}
        elif whole and verdict.rgb_state == "normal":
            change = {"kind": "normal", "defect_type": None}
        else:
            change = {"kind": "review"}
    else:
        change = {"kind": "review"}
    return _with_reasons(verdict.model_copy(update=change), limited), told


def _covered(run: SliceRun, bodies: Sequence[DefectBody]) -> bool:
    place = ("z", "y", "x").index(run.axis or "z")
    numbers = range(run.first, run.last + 1)
    inside = {n for n in numbers if any(b.start[place] <= n < b.stop[place] for b in bodies)}
    return len(inside) >= LEAST_SHARE * len(numbers)


def _with_reasons(verdict: Verdict, bodies: Sequence[DefectBody]) -> Verdict:
    """Add what was said of the most serious body, and how many there are."""
    order: list[SizeOutcome | None] = ["accept", "review", "defect", None]
    worst = max(bodies, key=lambda body: order.index(body.outcome))
    codes = {
        "accept": "size_accepted",
        "review": "size_between",
        "defect": "size_over",
        None: "size_not_known",
    }
    # Accepted one by one, and yet not all that was found is accounted for.
    code = "size_between" if verdict.kind == "review" else codes[worst.outcome]
    reason = Message(code=code, params={"count": len(bodies)})
    return verdict.model_copy(update={"reasons": [*verdict.reasons, reason]})
