"""Search the fusion policy on validation batteries, with the station's own fusion.

Every model judges the images once. Each combination of the grid is then put to
`inspection.systems.ensemble.fusion`, battery by battery, so that what is written is what the
station will do.

The order of preference, all at battery level:

1. an overkill rate under ``max_overkill``: a policy that sends most good batteries to review
   has no escapes, and inspects nothing;
2. an escape rate (defective batteries called ``normal``) within the allowed one; where none is,
   the fewest escapes;
3. the lowest overkill rate (normal batteries called anything else, ``review`` included);
4. the highest F1 of the outright defect verdicts, which keeps a policy from sending every
   defective battery to review;
5. a place inside a plateau rather than at its edge: the share of its neighbours in the grid, one
   step up and down each parameter, that are equal so far. What stands at the edge on sixty
   batteries falls off it on the next sixty;
6. the method in force, which is not changed for nothing;
7. the middle of the plateau: the longest way to its edge;
8. the values nearest to those in force.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_cdt

from inspection.config import InspectorConfig
from inspection.errors import ConfigError
from inspection.results import DEFECT_KINDS, FusionMethod
from inspection.systems.ensemble.evidence import ChannelEvidence, ct_evidence, rgb_evidence
from inspection.systems.ensemble.fusion import decide
from training.evaluation.batteries import judged_pairs
from training.evaluation.config import FusionGrid
from training.evaluation.judge import JudgedBattery

Ranks = NDArray[np.int64]
UNORDERED = frozenset({"tie_breaker", "fallback_method"})
"""Parameters without a scale: their values have no neighbours."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy does to the validation batteries.

    Parameters
    ----------
    batteries, defective : how many there are
    escapes : defective ones called ``normal``
    overkills : normal ones called anything else
    false_defects : normal ones called a defect outright
    reviews : batteries left to the operator
    f1 : of the outright defect verdicts
    """

    batteries: int
    defective: int
    escapes: int
    overkills: int
    false_defects: int
    reviews: int
    f1: float

    @property
    def escape_rate(self) -> float:
        """Share of the defective batteries called normal."""
        return self.escapes / self.defective if self.defective else 0.0

    @property
    def overkill_rate(self) -> float:
        """Share of the normal batteries called anything else."""
        normal = self.batteries - self.defective
        return self.overkills / normal if normal else 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The escape rate that is allowed, and the overkill rate above which a policy is useless."""

    max_escape: float = 0.0
    max_overkill: float = 0.5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A policy and what it does.

    Parameters
    ----------
    support : share of its neighbours in the grid that are equal
    margin : distance from the edge of its plateau, in steps of the grid
    change : distance from the policy in force, in shares of each parameter's range
    """

    policy: InspectorConfig
    outcome: Outcome
    support: float = 0.0
    margin: int = 0
    change: float = 0.0


@dataclass(frozen=True, slots=True)
class Search:
    """The candidates, the best first, and the policy that was in force."""

    candidates: tuple[Candidate, ...]
    current: Candidate

    @property
    def best(self) -> Candidate:
        """The winner."""
        return self.candidates[0]


class Judge:
    """Puts policies to judged batteries, remembering what does not change between them.

    Raises
    ------
    ConfigError
        If the batteries are not of both sorts, defective and normal.
    """

    def __init__(self, judged: Sequence[JudgedBattery]) -> None:
        self._rows = judged_pairs(judged)
        self._defective = np.array([row.truth != "normal" for row in self._rows], bool)
        if not self._defective.any() or self._defective.all():
            raise ConfigError("fuse_one_sided", found=len(self._rows))
        self._evidence: dict[str, list[tuple[ChannelEvidence, ChannelEvidence]]] = {}

    def outcome(self, policy: InspectorConfig) -> Outcome:
        """Return what a policy does."""
        # The channels' evidence depends on the aggregation alone.
        key = policy.aggregation.model_dump_json()
        if key not in self._evidence:
            self._evidence[key] = [_evidence(row, policy) for row in self._rows]
        kinds = [
            decide(ct, rgb, policy, row.battery.lost).kind
            for row, (ct, rgb) in zip(self._rows, self._evidence[key], strict=True)
        ]
        normal = np.array([kind == "normal" for kind in kinds], bool)
        named = np.array([kind in DEFECT_KINDS for kind in kinds], bool)
        hits = int(np.sum(named & self._defective))
        return Outcome(
            batteries=len(kinds),
            defective=int(self._defective.sum()),
            escapes=int(np.sum(normal & self._defective)),
            overkills=int(np.sum(~normal & ~self._defective)),
            false_defects=int(np.sum(named & ~self._defective)),
            reviews=sum(kind == "review" for kind in kinds),
            f1=2 * hits / (int(named.sum()) + int(self._defective.sum())),
        )


def search(
    judged: Sequence[JudgedBattery],
    grid: FusionGrid,
    current: InspectorConfig,
    limits: Limits | None = None,
) -> Search:
    """Try every policy of the grid and return them by preference; see the module's order.

    Parameters
    ----------
    judged : validation batteries, with the results of their images
    grid : values to try
    current : the policy in force; what the grid does not name is taken from it
    limits : by default no escape, and the grid's own overkill

    Raises
    ------
    ConfigError
        If the batteries are not of both sorts, defective and normal.
    """
    judge = Judge(judged)
    bounds = limits or Limits(max_overkill=grid.max_overkill)
    found: list[Candidate] = []
    for method in grid.methods:
        own = {**dict(iter(grid.aggregation)), **dict(iter(getattr(grid, method)))}
        # Those with a scale in rising order.
        axes = {n: list(v) if n in UNORDERED else sorted({*v}) for n, v in own.items()}
        tried = []
        for values in product(*axes.values()):
            chosen = dict(zip(axes, values, strict=True))
            policy = _policy(current, method, chosen)
            change = _change(current, method, axes, chosen)
            tried.append(Candidate(policy, judge.outcome(policy), change=change))
        # The grid of ranks, equal where candidates are.
        liked = [preference(candidate.outcome, bounds) for candidate in tried]
        levels = {value: rank for rank, value in enumerate(sorted(set(liked)))}
        ranks = np.array([levels[p] for p in liked]).reshape([len(v) for v in axes.values()])
        scaled = [len(v) > 1 and name not in UNORDERED for name, v in axes.items()]
        support, margins = _support(ranks, scaled).ravel(), _margins(ranks, scaled).ravel()
        found += [
            replace(c, support=float(s), margin=int(m))
            for c, s, m in zip(tried, support, margins, strict=True)
        ]

    def order(candidate: Candidate) -> tuple[float, ...]:
        quality = preference(candidate.outcome, bounds)
        other_method = candidate.policy.method != current.method
        return *quality, -candidate.support, other_method, -candidate.margin, candidate.change

    now = Candidate(current, judge.outcome(current))
    return Search(tuple(sorted(found, key=order)), now)


def preference(outcome: Outcome, limits: Limits) -> tuple[float, ...]:
    """Return what is compared first to last, the smaller the better."""
    useless = outcome.overkill_rate > limits.max_overkill
    # Within what is allowed, fewer escapes are no reason for more overkill.
    too_many = outcome.escape_rate if outcome.escape_rate > limits.max_escape + 1e-12 else 0.0
    # Rounded, so that sums in another order do not tell equals apart.
    return useless, too_many, outcome.overkill_rate, -round(outcome.f1, 9)


def _policy(
    current: InspectorConfig, method: FusionMethod, values: Mapping[str, Any]
) -> InspectorConfig:
    def fill(section: Any) -> Any:
        known = {key: values[key] for key in values if key in type(section).model_fields}
        if method == "weighted_average" and "w_cnn" in known:
            # Not 0.30000000000000004, in a file that people read.
            known["w_ae"] = round(1.0 - known["w_cnn"], 10)
        return section.model_copy(update=known)

    return current.model_copy(
        update={
            "method": method,
            "aggregation": fill(current.aggregation),
            method: fill(getattr(current, method)),
        }
    )


def _change(
    current: InspectorConfig,
    method: FusionMethod,
    axes: Mapping[str, list[Any]],
    values: Mapping[str, Any],
) -> float:
    """Return how far values are from those in force, in shares of each parameter's range."""
    in_force = {**dict(iter(current.aggregation)), **dict(iter(getattr(current, method)))}
    total = 0.0
    for name, value in values.items():
        if name in UNORDERED:
            total += value != in_force[name]
        else:
            span = axes[name][-1] - axes[name][0]
            total += abs(value - in_force[name]) / span if span else 0.0
    return round(total, 9)


