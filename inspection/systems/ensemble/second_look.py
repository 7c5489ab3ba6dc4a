"""What the optional CT autoencoder says of a battery, beside the classifier. Pure.

It knows normal slices only: it can say that a stretch of slices is unlike them, not what it shows.
So it may ask for a person, and neither names a defect nor makes anything normal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from inspection.messages import Message
from inspection.records import Axis
from inspection.results import ImageResult
from inspection.systems.ensemble.evidence import ae_score_from
from inspection.systems.ensemble.stacks import segments

NAMED_RUNS = 3
"""Stretches that a reason names; the highest come first."""


@dataclass(frozen=True, slots=True)
class StrangeRun:
    """Neighbouring slices of one axis that are all over the autoencoder's threshold.

    ``score`` is the highest level in 0..1 that the shortest stretch that counts reaches in it.
    """

    axis: Axis | None
    first: int
    last: int
    score: float

    def holds(self, image: ImageResult) -> bool:
        """Return whether a slice is one of them."""
        return image.axis == self.axis and self.first <= image.number <= self.last

    @property
    def where(self) -> str:
        """Axis and numbers, as other reasons write them."""
        return f"{self.axis or ''} {self.first}–{self.last}".strip()


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What the autoencoder says.

    Parameters
    ----------
    score : 0..1, 0.5 at the threshold; None where it was not asked
    runs : stretches over the threshold, the highest first
    reason : why a person should look; None where nobody need
    """

    score: float | None = None
    runs: tuple[StrangeRun, ...] = ()
    reason: Message | None = None


def second_look(slices: Sequence[ImageResult], min_run: int) -> SecondLook:
    """Return what the autoencoder's scores say of a battery's slices.

    As for the classifier, a stretch of ``min_run`` neighbouring slices counts and a lone one does
    not; the score is the highest level that so many neighbours all reach.

    Parameters
    ----------
    slices : results of the CT images, those without a score of the autoencoder included
    """
    found: list[StrangeRun] = []
    levels: list[float] = []
    for segment in segments(slices):
        for known, part in groupby(segment, key=lambda image: image.ct_ae_score is not None):
            if not known:
                continue
            stretch = list(part)
            levels.append(_level(stretch, min_run))
            for strange, members in groupby(stretch, key=_is_strange):
                run = list(members)
                if strange and len(run) >= min_run:
                    level = _level(run, min_run)
                    found.append(StrangeRun(run[0].axis, run[0].number, run[-1].number, level))
    if not levels:
        return SecondLook()
    found.sort(key=lambda run: run.score, reverse=True)
    score = found[0].score if found else min(0.5, max(levels))
    reason = None
    if found:
        where = ", ".join(run.where for run in found[:NAMED_RUNS])
        code = "fusion_ct_ae_runs" if len(found) > NAMED_RUNS else "fusion_ct_ae_run"
        params: dict[str, str | int | float] = {"slices": where, "score": score}
        reason = Message(code=code, params={**params, "count": len(found)})
    return SecondLook(score, tuple(found), reason)


def _is_strange(image: ImageResult) -> bool:
    return (image.ct_ae_score or 0.0) > (image.ct_ae_threshold or 0.0)


def _level(stretch: Sequence[ImageResult], min_run: int) -> float:
    """Return the highest value that ``min_run`` neighbours all reach, or all of fewer."""
    values = [ae_score_from(i.ct_ae_score or 0.0, i.ct_ae_threshold or 0.0) for i in stretch]
    windows = range(max(1, len(values) - min_run + 1))
    return max(min(values[place : place + min_run]) for place in windows)
