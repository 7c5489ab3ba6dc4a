"""Installing models from a folder or a zip: staged, verified, then swapped in whole."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from filelock import FileLock, Timeout

from inspection.atomic import sync_folder, write_atomic
from inspection.config import INSPECTOR_NAME, load_inspector
from inspection.errors import BundleError, InspectionError, ModelMissingError
from inspection.modelstore.archive import planned_size, unpack
from inspection.modelstore.bundle import load_bundle
from inspection.modelstore.files import CHUNK, write_chunks
from inspection.modelstore.folders import POLICY_SLOT, SLOTS
from inspection.modelstore.installed import FolderSlot, register_folder
from inspection.modelstore.source import CHECKPOINTS, FoundModel, find_models, refuse_links
from inspection.modelstore.vlg_folder import read_vlg_folder
from inspection.modelstore.vlm_folder import read_vlm_folder
from inspection.modelstore.weights import check_checkpoint

READERS: dict[str, Callable[[FoundModel], object]] = {
    "vlm": lambda model: read_vlm_folder(model.folder),
    "vlg": lambda model: read_vlg_folder(model.folder, model.family),
}
STAGING = ".staging-"
LOCK_NAME = ".install.lock"
SPARE_BYTES = 64 << 20
"""Room that an installation leaves on the disk."""


@dataclass(frozen=True, slots=True)
class InstallProgress:
    """How far an installation is: ``phase`` is ``copy``, ``check`` or ``download``; bytes."""

    phase: str
    done: int
    total: int


OnProgress = Callable[[InstallProgress], None]
Trial = Callable[[Path, str], None]
"""Given a model's folder and slot; raises a `BundleError` where the model cannot be used."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the user says of a model that its files do not say themselves."""

    name: str = ""
    source: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Installed:
    """What was installed, and which files were left out of it."""

    slots: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(slots=True)
class ByteCount:
    """Tells how far a phase is each time bytes have been read or written."""

    phase: str
    total: int
    tell: OnProgress
    done: int = 0

    def add(self, count: int) -> None:
        """Count bytes that are done."""
        self.done += count
        self.tell(InstallProgress(self.phase, self.done, self.total))


def import_models(
    path: Path,
    target: Path,
    *,
    trial: Trial,
    slot: str | None = None,
    origin: Origin | None = None,
    on_progress: OnProgress = lambda _progress: None,
    cancel: threading.Event | None = None,
) -> Installed:
    """Install the models of a folder or a zip; where one of them is refused, none.

    A model that was there before is replaced in one step; after an interruption it is still there.

    Parameters
    ----------
    path : folder, zip, or one of the named checkpoints
    target : folder of installed models
    trial : tries out each model before any is replaced (`inspection.systems.trial.try_model`)
    slot : install only this one
    origin : name, source and licence to record; by default what the files say
    cancel : set it to stop

    Raises
    ------
    BundleError
        If there is no model, one is damaged or cannot be used, or something in it is not allowed.
    InterruptedError
        If ``cancel`` was set; nothing has changed.
    """
    cancel = cancel or threading.Event()
    origin = origin or Origin()
    origin = replace(origin, source=origin.source or str(path))
    if not path.exists():
        raise BundleError("model_source_missing", path=str(path))
    with staging(target) as stage:
        packed = path.is_file() and path.name not in CHECKPOINTS
        if path.is_dir():
            refuse_links(path)
        source = path
        if packed:
            size = planned_size(path)
            check_space(stage, size)
            source = stage / "unpacked" / path.stem
            source.mkdir(parents=True)
            unpack(path, source, ByteCount("copy", size, on_progress).add, cancel)
        models = find_models(source, slot)
        if not packed:
            check_space(target, sum(model.size for model in models))
        return install(
            models, stage, target, origin, on_progress, cancel, trial=trial, owned=packed
        )


