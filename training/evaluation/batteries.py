"""Figures of whole batteries: the station's verdicts against what the labels say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from inspection.comparison.bootstrap import BootstrapConfig, ClusterBootstrap
from inspection.results import DEFECT_KINDS, Kind
from training.evaluation.ct import as_json
from training.evaluation.judge import JudgedBattery


def kind_of(row: JudgedBattery) -> Kind:
    """Return the verdict's kind; silence is ``not_inspected``."""
    return row.verdict.kind if row.verdict else "not_inspected"


def escaped(row: JudgedBattery) -> bool:
    """Return whether a defective battery was called normal."""
    return row.truth not in (None, "normal") and kind_of(row) == "normal"


def overkilled(row: JudgedBattery) -> bool:
    """Return whether a normal battery was called anything else, ``review`` included."""
    return row.truth == "normal" and kind_of(row) != "normal"


def judged_pairs(judged: Sequence[JudgedBattery]) -> list[JudgedBattery]:
    """Return the batteries that count: both modalities, and a truth that the labels tell."""
    return [row for row in judged if row.battery.paired and row.truth is not None]


def battery_figures(judged: Sequence[JudgedBattery], config: BootstrapConfig) -> dict[str, Any]:
    """Return escape and overkill at battery level, as the station decides.

    ``escape_rate`` is the share of defective batteries called ``normal``, ``overkill_rate`` the
    share of normal ones called anything else, ``review`` included; ``false_defect_rate`` the
    share of normal ones called a defect outright. ``f1`` is of the outright defect verdicts:
    a defective battery under ``review`` is not escaped, but not recognised either. Where the lot
    says how visible its defects are (synthetic ones do), escapes are counted per grade too; a
    battery counts with its best visible defect.
    """
    rows = judged_pairs(judged)
    defective = [row for row in rows if row.truth != "normal"]
    normal = [row for row in rows if row.truth == "normal"]
    escapes = [row for row in rows if escaped(row)]
    overkills = [row for row in rows if overkilled(row)]
    # A review is neither: it reaches the operator, who decides.
    named = [row for row in rows if kind_of(row) in DEFECT_KINDS]
    right = [row for row in named if row.truth != "normal"]
    resamples = ClusterBootstrap([row.key for row in rows], config)
    is_defect = np.array([row.truth != "normal" for row in rows], bool)
    passed = np.array([kind_of(row) == "normal" for row in rows], bool)
    called = np.array([kind_of(row) in DEFECT_KINDS for row in rows], bool)
    return {
        "batteries": len(rows),
        "without_truth": sum(row.battery.paired and row.truth is None for row in judged),
        "defective": len(defective),
        "escapes": len(escapes),
        "escape_rate": len(escapes) / len(defective) if defective else None,
        "escapes_clearly_visible": sum("clear" in row.visibilities for row in escapes),
        "escaped_batteries": {row.key: sorted(row.visibilities) for row in escapes},
        "overkills": len(overkills),
        "overkill_rate": len(overkills) / len(normal) if normal else None,
        "overkilled_batteries": {row.key: kind_of(row) for row in overkills},
        "false_defect_rate": (len(named) - len(right)) / len(normal) if normal else None,
        "reviews": sum(kind_of(row) == "review" for row in rows),
        "f1": 2 * len(right) / (len(named) + len(defective)) if named or defective else None,
        "kinds_by_truth": {
            name: dict(Counter(kind_of(row) for row in rows if row.truth == name))
            for name in ("normal", "internal", "external", "both")
        },
        "intervals": {
            "escape_rate": as_json(resamples.rate(passed, is_defect)),
            "overkill_rate": as_json(resamples.rate(~passed, ~is_defect)),
            "false_defect_rate": as_json(resamples.rate(called, ~is_defect)),
            "f1": as_json(resamples.f1(called, is_defect)),
        },
    }
