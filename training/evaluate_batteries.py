"""Figures of whole batteries: the station's own lane against what the labels say."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspection.config import load_inspector
from inspection.engine import LaneSettings, build_lane
from inspection.labels import read_label
from inspection.lot import scan_lot
from inspection.predictions import FailedPrediction, Prediction
from inspection.records import Battery, ImageRef
from inspection.results import Kind

TRUTH_NAME = "truth.json"


@dataclass(frozen=True, slots=True)
class _Judged:
    battery_id: str
    kind: Kind
    internal: bool
    external: bool
    grades: frozenset[str]

    @property
    def defective(self) -> bool:
        return self.internal or self.external


def evaluate_batteries(models_dir: Path, lot_folder: Path, device: str) -> dict[str, Any]:
    """Return escape and overkill at battery level, as the station would decide.

    ``escape_rate`` is the share of defective batteries called ``normal``, ``overkill_rate`` the
    share of normal ones called anything else, ``review`` included. Where the lot says how visible
    its defects are (synthetic ones do), escapes are counted per grade too; a battery counts with
    its best visible defect.

    Raises
    ------
    InspectionError
        If the lot or a model cannot be used.
    """
    lot = scan_lot(lot_folder)
    settings = LaneSettings(models_dir, lot.root, load_inspector(), device)
    lane = build_lane("ensemble", settings)
    lane.load()
    grades = _grades(lot.root / TRUTH_NAME)
    never = threading.Event()
    judged = []
    try:
        for battery in lot.pairs:
            result = lane.inspect(battery, never, _ignore)
            kind: Kind = result.verdict.kind if result.verdict else "not_inspected"
            judged.append(_judge(battery, kind, grades.get(battery.battery_id, frozenset())))
    finally:
        lane.close()
    return _figures(judged)


def _judge(battery: Battery, kind: Kind, grades: frozenset[str]) -> _Judged:
    return _Judged(
        battery.battery_id, kind, _has_defect(battery.ct), _has_defect(battery.rgb), grades
    )


def _has_defect(images: Sequence[ImageRef]) -> bool:
    return any(ref.label_path is not None and read_label(ref.label_path).defects for ref in images)


def _grades(path: Path) -> dict[str, frozenset[str]]:
    """Return the visibility grades of each battery's defects, where the lot tells them."""
    if not path.is_file():
        return {}
    truth = json.loads(path.read_text(encoding="utf-8"))
    return {
        battery_id: frozenset(d["visibility"] for d in [*row["internal"], *row["external"]])
        for battery_id, row in truth.items()
    }


def _figures(judged: Sequence[_Judged]) -> dict[str, Any]:
    defective = [row for row in judged if row.defective]
    normal = [row for row in judged if not row.defective]
    escapes = [row for row in defective if row.kind == "normal"]
    overkills = [row for row in normal if row.kind != "normal"]
    by_truth = {
        name: Counter(row.kind for row in judged if (row.internal, row.external) == key)
        for name, key in (
            ("normal", (False, False)),
            ("internal", (True, False)),
            ("external", (False, True)),
            ("both", (True, True)),
        )
    }
    return {
        "batteries": len(judged),
        "defective": len(defective),
        "escapes": len(escapes),
        "escape_rate": len(escapes) / len(defective) if defective else None,
        "escapes_clearly_visible": sum("clear" in row.grades for row in escapes),
        "escaped_batteries": {row.battery_id: sorted(row.grades) for row in escapes},
        "overkills": len(overkills),
        "overkill_rate": len(overkills) / len(normal) if normal else None,
        "overkilled_batteries": {row.battery_id: row.kind for row in overkills},
        "kinds_by_truth": {name: dict(counts) for name, counts in by_truth.items()},
    }


def _ignore(outcome: Prediction | FailedPrediction) -> None:
    """Only the verdict matters here."""
