"""What a session's one writer writes: the line of the chain, then ``session.json``.

Once the line is on the disk the change is made: ``session.json`` can be made again from the
chain, so a disk that refuses it is no reason to say that the change was not saved.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inspection.atomic import make_folder, put_in_place, remove_leftovers, write_atomic
from inspection.errors import SessionError
from inspection.people.person import Person
from inspection.seals.chain import START, Chain, ChainLine, ChainScan, set_torn_aside
from inspection.seals.keys import station_key
from inspection.session.audit import DECIDED, SESSION, SIGNED
from inspection.session.files import (
    AUDIT_NAME,
    BATTERIES_NAME,
    EVIDENCE_NAME,
    SESSION_NAME,
    read_battery,
)
from inspection.session.heads import tell_head
from inspection.session.image_words import IMAGE_CONFIRMED
from inspection.session.leftovers import remove_evidence_leftovers
from inspection.session.lock import SessionLock
from inspection.session.record import SessionRecord
from inspection.session.story import (
    ADOPTED,
    BEGINNINGS,
    FOUND,
    OPENED,
    STATUS,
    Finding,
    SessionStory,
)
from inspection.session.verify import Examined

log = logging.getLogger(__name__)

TOLD_TO_THE_STATION = frozenset({OPENED, ADOPTED, DECIDED, IMAGE_CONFIRMED, STATUS, SIGNED, FOUND})
"""Events after which the station's log is told where the chain ends."""


class Journal:
    """The right to write a session's chain.

    Parameters
    ----------
    folder : the session's
    lock : held
    story : what the chain tells so far; every line written is taken by it
    scan : of the chain; None where there is none yet
    """

    def __init__(
        self,
        folder: Path,
        lock: SessionLock,
        story: SessionStory,
        scan: ChainScan | None = None,
    ) -> None:
        self.story = story
        self._folder = folder
        self._lock = lock
        path = folder / AUDIT_NAME
        set_torn_aside(path, scan.torn if scan else b"")
        self._chain = Chain(path, station_key(), scan.place if scan else START)
        self._told = self._chain.place
        self._behind = False

    @classmethod
    def begin(cls, folder: Path, lock: SessionLock, record: SessionRecord) -> Journal:
        """Write the first line of a new session."""
        journal = cls(folder, lock, SessionStory())
        person = Person(name=record.operator) if record.operator else None
        journal._write(OPENED, {"record": record.model_dump(mode="json")}, person)
        return journal

    @classmethod
    def go_on(cls, folder: Path, lock: SessionLock, found: Examined) -> Journal:
        """Go on with a session, what a kill or damage has left of it mended."""
        for part in (folder, folder / BATTERIES_NAME, folder / EVIDENCE_NAME):
            make_folder(part)
            for path, staged in found.staged.items():
                if staged.parent == part:
                    put_in_place(staged, path)
            remove_leftovers(part)
        remove_evidence_leftovers(folder)
        if found.keep and (folder / SESSION_NAME).exists():
            # It may hold what only a person can still read.
            taken = len(list(folder.glob("session.broken*.json")))
            put_in_place(folder / SESSION_NAME, folder / f"session.broken{taken + 1}.json")
        journal = cls(folder, lock, found.story, found.scan)
        if found.finding != Finding():
            journal.write(FOUND, found.finding.model_dump(mode="json"))
        elif found.outdated:
            journal.save_record()
        return journal

    def write(
        self, event: str, content: Mapping[str, Any], person: Person | None = None
    ) -> ChainLine:
        """Make a change; it is on the disk when this returns.

        Parameters
        ----------
        person : who made it, for the station's log

        Raises
        ------
        OSError
            If the disk refuses; then nothing has changed.
        """
        self._lock.keep()
        self.adopt()
        return self._write(event, content, person)

    def adopt(self) -> None:
        """Seal what a session from before there were chains holds, before it goes on."""
        if self.story.began is None:
            self._write(ADOPTED, self._all())

    def save_record(self) -> None:
        """Write ``session.json`` as the story tells it."""
        record = self.story.record
        try:
            write_atomic(self._folder / SESSION_NAME, record.model_dump_json(indent=2))
            self._behind = False
        except OSError as error:
            # Told once: it is tried again after every line.
            if not self._behind:
                log.warning("%s will be completed from its chain: %s", self._folder.name, error)
            self._behind = True

    def close(self) -> None:
        """Write what the disk has refused, and tell the station's log where the chain ends."""
        if self._behind:
            self.save_record()
        self._tell("head", None)
        self._lock.release()

    def _write(
        self, event: str, content: Mapping[str, Any], person: Person | None = None
    ) -> ChainLine:
        # Signed lines of another session of the station must not count in this one.
        named = {} if event in BEGINNINGS else {SESSION: self.story.began}
        line = self._chain.append(event, {**content, **named})
        self.story.take(line)
        self.save_record()
        if event in TOLD_TO_THE_STATION:
            self._tell(event, person, self._decided(content) if event == DECIDED else None)
        return line

    def _decided(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return what stands on a battery now, or the undo after which nothing does."""
        battery_id = content["battery_id"]
        row = self.story.row(battery_id)
        standing = row.decision if row else None
        decision = standing.model_dump(mode="json") if standing else content["decision"]
        return {"battery_id": battery_id, "decision": decision}

    def _tell(
        self, event: str, person: Person | None, decided: dict[str, Any] | None = None
    ) -> None:
        began = self.story.began
        if began is None or self._told == self._chain.place:
            return
        self._told = self._chain.place
        if event == SIGNED:
            tell_head(self._folder, began, self._told, "signed", person)
        elif event == OPENED:
            tell_head(self._folder, began, self._told, "session_created", person)
        else:
            tell_head(self._folder, began, self._told, decided=decided)

    def _all(self) -> dict[str, Any]:
        """Return all that a session from before there were chains holds, to be sealed as it is."""
        files, images = {}, {}
        for path in sorted((self._folder / BATTERIES_NAME).glob("[!.]*.json")):
            try:
                result = read_battery(path)
            except SessionError:
                # Damaged before it could be sealed: to be inspected again.
                continue
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            files[result.battery_id] = {"name": path.stem, "digest": digest}
            images[result.battery_id] = len(result.images)
        record = self.story.record.model_dump(mode="json")
        return {"record": record, "files": files, "images": images}
