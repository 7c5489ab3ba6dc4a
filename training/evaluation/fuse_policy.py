"""The policy that a search found: as ``inspector.yaml``, and as a table of the best candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from inspection.atomic import write_atomic
from inspection.config import InspectorConfig, load_inspector
from training.evaluation.fuse import Candidate, Limits, Outcome, Search


def write_policy(
    path: Path, search: Search, models: Mapping[str, str], data: str, limits: Limits
) -> InspectorConfig:
    """Write the best policy as a complete ``inspector.yaml`` and return it, read back.

    Parameters
    ----------
    path : the file; its folder is made
    search : what was found
    models : SHA-256 of each model that judged, by slot
    data : the validation data, by name
    limits : that the search was given

    Raises
    ------
    OSError
        If the file cannot be written; an older one is then untouched.
    """
    best = search.best
    count, defective = best.outcome.batteries, best.outcome.defective
    head = [
        "How the ensemble turns images into a battery's verdict; found by `trainer fuse`.",
        f"date        {datetime.now(UTC).isoformat(timespec='seconds')}",
        f"validation  {data}: {count} batteries, {defective} of them defective",
        *(f"model       {slot} sha256 {digest}" for slot, digest in models.items()),
        f"tried       {len(search.candidates)} policies",
        f"allowed     escape rate {limits.max_escape:g}, overkill rate {limits.max_overkill:g}",
        f"found       {_figures(best.outcome)}",
        f"before      {_figures(search.current.outcome)}",
        f"neighbours  {best.support:.0%} of those in the grid have the same figures",
        "These figures flatter: the policy was chosen on the batteries that they are of.",
    ]
    content = {"inspector": best.policy.model_dump(mode="json")}
    # Complete, so that the file alone says what the station will do.
    body = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "".join(f"# {line}\n" for line in head) + body)
    return load_inspector(path)


def table(search: Search, top: int) -> list[list[str]]:
    """Return the head and the rows of the best candidates, and last the policy in force.

    Candidates with the same figures and the same method stand in one row, with their number;
    ``around`` is the share of the best one's neighbours in the grid that are equal to it.
    """
    head = ["", "escapes", "overkill", "reviews", "F1", "around", "equal", "method", "parameters"]
    groups: dict[tuple[Outcome, str], list[Candidate]] = {}
    # Hundreds of candidates are equal: a row each would show nothing but the plateau.
    for candidate in search.candidates:
        groups.setdefault((candidate.outcome, candidate.policy.method), []).append(candidate)
    rows = [
        [str(rank), *_row(members[0], len(members))]
        for rank, members in enumerate(list(groups.values())[:top], start=1)
    ]
    return [head, *rows, ["now", *_row(search.current, 1)]]


def parameters(policy: InspectorConfig) -> str:
    """Return the values that matter to a policy's method."""
    own: dict[str, Any] = dict(iter(getattr(policy, policy.method)))
    rules = policy.aggregation
    shared = {
        "slice_threshold": rules.slice_threshold,
        "min_run": rules.min_run,
        "top_k_views": rules.top_k_views,
    }
    values = {**own, **shared}
    return " ".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in values.items())


def _row(candidate: Candidate, equal: int) -> list[str]:
    outcome = candidate.outcome
    return [
        f"{outcome.escapes}/{outcome.defective}",
        f"{outcome.overkills}/{outcome.batteries - outcome.defective}",
        f"{outcome.reviews}",
        f"{outcome.f1:.3f}",
        f"{candidate.support:.0%}" if candidate.margin else "-",
        str(equal),
        candidate.policy.method,
        parameters(candidate.policy),
    ]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with their columns under one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _figures(outcome: Outcome) -> str:
    normal = outcome.batteries - outcome.defective
    return (
        f"escapes {outcome.escapes} of {outcome.defective}, "
        f"overkill {outcome.overkills} of {normal} "
        f"({outcome.false_defects} as a defect), reviews {outcome.reviews}, F1 {outcome.f1:.3f}"
    )
