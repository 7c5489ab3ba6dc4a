"""``station lot``: a synthetic lot with a progress bar."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inspection.console import system_language
from inspection.messages import Message
from inspection.synthetic import SyntheticLot, write_lot


def write_synthetic_lot(out: Path, spec: SyntheticLot) -> Path:
    """Write the lot and return its folder; progress goes to stderr."""
    words = Message(code="lot_being_made").text(system_language())
    with progress_bar() as bar:
        task = bar.add_task(words, total=spec.batteries)
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
