"""What the station asks of the trainer when somebody teaches it, and what comes back.

The two are programs of their own: the documents here are all that they know of each other. A
teaching has a folder: `REQUEST_NAME` is put there by whoever asks, `PROGRESS_NAME` is written anew
while it goes on, `RESULT_NAME` comes last. Without a result there is nothing in it to be used.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from inspection.messages import Message
from inspection.modelstore.files import Digest
from inspection.modelstore.folders import Slot
from inspection.record_base import Finite, Probability, Record, Score

REQUEST_NAME = "request.json"
PROGRESS_NAME = "progress.json"
RESULT_NAME = "result.json"
LOCK_NAME = "teaching.lock"
"""Held by the trainer as long as it works."""
CANCEL_NAME = "cancel"
"""Whoever makes this file asks the trainer to stop."""
FEWEST_BATTERIES = 3
"""One is held out, and two say how much good ones differ."""

DetectorName = Literal["features", "discriminative", "combined"]
Task = Literal["detector", "gate"]
Stage = Literal["reading", "training", "judging", "painting", "gate", "done", "cancelled", "failed"]
Count = Annotated[int, Field(ge=0)]
Z_95 = 1.959964


class TeachRequest(Record):
    """``request.json``.

    Parameters
    ----------
    lot : folder of the lot
    task : a detector is trained, or only the gate of the model in use is fitted anew
    slot : of the model
    batteries : good ones, by id
    defective : those that were decided to have a defect which the slot's images should show
    detectors : which ones to train; the one that is kept tells painted defects best
    present : folder of the model in use; needed for a gate
    epochs : passes over the images of a detector that is trained in epochs; by its configuration
    device : ``auto``, ``cpu`` or ``cuda``
    """

    schema_version: Literal[1] = 1
    lot: str
    task: Task = "detector"
    slot: Slot
    batteries: tuple[str, ...]
    defective: tuple[str, ...] = ()
    detectors: Annotated[tuple[DetectorName, ...], Field(min_length=1)] = ("features",)
    present: str | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    epochs: Annotated[int, Field(ge=1)] | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"


class TeachEvent(Record):
    """One line of the trainer's output: where it is.

    Parameters
    ----------
    done, total : images or epochs of the stage; 0 of 0 where that is not known yet
    seconds_left : of the stage
    error : why it has ended, where it failed
    """

    stage: Stage
    done: Count = 0
    total: Count = 0
    seconds_left: Annotated[float, Field(ge=0.0)] | None = None
    error: Message | None = None


class Rate(Record):
    """How many of some things."""

    count: Count
    total: Count

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the share; of nothing it may be anything.

        References
        ----------
        Wilson, Probable inference, the law of succession, and statistical inference, JASA 22
        (1927).
        """
        if not self.total:
            return 0.0, 1.0
        share, n, z = self.count / self.total, self.total, Z_95
        middle = share + z * z / (2 * n)
        reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        low, high = ((middle + side * reach) / (1 + z * z / n) for side in (-1, 1))
        return max(0.0, low), min(1.0, high)


class ScoredView(Record):
    """An image with the scores of the new model and of the one in use.

    Parameters
    ----------
    image : its name in the lot
    present : None where there is no such model, or it could not judge the image
    """

    image: str
    battery: str
    score: Score
    present: Score | None = None


class ScoredBattery(Record):
    """A battery with the threshold under which it is called defective, by either model."""

    battery: str
    score: Score
    present: Score | None = None


class UsedBattery(Record):
    """A good battery that was used, and for what.

    Parameters
    ----------
    part : it was learned from, its scores gave the threshold and the limits of the gate, or it was
        only judged: what a release may be compared on
    """

    battery: str
    images: Annotated[int, Field(ge=1)]
    part: Literal["taught", "threshold", "judged"]


class NotTaught(Record):
    """A battery or an image that was not used, and why."""

    name: str
    reason: Message


