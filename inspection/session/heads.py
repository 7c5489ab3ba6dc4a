"""How far each session's chain went, as the station's log knows it, outside of the session."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inspection.errors import InspectionError
from inspection.people.person import Person
from inspection.seals.chain import Place, parse_line
from inspection.seals.keys import fingerprint, is_signed, station_fingerprint, trusted_fingerprints
from inspection.seals.log import StationLog

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KnownHead:
    """The last line of a session that the station's log knows.

    Parameters
    ----------
    began : hash of the session's first signed line, which no other session has
    folder : where the session was
    place : that line
    """

    began: str
    folder: Path
    place: Place


def tell_head(
    folder: Path,
    began: str,
    place: Place,
    event: Literal["session_created", "head", "signed"] = "head",
    person: Person | None = None,
    **details: str,
) -> None:
    """Tell the station's log where a session's chain ends now.

    A log that cannot be written is no reason to lose what the session holds already.
    """
    try:
        StationLog().append(
            event,
            person,
            run_id=folder.name,
            began=began,
            folder=str(folder.resolve()),
            sequence=place.sequence,
            hash=place.hash,
            **details,
        )
    except InspectionError as error:
        log.warning("the station's log does not know the end of %s: %s", folder.name, error)


def known_head(folder: Path, run_id: str, began: str | None) -> KnownHead | None:
    """Return what the station's log knows of a session, None where it knows nothing.

    Parameters
    ----------
    began : hash of the session's first signed line; None where it has none. Where what is
        returned began otherwise, this session was put in the place of that one.
    """
    if not os.access(StationLog().folder, os.R_OK):
        # Another account's station, or one that has done nothing yet.
        return None
    wanted = json.dumps(run_id, ensure_ascii=False).encode("utf-8")
    here = folder.resolve()
    known: list[KnownHead] = []
    keys = trusted_fingerprints() | station_fingerprint()
    for path in reversed(StationLog().files()):
        for text in reversed(path.read_bytes().split(b"\n")[:-1]):
            # Of thousands of lines a few are this session's; the others are not even read.
            if wanted not in text:
                continue
            try:
                line = parse_line(text)
                said = line.content
                place = Place(said["sequence"], said["hash"])
                head = KnownHead(said["began"], Path(said["folder"]), place)
            except (ValueError, KeyError, TypeError):
                continue
            own = bool(line.key) and fingerprint(line.key) in keys
            if not own or said.get("run_id") != run_id:
                continue
            if not is_signed(line.key, line.hash, line.signature):
                continue
            if head.folder == here:
                return head
            known.append(head)
    # None was ever here: a copy, or one that was moved, or one put in the place of what is gone.
    copied = (head for head in known if head.began == began)
    return next(copied, None) or next((h for h in known if not h.folder.exists()), None)
