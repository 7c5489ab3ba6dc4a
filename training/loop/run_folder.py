"""The folder of a run: what lies in it, and how a new run gets it without losing the old one."""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Literal

from inspection.console import system_language
from inspection.errors import ConfigError
from inspection.messages import Message
from inspection.modelstore.bundle import MANIFEST_NAME
from inspection.modelstore.folders import SLOTS
from training.loop.checkpoints import FOLDER, LAST, finished_epochs, is_unfinished

log = logging.getLogger(__name__)

Found = Literal["nothing", "unfinished", "finished"]
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_WRITING = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENAMETOOLONG)


def look_at(run: Path) -> Found:
    """Return what a folder holds of a run.

    A run that ended before its first epoch was finished has left nothing. One whose checkpoints
    were deleted, or cannot be read, counts as finished: its model may be in use.
    """
    if is_unfinished(run):
        return "unfinished"
    models = any((run / slot / MANIFEST_NAME).is_file() for slot in SLOTS)
    return "finished" if models or (run / FOLDER / LAST).is_file() else "nothing"


def check_folder(run: Path, *, resume: bool, force: bool) -> None:
    """Refuse a folder in which this run would end another one, or that it cannot go on from.

    Raises
    ------
    ConfigError
        If it holds a run and neither option is given, or no checkpoint to resume from.
    """
    if resume:
        if not (run / FOLDER / LAST).is_file():
            raise ConfigError("run_not_there", folder=str(run))
        return
    found = "nothing" if force else look_at(run)
    # Days of training must not be lost to a command repeated from the history.
    if found == "unfinished":
        raise ConfigError("run_unfinished", folder=str(run))
    if found == "finished":
        raise ConfigError("run_finished", folder=str(run))


@contextmanager
def folder_of_run(run: Path, *, resume: bool, writes: bool) -> Iterator[None]:
    """Keep an older run aside while this one is made, and tell in one line what cannot be written.

    The older run comes back where this one ends before it has finished an epoch.

    Parameters
    ----------
    run : the folder, which is made
    resume : the run in it is this one
    writes : False in all processes of a run but the first

    Raises
    ------
    ConfigError
        If the folder cannot be made, or not be written to any more.
    """
    kept: Path | None = None
    try:
        if writes:
            if not resume and look_at(run) != "nothing":
                kept = _free_name(run.resolve())
                run.resolve().replace(kept)
                told = Message(code="run_kept_aside", params={"folder": str(kept)})
                log.info(told.text(system_language()))
            run.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException as error:
        if kept is not None and look_at(run) == "nothing":
            # What a run has left that finished no epoch is its configuration and an empty log.
            with contextlib.suppress(OSError):
                shutil.rmtree(run)
                kept.replace(run.resolve())
        if isinstance(error, OSError) and _is_about(error, run):
            raise not_written(run, error) from error
        raise


def not_written(run: Path, error: OSError) -> ConfigError:
    """Return the one line of a run whose folder or disk takes nothing more."""
    problem = error.strerror or str(error)
    epochs = finished_epochs(run)
    if epochs:
        return ConfigError("run_not_written", folder=str(run), problem=problem, epochs=epochs)
    return ConfigError("folder_unwritable", folder=str(run), problem=problem)


def _is_about(error: OSError, run: Path) -> bool:
    """Return whether an error is of writing, and not of data that cannot be read."""
    if error.errno in _DISK_FULL:
        return True
    named = Path(str(error.filename)) if error.filename else None
    if named is None:
        return error.errno in _NO_WRITING
    return named.absolute().is_relative_to(run.absolute()) or run.absolute().is_relative_to(
        named.absolute()
    )


def _free_name(run: Path) -> Path:
    names = (run.with_name(f"{run.name}.kept-{number}") for number in count(1))
    return next(path for path in names if not path.exists())