def _support(ranks: Ranks, scaled: Sequence[bool]) -> NDArray[np.float64]:
    """Return the share of each candidate's neighbours that are equal to it.

    Beyond the grid nothing is known, so what is missing there counts as different.
    """
    equal = np.zeros(ranks.shape)
    for axis in np.flatnonzero(scaled):
        same = np.diff(ranks, axis=axis) == 0
        for side in ((0, 1), (1, 0)):
            equal += np.pad(same, [side if a == axis else (0, 0) for a in range(ranks.ndim)])
    return equal / max(1, 2 * sum(scaled))


def _margins(ranks: Ranks, scaled: Sequence[bool]) -> NDArray[np.int64]:
    """Return each candidate's distance from the nearest one that is worse or better.

    Steps are counted along and across the axes (chessboard distance); the grid's border is an
    edge too.
    """
    margins = np.ones(ranks.shape, np.int64)
    if not any(scaled):
        return margins
    core = tuple(slice(1, -1) for _ in range(sum(scaled)))
    sizes = [1 if s else n for n, s in zip(ranks.shape, scaled, strict=True)]
    for fixed in product(*map(range, sizes)):
        part = tuple(slice(None) if s else i for i, s in zip(fixed, scaled, strict=True))
        for rank in np.unique(ranks[part]):
            equal = ranks[part] == rank
            steps = distance_transform_cdt(np.pad(equal, 1), metric="chessboard")[core]
            margins[part] = np.where(equal, steps, margins[part])
    return margins


def _evidence(
    row: JudgedBattery, policy: InspectorConfig
) -> tuple[ChannelEvidence, ChannelEvidence]:
    ct = [image for image in row.results if image.modality == "ct"]
    rgb = [image for image in row.results if image.modality == "rgb"]
    return (
        ct_evidence(ct, len(row.battery.ct), policy),
        rgb_evidence(rgb, len(row.battery.rgb), policy),
    )
