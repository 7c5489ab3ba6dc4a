"""What a run writes down: ``log.csv``, TensorBoard, and a progress display on stderr."""

from __future__ import annotations

import csv
import io
import logging
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor

from inspection.atomic import write_atomic
from training.loop.config import LoggingConfig

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger(__name__)

T = TypeVar("T")
RECENT = 50
"""Steps whose mean loss is shown."""
_REFRESH = 10
"""Steps between two looks at the loss, each of which makes the processor wait for a GPU."""


class RunLog:
    """The log of one run, as a context.

    Parameters
    ----------
    folder : of the run
    run_name : name of the TensorBoard folder in ``tensorboard/``
    columns : of ``log.csv``
    config : what is written
    writes : False in all processes of a run but the first
    epochs_done : finished epochs of a run that goes on; a fresh one drops what it finds
    """

    def __init__(
        self,
        folder: Path,
        run_name: str,
        columns: Sequence[str],
        config: LoggingConfig,
        *,
        writes: bool,
        epochs_done: int,
    ) -> None:
        self.config = config
        self._file = folder / "log.csv" if config.csv and writes else None
        self._columns = list(columns)
        self._board = folder / "tensorboard" / run_name
        self._writes = writes
        self._done = epochs_done
        self.writer: SummaryWriter | None = None
        console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not (writes and console.is_terminal),
        )

    def __enter__(self) -> Self:
        if self._writes and self._done == 0 and self._board.is_dir():
            shutil.rmtree(self._board)
        # The packaged trainer comes without it.
        if self._writes and self.config.tensorboard and find_spec("tensorboard") is not None:
            # Imported only here: it takes a second, and a run without it does not need it.
            from torch.utils.tensorboard import SummaryWriter

            threading.excepthook = _quiet_about_pictures
            with self.board():
                # Of an epoch that a killed run had begun, nothing may stay.
                self.writer = SummaryWriter(str(self._board), purge_step=self._done + 1)
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()
        if self.writer is not None:
            # What ends the run must not be hidden by pictures that a full disk does not take.
            with self.board():
                self.writer.close()
        threading.excepthook = threading.__excepthook__

    @contextmanager
    def board(self) -> Iterator[None]:
        """Go on without TensorBoard where its file cannot be written: the run needs it not."""
        try:
            yield
        except OSError as error:
            self.writer = None
            log.warning("TensorBoard is not written any more: %s", error.strerror or error)

    def steps(
        self, title: str, batches: Iterable[T], count: int, losses: list[Tensor]
    ) -> Iterator[T]:
        """Yield the batches of an epoch, showing how far it is.

        Parameters
        ----------
        title : of the bar
        batches, count : what is yielded, and how many
        losses : filled by the caller, a scalar a step
        """
        bar = self._bars.add_task(title, total=count, figures="")
        started = time.monotonic()
        try:
            for step, batch in enumerate(batches, start=1):
                yield batch
                self._bars.advance(bar)
                if step % _REFRESH == 0 or step == count:
                    recent = float(torch.stack(losses[-RECENT:]).mean())
                    self._bars.update(bar, figures=f"loss {recent:.4f}")
                if self._writes and step % self.config.steps_every == 0:
                    rate = step / (time.monotonic() - started)
                    log.info("  %d of %d: loss %.4f, %.2f steps/s", step, count, recent, rate)
        finally:
            self._bars.remove_task(bar)

    def write(self, rows: Sequence[dict[str, float]]) -> None:
        """Write ``log.csv`` anew, whole, whatever a crash left of it."""
        if self._file is None:
            return
        # Whole each time: a few kilobytes, and a resumed run leaves no line twice.
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        write_atomic(self._file, text.getvalue())

    def scalars(self, row: dict[str, float], **more: float) -> None:
        """Send an epoch's figures to TensorBoard: ``train/loss``, ``val/f1`` and the like."""
        if self.writer is None:
            return
        epoch = int(row["epoch"])
        for name, value in {**row, **more}.items():
            if name != "epoch":
                self.writer.add_scalar(name.replace("_", "/", 1), value, epoch)


def _quiet_about_pictures(said: threading.ExceptHookArgs) -> None:
    # The thread that writes TensorBoard's file tells its next caller; a traceback besides would
    # bury the one line that says why the run ends.
    if type(said.thread).__name__ != "_AsyncWriterThread":
        threading.__excepthook__(said)


def draw_confusion(counts: NDArray[np.int64], labels: Sequence[str]) -> NDArray[np.uint8]:
    """Return a picture of a confusion matrix, (H, W, 3) uint8; each row sums to its class.

    Parameters
    ----------
    counts : (K, K), true classes down, predicted ones across
    labels : names of the K classes
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Not by pyplot, which keeps every figure and picks a window system.
    figure = Figure(figsize=(6.4, 5.6), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, vmin=0.0, vmax=1.0, cmap="Blues")
    for row, column in np.ndindex(*counts.shape):
        colour = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return pixels[:, :, :3].copy()
