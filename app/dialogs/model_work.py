"""Listing, installing and verifying models, off the window's thread and one thing at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal, SignalInstance

from app.tasks import TaskPool
from inspection.modelstore.folders import ModelFolders

if TYPE_CHECKING:
    from inspection.modelstore.catalogue import CatalogueEntry
    from inspection.modelstore.install import Installed, InstallProgress, OnProgress
    from inspection.modelstore.listing import SlotState

REPORT_SECONDS = 0.1


class ModelWork(QObject):
    """What the model manager has done for it; its answers come as signals.

    Parameters
    ----------
    models : where models are; new ones go into the first folder
    """

    listed = Signal(object)
    """Every slot's SlotState."""
    progressed = Signal(object)
    """An `InstallProgress`, in bytes."""
    busy_changed = Signal()
    installed = Signal(object)
    verified = Signal(object)
    removed = Signal(str)
    discarded = Signal(object)
    """Bytes that unfinished downloads had left; Qt's own int is too small for a model's."""
    changed = Signal()
    """Models were installed or removed: what was loaded of them is out of date."""
    cancelled = Signal()
    failed = Signal(object)
    _told = Signal(object)

    def __init__(self, models: ModelFolders, parent: QObject) -> None:
        super().__init__(parent)
        self._models = models
        self._pool = TaskPool(1, "models", self)
        self._cancel: threading.Event | None = None
        # The work reports in its own thread; from here on it is the window's.
        self._told.connect(self.progressed, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """True while a model is installed, verified or removed."""
        return self._cancel is not None

    def refresh(self) -> None:
        """Look at every slot."""

        def work() -> list[SlotState]:
            from inspection.modelstore.listing import list_slots

            return list_slots(self._models)

        self._pool.submit(work, self.listed.emit, self.failed.emit)

    # What works is imported in the thread that works: numpy, the network and the zip code wait
    # until then.

    def import_from(self, path: Path) -> None:
        """Install the models of a folder or a zip."""

        def work(on_progress: OnProgress, cancel: threading.Event) -> Installed:
            from inspection.modelstore.install import import_models
            from inspection.systems.trial import try_model

            target = self._models.install
            return import_models(
                path, target, trial=try_model, on_progress=on_progress, cancel=cancel
            )

        self._begin(work, self.installed, changes=True)

    def download(self, entry: CatalogueEntry) -> None:
        """Fetch a model from the hub, going on where an earlier attempt stopped; install it."""

        def work(on_progress: OnProgress, cancel: threading.Event) -> Installed:
            from inspection.modelstore.download import download_model
            from inspection.systems.trial import try_model

            target = self._models.install
            return download_model(
                entry, target, trial=try_model, on_progress=on_progress, cancel=cancel
            )

        self._begin(work, self.installed, changes=True)

    def verify(self, state: SlotState) -> None:
        """Hash every file of an installed model, and try it out."""

        def work(on_progress: OnProgress, cancel: threading.Event) -> SlotState:
            from inspection.modelstore.install import InstallProgress
            from inspection.systems.trial import verify_model

            done = 0

            def add(count: int) -> None:
                nonlocal done
                done += count
                on_progress(InstallProgress("check", done, state.size))

            return verify_model(self._models, state.slot, add, cancel)

        self._begin(work, self.verified)

    def remove(self, slot: str) -> None:
        """Remove an installed model."""

        def work(_on_progress: OnProgress, _cancel: threading.Event) -> str:
            from inspection.modelstore.install import remove_model

            remove_model(self._models.install, slot)
            return slot

        self._begin(work, self.removed, changes=True)

    def discard_unfinished(self) -> None:
        """Remove what unfinished downloads have left."""

        def work(_on_progress: OnProgress, _cancel: threading.Event) -> int:
            from inspection.modelstore.download import discard_unfinished

            return discard_unfinished(self._models.install)

        self._begin(work, self.discarded)

    def cancel(self) -> None:
        """Stop at the next chunk."""
        if self._cancel is not None:
            self._cancel.set()

    def shut_down(self) -> None:
        """Cancel, and end the thread."""
        self.cancel()
        self._pool.close(finish=False)

    def _begin(
        self,
        work: Callable[[OnProgress, threading.Event], Any],
        told: SignalInstance,
        *,
        changes: bool = False,
    ) -> None:
        """Have one thing done; its answer is told when it has ended.

        Parameters
        ----------
        changes : other models are installed afterwards
        """
        # One thing at a time. A question may be answered after something else was begun.
        if self._cancel is not None:
            return
        self._cancel = threading.Event()
        phase, reported_at = "", 0.0

        def report(progress: InstallProgress) -> None:
            # A few reports a second are enough to look at, and each change of phase.
            nonlocal phase, reported_at
            now = time.monotonic()
            if progress.phase != phase or now - reported_at >= REPORT_SECONDS:
                phase, reported_at = progress.phase, now
                self._told.emit(progress)

        def done(answer: object) -> None:
            self._end()
            if changes:
                self.refresh()
                self.changed.emit()
            told.emit(answer)

        self._pool.submit(partial(work, report, self._cancel), done, self._on_failed)
        self.busy_changed.emit()

    def _end(self) -> None:
        self._cancel = None
        self.busy_changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self._end()
        if isinstance(error, InterruptedError):
            self.cancelled.emit()
        else:
            self.failed.emit(error)