@contextmanager
def staging(target: Path) -> Iterator[Path]:
    """Hold the lock of a models folder, and a folder within it that is removed at the end.

    What an installation that was killed left behind is removed first.

    Raises
    ------
    BundleError
        If another installation is at work, or the folder cannot be written.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target / LOCK_NAME, timeout=0)
        with lock:
            for left in target.glob(f"{STAGING}*"):
                shutil.rmtree(left, ignore_errors=True)
            # Killed between the two steps of a swap: the old model has another name.
            for stale in target.glob(".*.old"):
                folder = target / stale.name.split(".")[1]
                if folder.exists():
                    shutil.rmtree(stale, ignore_errors=True)
                else:
                    stale.replace(folder)
            stage = target / f"{STAGING}{secrets.token_hex(4)}"
            stage.mkdir()
            try:
                yield stage
            finally:
                shutil.rmtree(stage, ignore_errors=True)
    except Timeout as error:
        raise BundleError("model_install_busy", folder=str(target)) from error
    except InterruptedError:
        # An OSError by inheritance only: it says that the user cancelled.
        raise
    except OSError as error:
        problem = error.strerror or str(error)
        raise BundleError("model_write_failed", folder=str(target), problem=problem) from error


def install(
    models: Sequence[FoundModel],
    stage: Path,
    target: Path,
    origin: Origin,
    on_progress: OnProgress,
    cancel: threading.Event,
    *,
    trial: Trial,
    owned: bool,
) -> Installed:
    """Copy models into the stage, verify and try them there, and swap them in: all, or none.

    Parameters
    ----------
    trial : as for `import_models`
    owned : the models lie in a folder of the station's own on the same disk, so that links to
        their files do; a copy of 16 GB would need the room twice

    Raises
    ------
    BundleError
        If one of them is not what it claims to be; then none is installed.
    InterruptedError
        If ``cancel`` was set; nothing has changed.
    """
    for model in models:
        # What a lane reads before it loads: what it would refuse on the line is refused now.
        if model.slot in READERS:
            READERS[model.slot](model)
    total = sum(model.size for model in models)
    copying = ByteCount("copy", total, on_progress)
    checking = ByteCount("check", total, on_progress)
    for model in models:
        for file in model.files:
            place = stage / model.slot / file
            place.parent.mkdir(parents=True, exist_ok=True)
            linked = False
            # A memory stick with exFAT knows no links.
            with suppress(OSError):
                if owned:
                    place.hardlink_to(model.folder / file)
                    linked = True
            if not linked:
                with (model.folder / file).open("rb") as source:
                    chunks = iter(partial(source.read, CHUNK), b"")
                    write_chunks(place, chunks, copying.add, cancel)
    for model in models:
        _verify(model, stage / model.slot, origin, checking, cancel)
    for model in models:
        trial(stage / model.slot, model.slot)
    policy: str | None = None
    for model in models:
        beside = model.folder.parent / INSPECTOR_NAME
        if model.slot == POLICY_SLOT and beside.is_file():
            load_inspector(beside)
            policy = beside.read_text(encoding="utf-8")
    if cancel.is_set():
        raise InterruptedError(str(target))
    for model in models:
        sync_folder(stage / model.slot)
    swap_in([model.slot for model in models], stage, target, policy)
    return Installed(
        tuple(model.slot for model in models),
        tuple(file.as_posix() for model in models for file in model.left_out),
    )


def _verify(
    model: FoundModel, folder: Path, origin: Origin, count: ByteCount, cancel: threading.Event
) -> None:
    if model.slot in SLOTS:
        load_bundle(folder, model.slot)
        return
    for name in CHECKPOINTS:
        if (folder / name).is_file():
            check_checkpoint(folder / name)
    before = model.described
    registered = register_folder(
        folder,
        cast(FolderSlot, model.slot),
        name=origin.name or (before.name if before else model.name),
        family=model.family,
        source=before.source if before else origin.source,
        licence=origin.licence or (before.licence if before else ""),
        demo=before.demo if before else False,
        on_bytes=count.add,
        cancel=cancel,
    )
    for name, file in before.files.items() if before else ():
        if name not in registered.files:
            raise BundleError("bundle_file_missing", folder=model.folder.name, file=name)
        if registered.files[name].sha256 != file.sha256:
            raise BundleError("bundle_altered", folder=model.folder.name, file=name)


def swap_in(slots: Sequence[str], stage: Path, target: Path, policy: str | None) -> None:
    """Put staged models in the place of older ones; where the disk refuses one, all go back.

    Parameters
    ----------
    slots : folders in the stage
    stage, target : as `staging` gives them
    policy : content of the fusion policy that comes with ``POLICY_SLOT``; None where none does
    """
    older: dict[str, Path] = {}
    swapped: list[str] = []
    try:
        for slot in slots:
            if (target / slot).exists():
                # A name that `staging` gives back to what was killed half-way.
                older[slot] = target / f".{slot}.{secrets.token_hex(4)}.old"
                (target / slot).replace(older[slot])
            (stage / slot).replace(target / slot)
            swapped.append(slot)
        sync_folder(target)
        if POLICY_SLOT in slots:
            install_policy(policy, target)
    except BaseException:
        for slot in swapped:
            (target / slot).replace(stage / slot)
        for slot, folder in older.items():
            if folder.exists():
                folder.replace(target / slot)
        raise
    for folder in older.values():
        shutil.rmtree(folder, ignore_errors=True)


def install_policy(policy: str | None, target: Path) -> None:
    """Put a policy beside models, or take it away: it leaves with those it was found for."""
    if policy is None:
        (target / INSPECTOR_NAME).unlink(missing_ok=True)
    else:
        write_atomic(target / INSPECTOR_NAME, policy)


def remove_model(target: Path, slot: str) -> None:
    """Remove an installed model.

    Raises
    ------
    ModelMissingError, BundleError
        If there is none in this folder, or the disk refuses.
    """
    if not (target / slot).is_dir():
        raise ModelMissingError("model_not_installed", system=slot)
    with staging(target) as stage:
        (target / slot).replace(stage / slot)
        if slot == POLICY_SLOT:
            install_policy(None, target)


def check_space(folder: Path, needed: int) -> None:
    """Refuse what does not fit the disk, before anything is written.

    Raises
    ------
    InspectionError
        With the room that is needed and that there is.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise InspectionError(
            "model_disk_full",
            needed=f"{(needed + SPARE_BYTES) / 1e9:.2f}",
            free=f"{free / 1e9:.2f}",
        )
