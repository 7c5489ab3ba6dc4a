"""How far each session's chain went, as the station's log knows it, outside of the session."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from inspection.errors import InspectionError
from inspection.people.person import Person
from inspection.seals.chain import ChainPlace, parse_line
from inspection.seals.keys import fingerprint, is_signed, station_fingerprint, trusted_fingerprints
from inspection.seals.log import StationLog
from inspection.session.files import is_session
from inspection.session.record import Decision

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
    place: ChainPlace


def tell_head(
    folder: Path,
    began: str,
    place: ChainPlace,
    event: Literal["session_created", "head", "signed"] = "head",
    person: Person | None = None,
    decided: dict[str, Any] | None = None,
) -> None:
    """Tell the station's log where a session's chain ends now, and what was decided last.

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
            **({"decided": decided} if decided else {}),
        )
    except InspectionError as error:
        log.warning("the station's log does not know the end of %s: %s", folder.name, error)


def lost_decisions(
    folder: Path, run_id: str, began: str, hashes: Collection[str]
) -> dict[str, Decision]:
    """Return each battery's last word that the station's log knows and the chain has lost.

    An undo is among them where nothing stood any more after it.

    Parameters
    ----------
    began : hash of the session's first signed line
    hashes : of the lines that the chain has
    """
    found: dict[str, Decision] = {}
    seen: set[str] = set()
    for said in _told_of(folder, run_id):
        decided = said.get("decided")
        if said["began"] != began or decided is None or decided["battery_id"] in seen:
            continue
        # The newest comes first.
        seen.add(decided["battery_id"])
        if said["hash"] not in hashes:
            decision = Decision.model_validate_json(json.dumps(decided["decision"]))
            found[decided["battery_id"]] = decision
    return found


def known_head(folder: Path, run_id: str, began: str | None) -> KnownHead | None:
    """Return what the station's log knows of a session, None where it knows nothing.

    Parameters
    ----------
    began : hash of the session's first signed line; None where it has none. Where what is
        returned began otherwise, this session was put in the place of that one.
    """
    here = folder.resolve()
    known: list[KnownHead] = []
    for said in _told_of(folder, run_id):
        place = ChainPlace(said["sequence"], said["hash"])
        head = KnownHead(said["began"], Path(said["folder"]), place)
        if head.folder == here:
            return head
        known.append(head)
    # None was ever here: a copy, or one that was moved, or one put in the place of what is gone.
    copied = (head for head in known if head.began == began)
    return next(copied, None) or next((h for h in known if not is_there(h.folder)), None)


def sealing_since() -> datetime | None:
    """Return since when this station seals, None where it has never: the log's oldest own line."""
    if not os.access(StationLog().folder, os.R_OK):
        return None
    keys = trusted_fingerprints() | station_fingerprint()
    for path in StationLog().files():
        with path.open("rb") as file:
            for text in file:
                try:
                    line = parse_line(text.rstrip(b"\n"))
                except ValueError:
                    continue
                own = bool(line.key) and fingerprint(line.key) in keys
                if own and is_signed(line.key, line.hash, line.signature):
                    return line.at
    return None


def is_there(folder: Path) -> bool:
    """Return whether a session is where the log knows it; on a share that is gone none is."""
    try:
        return is_session(folder)
    except OSError:
        return False


def _told_of(folder: Path, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield what the station's own lines say of a session's ends, the newest first."""
    if not os.access(StationLog().folder, os.R_OK):
        # Another account's station, or one that has done nothing yet.
        return
    wanted = json.dumps(run_id, ensure_ascii=False).encode("utf-8")
    keys = trusted_fingerprints() | station_fingerprint()
    for path in reversed(StationLog().files()):
        for text in reversed(path.read_bytes().split(b"\n")[:-1]):
            # Of thousands of lines a few are this session's; the others are not even read.
            if wanted not in text:
                continue
            try:
                line = parse_line(text)
            except ValueError:
                continue
            said = line.content
            own = bool(line.key) and fingerprint(line.key) in keys
            whole = said.keys() >= {"began", "folder", "sequence", "hash"}
            this = own and whole and said.get("run_id") == run_id
            if this and is_signed(line.key, line.hash, line.signature):
                yield said
