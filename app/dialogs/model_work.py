"""Listing, installing and verifying models, off the window's thread and one thing at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal

from app.tasks import TaskPool
from inspection.modelstore.folders import ModelFolders

if TYPE_CHECKING:
    from inspection.modelstore.catalogue import CatalogueEntry
    from inspection.modelstore.install import Installed, InstallProgress
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
        self._pool.submit(partial(_list, self._models), self.listed.emit, self.failed.emit)

    def import_from(self, path: Path) -> None:
        """Install the models of a folder or a zip."""
        self._begin(partial(_import, path, self._models.install), self._on_installed)

    def download(self, entry: CatalogueEntry) -> None:
        """Fetch a model from the hub, going on where an earlier attempt stopped; install it."""
        self._begin(partial(_download, entry, self._models.install), self._on_installed)

    def verify(self, state: SlotState) -> None:
        """Hash every file of an installed model."""
        self._begin(partial(_verify, self._models, state), self._on_verified)

    def remove(self, slot: str) -> None:
        """Remove an installed model."""
        self._begin(partial(_remove, self._models.install, slot), self._on_removed)

    def discard_unfinished(self) -> None:
        """Remove what unfinished downloads have left."""
        self._begin(partial(_discard, self._models.install), self._on_discarded)

    def cancel(self) -> None:
        """Stop at the next chunk."""
        if self._cancel is not None:
            self._cancel.set()

    def shut_down(self) -> None:
        """Cancel, and end the thread."""
        self.cancel()
        self._pool.close(finish=False)

    # -- inside ----------------------------------------------------------------------------

    def _begin(self, work: Callable[..., Any], done: Callable[[Any], None]) -> None:
        if self._cancel is not None:
            return
        self._cancel = threading.Event()
        throttle = _Throttle(self._told.emit)
        self._pool.submit(
            partial(work, on_progress=throttle.tell, cancel=self._cancel), done, self._on_failed
        )
        self.busy_changed.emit()

    def _end(self) -> None:
        self._cancel = None
        self.busy_changed.emit()

    def _on_installed(self, installed: Installed) -> None:
        self._end()
        self.refresh()
        self.changed.emit()
        self.installed.emit(installed)

    def _on_verified(self, state: SlotState) -> None:
        self._end()
        self.verified.emit(state)

    def _on_removed(self, slot: str) -> None:
        self._end()
        self.refresh()
        self.changed.emit()
        self.removed.emit(slot)

    def _on_discarded(self, freed: int) -> None:
        self._end()
        self.discarded.emit(freed)

    def _on_failed(self, error: Exception) -> None:
        self._end()
        if isinstance(error, InterruptedError):
            self.cancelled.emit()
        else:
            self.failed.emit(error)


class _Throttle:
    """Lets through a few reports a second, and each change of phase."""

    def __init__(self, tell: Callable[[InstallProgress], None]) -> None:
        self._tell = tell
        self._phase = ""
        self._told_at = 0.0

    def tell(self, progress: InstallProgress) -> None:
        now = time.monotonic()
        if progress.phase == self._phase and now - self._told_at < REPORT_SECONDS:
            return
        self._phase, self._told_at = progress.phase, now
        self._tell(progress)


# Imported in the thread that works: numpy, the network and the zip code wait until then.


def _list(models: ModelFolders) -> list[SlotState]:
    from inspection.modelstore.listing import list_slots

    return list_slots(models)


def _import(
    path: Path,
    target: Path,
    *,
    on_progress: Callable[[InstallProgress], None],
    cancel: threading.Event,
) -> Installed:
    from inspection.modelstore.install import import_models

    return import_models(path, target, on_progress=on_progress, cancel=cancel)


def _download(
    entry: CatalogueEntry,
    target: Path,
    *,
    on_progress: Callable[[InstallProgress], None],
    cancel: threading.Event,
) -> Installed:
    from inspection.modelstore.download import download_model

    return download_model(entry, target, on_progress=on_progress, cancel=cancel)


def _verify(
    models: ModelFolders,
    state: SlotState,
    *,
    on_progress: Callable[[InstallProgress], None],
    cancel: threading.Event,
) -> SlotState:
    from inspection.modelstore.install import InstallProgress
    from inspection.modelstore.listing import verify_slot

    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        on_progress(InstallProgress("check", done, state.size))

    return verify_slot(models, state.slot, add, cancel)


def _remove(
    target: Path,
    slot: str,
    *,
    on_progress: Callable[[InstallProgress], None],
    cancel: threading.Event,
) -> str:
    from inspection.modelstore.install import remove_model

    remove_model(target, slot)
    return slot


def _discard(
    target: Path, *, on_progress: Callable[[InstallProgress], None], cancel: threading.Event
) -> int:
    from inspection.modelstore.download import discard_unfinished

    return discard_unfinished(target)
