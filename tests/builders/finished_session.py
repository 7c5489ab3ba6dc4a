"""A finished, decided session with evidence, made without a model."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from inspection.records import Battery, ImageRef, Lot
from inspection.results import BatteryResult, ImageResult, Verdict
from inspection.session.creating import create_session
from inspection.session.record import Decision

NOW = datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)


def finished_session(root: Path, now: datetime = NOW, evidence: int = 1000) -> Path:
    """Make a completed session of one battery, decided, with some bytes of evidence."""
    image = ImageRef(Path("/lot/001_0.jpg"), "ct", "001", "z", 0, "cell", "pouch", None)
    lot = Lot(Path("/lot"), (Battery("001", "001", None, ct=(image,)),), ())
    with create_session(root, lot=lot, language="en", config={}, device="cpu", now=now) as store:
        folder = store.evidence_dir / "001"
        folder.mkdir()
        (folder / "ct_z_0000_image.jpg").write_bytes(b"\xff" * evidence)
        store.save_battery(
            BatteryResult(
                battery_id="001",
                ct_id="001",
                state="done",
                verdict=Verdict(kind="internal_defect", cnn_prob=0.9),
                images=[ImageResult(image="001_0.jpg", modality="ct", number=0, state="done")],
            )
        )
        store.decide(
            "001",
            Decision(action="accept", kind="internal_defect", operator="김검사", decided_at=now),
        )
        store.mark("completed")
        return store.folder
