"""A session: one run over a lot, saved after every battery and every decision.

Folder and files are described in docs/decisions/0005, the order of the writes in 0039: the line
of the chain comes first, so that whatever it does not know was not written by the station.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType

from inspection.errors import ReportError, SessionError
from inspection.messages import Message
from inspection.people.person import Person
from inspection.records import Lot
from inspection.results import BatteryResult, ModelProvenance
from inspection.session.audit import DECIDED, SIGNED, AuditEntry
from inspection.session.battery_files import BatteryFiles
from inspection.session.deciding import decide, undo
from inspection.session.files import EVIDENCE_NAME, disk_error, is_session
from inspection.session.image_words import IMAGE_CONFIRMED, ImageWord
from inspection.session.journal import Journal
from inspection.session.lock import SessionLock
from inspection.session.record import (
    BatterySummary,
    Decision,
    Meaning,
    SessionRecord,
    SessionStatus,
    Signature,
)
from inspection.session.seal import SealReport
from inspection.session.story import EVIDENCE_REMOVED, MODELS, STATUS
from inspection.session.verify import Examined, examine

FINAL_STATES = frozenset({"done", "skipped"})


class SessionStore:
    """An open session. Made by `create_session` or `open`; closed by `close` or a ``with`` block.

    Every method returns once its change is on the disk, and may be called from any thread.

    Parameters
    ----------
    folder : the session's folder
    found : what was found on opening it
    journal : writes it; None where the session is open for reading only
    """

    def __init__(self, folder: Path, found: Examined, journal: Journal | None) -> None:
        self.folder = folder
        self._journal = journal
        self._found = found
        self._story = journal.story if journal else found.story
        self._files = BatteryFiles(folder, self._story, found.staged)
        self._mutex = threading.RLock()

    @classmethod
    def open(cls, folder: Path, *, read_only: bool = False) -> SessionStore:
        """Open a session, mending what a crash left; see `problems` for what was found.

        Parameters
        ----------
        folder : the session's folder
        read_only : take no lock and write nothing, as the history does

        Raises
        ------
        SessionError
            If there is no session, a newer program wrote it, or another program has it open.
        """
        if not is_session(folder):
            raise SessionError("session_missing", session=folder.name)
        lock = None if read_only else SessionLock(folder)
        try:
            found = examine(folder, second_look=read_only)
            journal = None if lock is None else Journal.go_on(folder, lock, found)
            return cls(folder, found, journal)
        except BaseException as error:
            if lock is not None:
                lock.release()
            if isinstance(error, OSError):
                raise disk_error("session_read_failed", folder, error) from error
            raise

    @property
    def record(self) -> SessionRecord:
        """The session as it stands; a frozen snapshot."""
        return self._record

    @property
    def seal(self) -> SealReport:
        """What could be vouched for when the session was opened."""
        return self._found.seal

    @property
    def problems(self) -> tuple[Message, ...]:
        """What was found wrong on opening, the seal's first; mended as far as it could be."""
        return (*self.seal.problems, *self._found.problems)

    @property
    def audit(self) -> tuple[AuditEntry, ...]:
        """All decisions ever taken, in their order."""
        return tuple(self._story.entries)

    @property
    def said_of_images(self) -> tuple[tuple[int, ImageWord], ...]:
        """Every word on a single image, with its line of the chain, in their order."""
        return tuple(self._story.said_of_images)

    @property
    def changed_after_signing(self) -> bool:
        """True where something was decided after the last signature."""
        return self._story.changed_after_signing

    @property
    def read_only(self) -> bool:
        """True where nothing can be saved."""
        return self._journal is None

    @property
    def evidence_dir(self) -> Path:
        """Folder of the pictures."""
        return self.folder / EVIDENCE_NAME

    def close(self) -> None:
        """Let other programs open the session; nothing can be saved from here on."""
        with self._mutex:
            journal, self._journal = self._journal, None
            if journal is not None:
                journal.close()

    def __enter__(self) -> SessionStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- batteries -------------------------------------------------------------------------

    def save_battery(self, result: BatteryResult) -> None:
        """Save a battery's result; a decision that was taken on it stays.

        Raises
        ------
        SessionError
            If the disk refuses or the session is open for reading only.
        """
        with self._mutex, self._disk():
            self._files.write(result, self._writer())

    def load_battery(self, battery_id: str) -> BatteryResult | None:
        """Return a battery's full result, or None where it was not inspected yet.

        Raises
        ------
        SessionError
            If its file cannot be read, or is not the one that was sealed.
        """
        with self._mutex:
            try:
                return self._files.read(battery_id)
            except SessionError:
                if not self.read_only:
                    raise
            # Another program may have written since.
            self._found = examine(self.folder)
            self._story = self._found.story
            self._files = BatteryFiles(self.folder, self._story, self._found.staged)
            return self._files.read(battery_id)

    def remaining(self, lot: Lot) -> list[str]:
        """Return the ids, in the lot's order, of batteries that still have to be inspected.

        Failed and cancelled ones are among them, so that a resume tries them again.
        """
        states = {row.battery_id: row.state for row in self._record.batteries}
        # A rebuilt session has forgotten which batteries were chosen: all of them count.
        rebuilt = not self._record.lot.path
        return [
            b.battery_id
            for b in lot.batteries
            if states.get(b.battery_id, "queued" if rebuilt else "done") not in FINAL_STATES
        ]

    # -- session ---------------------------------------------------------------------------

    def mark(self, status: SessionStatus, error_message: str | None = None) -> None:
        """Set the session's status."""
        with self._mutex, self._disk():
            content = {"status": status, "error_message": error_message}
            self._writer().write(STATUS, content)

    def set_models(self, models: Sequence[ModelProvenance], device: str) -> None:
        """Record which models judge, on which device.

        Models that judged in an earlier run of the session stay: their results are in it.
        """
        with self._mutex, self._disk():
            known = {(m.slot, m.sha256): m for m in (*self._record.models, *models)}
            told = [model.model_dump(mode="json") for model in known.values()]
            self._writer().write(MODELS, {"models": told, "device": device})

    def note_evidence_removed(self, size: int, rule: str) -> None:
        """Tell in the chain that evidence pictures go now, of so many bytes, and by which rule.

        Raises
        ------
        SessionError
            If the disk refuses or the session is open for reading only.
        """
        with self._mutex, self._disk():
            self._writer().write(EVIDENCE_REMOVED, {"bytes": size, "rule": rule})

    def sign(self, meaning: Meaning, person: Person) -> Signature:
        """Sign the session as it stands; from here on no decision can be undone.

        Raises
        ------
        SessionError
            If the disk refuses.
        """
        with self._mutex, self._disk():
            signature = Signature(
                meaning=meaning,
                name=person.name,
                role=person.role,
                signed_at=datetime.now().astimezone(),
            )
            self._writer().write(SIGNED, signature.model_dump(mode="json"), person)
            return signature

    # -- decisions -------------------------------------------------------------------------

    def decide(self, battery_id: str, decision: Decision) -> BatterySummary:
        """Record a decision on a battery on which none is in force and return its row.

        Raises
        ------
        SessionError
            If the battery is unknown or decided, if a verdict is accepted that is not (any more)
            the station's, or if the disk refuses.
        """
        with self._mutex:
            return self._decided(decide(self._story, battery_id, decision, change=False))

    def change(self, battery_id: str, decision: Decision) -> BatterySummary:
        """Put a decision in the place of the one that is in force, which is kept.

        Raises
        ------
        SessionError
            If the battery is unknown or undecided, if a verdict is accepted that is not (any
            more) the station's, or if the disk refuses.
        """
        with self._mutex:
            return self._decided(decide(self._story, battery_id, decision, change=True))

    def undoable(self, person: Person) -> str | None:
        """Return the battery whose decision `undo` would take back; None where there is none."""
        with self._mutex:
            standing = self._story.history.undoable(person)
            signed = bool(self._record.signatures)
            return None if standing is None or signed else standing.battery_id

    def undo(self, person: Person) -> BatterySummary:
        """Take back the person's own last decision that is in force, and return its row.

        What it took the place of is in force again.

        Raises
        ------
        SessionError
            If there is none, if the session is signed, or if the disk refuses.
        """
        with self._mutex:
            return self._decided(undo(self._story, person))

    def image_words(self, battery_id: str) -> tuple[ImageWord, ...]:
        """Return the words that stand on a battery's images: those that call one normal."""
        return self._story.image_words(battery_id)

    def confirm_image(
        self, battery_id: str, image: str, person: Person, *, normal: bool = True
    ) -> ImageWord:
        """Record that a person calls an image normal, or that this is taken back.

        Raises
        ------
        SessionError
            If the battery is unknown, or the disk refuses.
        """
        with self._mutex, self._disk():
            row = self._story.row(battery_id)
            if row is None:
                raise SessionError("session_battery_unknown", battery=battery_id)
            word = ImageWord.of(battery_id, image, person, normal=normal, shown=row.digest)
            self._writer().write(IMAGE_CONFIRMED, word.model_dump(mode="json"), person)
            return word

    # -- writing ---------------------------------------------------------------------------

    def _decided(self, entry: AuditEntry) -> BatterySummary:
        with self._disk():
            self._writer().write(DECIDED, entry.content)
        row = self._story.row(entry.battery_id)
        assert row is not None
        return row

    def _writer(self) -> Journal:
        if self._journal is None:
            raise SessionError("session_not_writable", session=self.folder.name)
        return self._journal

    @property
    def _record(self) -> SessionRecord:
        return self._story.record

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_error("session_write_failed", self.folder, error) from error


def open_to_read(folder: Path) -> SessionStore:
    """Open a session that somebody named, for a report or a comparison; nothing is written.

    Raises
    ------
    ReportError
        If the folder holds no session.
    SessionError
        If the session cannot be read.
    """
    if not is_session(folder):
        raise ReportError("report_session_missing", folder=str(folder))
    return SessionStore.open(folder, read_only=True)
