"""Temporary files of killed runs, removed when the station starts."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from app.folders import backend_cache, cache_folder
from inspection.modelstore.folders import ModelFolders
from inspection.session.leftovers import clear_killed

log = logging.getLogger(__name__)

OLD_S = 3600
"""A cache has no lock: what is younger may belong to a process that is at it."""


def clear_leftovers(sessions: Path, models: ModelFolders) -> None:
    """Remove what killed runs, installations and downloads left half-written.

    Parameters
    ----------
    sessions : the folder of sessions
    models : where models are
    """
    # Imported by whoever starts a thread for this: it brings numpy.
    from inspection.modelstore.leftovers import clear_interrupted

    for name in clear_killed(sessions):
        log.info("the process that wrote %s was killed; its temporary files are removed", name)
    clear_interrupted(models.install)
    cached = [*backend_cache().glob("*.part.*"), *cache_folder().glob(".demo-lot-*")]
    for left in cached:
        try:
            if time.time() - left.stat().st_mtime < OLD_S:
                continue
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
        except OSError as error:
            log.info("%s is left as it is: %s", left, error)