class Proposal(Record):
    """A threshold from the scores of the held-out images that are there for it.

    Parameters
    ----------
    value : ``k`` or the percentile
    unseen : good batteries called defective by a threshold that they had no say in, which is what
        to expect of others: those that were only judged, and each of the rest by the threshold
        that the others give; None with too few
    """

    method: Literal["mean_std", "percentile"]
    value: Finite
    threshold: Annotated[float, Field(gt=0.0)]
    unseen: Rate | None = None


class Trial(Record):
    """A detector that was trained.

    Parameters
    ----------
    painted_auroc : how well it tells held-out images with a painted defect from those without
    seconds : that training took
    """

    detector: str
    painted_auroc: Probability
    seconds: Score


class PresentModel(Record):
    """The model in use.

    Parameters
    ----------
    painted_auroc : as of a `Trial`, on the same images
    known : held-out batteries that it was itself taught on: it is judged too kindly by them
    """

    name: str
    sha256: Digest
    demo: bool
    threshold: Annotated[float, Field(gt=0.0)]
    painted_auroc: Probability | None = None
    known: tuple[str, ...] = ()


class NearMiss(Record):
    """A held-out good image that is nearest to being called defective, or beyond it.

    Parameters
    ----------
    picture, map : PNG files in the teaching's folder, of the same size: as it is, and with the
        heat-map laid over it
    """

    image: str
    battery: str
    score: Score
    picture: str
    map: str


class GateFigure(Record):
    """How many of some pictures or batteries the new gate stops; ``name`` is a message's code."""

    name: str
    caught: Count
    tried: Count


class TeachResult(Record):
    """``result.json``.

    Parameters
    ----------
    model : name of the model's folder, beside this file
    threshold : that the model was written with
    held_out : good images that the model has not learned from
    batteries : those images' batteries
    defects : batteries that were decided to be defective; without any, escapes are unmeasured
    trials : of the detectors, the kept one first
    gate : of the gate; empty where it could not be fitted
    """

    schema_version: Literal[1] = 1
    request: TeachRequest
    model: str
    name: str
    sha256: Digest
    threshold: Annotated[float, Field(gt=0.0)] | None = None
    proposals: tuple[Proposal, ...] = ()
    used: tuple[UsedBattery, ...]
    left_out: tuple[NotTaught, ...]
    held_out: tuple[ScoredView, ...] = ()
    batteries: tuple[ScoredBattery, ...] = ()
    defects: tuple[ScoredBattery, ...] = ()
    trials: tuple[Trial, ...] = ()
    present: PresentModel | None = None
    misses: tuple[NearMiss, ...] = ()
    gate: tuple[GateFigure, ...] = ()
    seconds: Score


def overkill(result: TeachResult, threshold: float) -> Rate:
    """Return how many held-out good batteries the new model calls defective."""
    called = sum(row.score > threshold for row in result.batteries)
    return Rate(count=called, total=len(result.batteries))


def escapes(result: TeachResult, threshold: float) -> Rate | None:
    """Return how many decided defects the new model does not call; None without any."""
    missed = sum(row.score <= threshold for row in result.defects)
    return Rate(count=missed, total=len(result.defects)) if result.defects else None


def present_rates(result: TeachResult) -> tuple[Rate, Rate | None] | None:
    """Return overkill and escapes of the model in use on the same batteries."""
    if result.present is None:
        return None
    limit = result.present.threshold
    good = [row.present for row in result.batteries if row.present is not None]
    bad = [row.present for row in result.defects if row.present is not None]
    called = Rate(count=sum(score > limit for score in good), total=len(good))
    missed = Rate(count=sum(score <= limit for score in bad), total=len(bad))
    return called, missed if bad else None


def parts_of(result: TeachResult, part: str) -> frozenset[str]:
    """Return the good batteries of a part; see `UsedBattery`."""
    return frozenset(row.battery for row in result.used if row.part == part)
