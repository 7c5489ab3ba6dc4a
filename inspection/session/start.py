"""What a new session begins with: its folder, its lot, a row for every battery."""

from __future__ import annotations

import itertools
from datetime import datetime
from pathlib import Path

from inspection.atomic import sync_folder
from inspection.messages import Language
from inspection.records import Battery, Lot, LotFinding
from inspection.results import BatterySummary, LotRecord
from inspection.session.files import BATTERIES_NAME, EVIDENCE_NAME, RUN_ID_FORMAT


def claim_folder(root: Path, started: datetime) -> Path:
    """Make a folder that no other program has; mkdir is what decides."""
    root.mkdir(parents=True, exist_ok=True)
    name = started.strftime(RUN_ID_FORMAT)
    for suffix in itertools.chain([""], (f"_{n:02d}" for n in itertools.count(2))):
        folder = root / f"{name}{suffix}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        (folder / BATTERIES_NAME).mkdir()
        (folder / EVIDENCE_NAME).mkdir()
        sync_folder(root)
        return folder
    raise AssertionError("the counter has no end")


def queued_row(battery: Battery) -> BatterySummary:
    """Return the row of a battery that waits for its inspection."""
    return BatterySummary(
        battery_id=battery.battery_id,
        ct_id=battery.ct_id,
        rgb_id=battery.rgb_id,
        state="queued",
        kind="not_inspected",
    )


def lot_record(lot: Lot, language: Language) -> LotRecord:
    """Return what a session keeps of its lot; every finding names its file."""
    return LotRecord(
        path=str(lot.root),
        name=lot.root.name,
        batteries=len(lot.batteries),
        pairs=len(lot.pairs),
        findings=[_finding(finding, lot.root, language) for finding in lot.findings],
    )


def _finding(finding: LotFinding, root: Path, language: Language) -> str:
    reason = finding.reason.text(language)
    if finding.path.name in reason:
        return reason
    inside = finding.path.is_relative_to(root)
    return f"{(finding.path.relative_to(root) if inside else finding.path).as_posix()}: {reason}"
