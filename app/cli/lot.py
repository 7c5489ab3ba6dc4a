"""``station lot``: a synthetic lot with a progress bar."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inspection.synthetic import SyntheticLot, write_lot


def write_synthetic_lot(
    out: Path, *, batteries: int, slices: int, views: int, canvas: int, seed: int, defects: float
) -> Path:
    """Write the lot and return its folder; progress goes to stderr."""
    spec = SyntheticLot(
        batteries=batteries, slices=slices, views=views, canvas=canvas, seed=seed, defects=defects
    )
    with progress_bar() as bar:
        task = bar.add_task("Making the lot", total=batteries)
        return write_lot(
            out, spec, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )


def progress_bar() -> Progress:
    """Return a progress bar on stderr, so that stdout stays clean for JSON."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
