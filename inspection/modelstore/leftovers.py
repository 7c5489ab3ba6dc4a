"""What a killed installation has left is removed when the station starts."""

from __future__ import annotations

import logging
from pathlib import Path

from inspection.errors import BundleError
from inspection.modelstore.install import STAGING, staging

log = logging.getLogger(__name__)


def clear_interrupted(target: Path) -> None:
    """Remove what a killed installation has left; a model that it had put aside comes back.

    What has arrived of a download stays: it goes on from there.
    """
    if not any(any(target.glob(pattern)) for pattern in (f"{STAGING}*", ".*.old")):
        return
    try:
        with staging(target):
            # To hold the folder is to clear it.
            pass
    except BundleError as error:
        log.info("%s is left as it is: %s", target, error)
