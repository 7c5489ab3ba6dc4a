"""``station lot``: a synthetic lot with a progress bar."""

from __future__ import annotations

from pathlib import Path

from app.cli.terminal import progress_bar, say
from inspection.synthetic import SyntheticLot, write_lot


def write_synthetic_lot(out: Path, spec: SyntheticLot) -> Path:
    """Write the lot and return its folder; progress goes to stderr."""
    with progress_bar() as bar:
        task = bar.add_task(say("lot_being_made"), total=spec.batteries)
        return write_lot(
            out, spec, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
