"""What a killed process left half-written in its session is removed when the station starts."""

from __future__ import annotations

import logging
from pathlib import Path

from inspection.atomic import remove_leftovers
from inspection.errors import SessionError
from inspection.session.files import EVIDENCE_NAME
from inspection.session.lock import HOLDER_NAME, SessionLock

log = logging.getLogger(__name__)


def remove_evidence_leftovers(folder: Path) -> None:
    """Remove the pictures that were being written in a session that is held."""
    for part in (folder / EVIDENCE_NAME, *(folder / EVIDENCE_NAME).glob("*/")):
        remove_leftovers(part)


def clear_killed(root: Path) -> list[str]:
    """Clear the sessions whose process was killed, and return their names.

    Whoever ends in order takes the word of who it is away; one that is left tells of a kill, so
    that no other session has to be searched. Results that were being written stay: opening the
    session tells what of them is whole.

    Parameters
    ----------
    root : the folder of sessions
    """
    cleared = []
    for left in sorted(root.glob(f"*/{HOLDER_NAME}")):
        folder = left.parent
        try:
            with SessionLock(folder):
                remove_leftovers(folder)
                remove_evidence_leftovers(folder)
            cleared.append(folder.name)
        except (SessionError, OSError) as error:
            # Written by a process that lives, or not this account's: not ours to clear.
            log.info("%s is left as it is: %s", folder.name, error)
    return cleared
