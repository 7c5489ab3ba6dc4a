"""A session as its chain tells it: every line taken in its order gives the record that held then.

``session.json`` is what this gives at the line that it names as its head, and nothing else; so a
changed row, a removed one and a row that comes twice all show.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field

from inspection.messages import Message
from inspection.record_base import Record
from inspection.results import ModelProvenance
from inspection.seals.chain import ChainLine
from inspection.session.audit import SESSION, SIGNED, AuditEntry, audit_entry
from inspection.session.decisions import Decided, DecisionHistory
from inspection.session.files import migrated
from inspection.session.image_words import IMAGE_CONFIRMED, ImageWord
from inspection.session.record import BatterySummary, Decision, SessionRecord, Signature

OPENED = "opened"
ADOPTED = "adopted"
MODELS = "models"
INSPECTED = "inspected"
STATUS = "status"
SET_ASIDE = "set_aside"
FOUND = "found"
EVIDENCE_REMOVED = "evidence_removed"
"""Tells of pictures that a site keeps no longer; nothing that was judged changes with it."""
BEGINNINGS = (OPENED, ADOPTED)


class Finding(Record):
    """What an examination of a session's files has found that its chain does not tell.

    ``failed`` are the batteries whose files are not those that were sealed, ``decisions`` those
    that the chain has lost and that count nevertheless, since they speak against a battery.
    """

    problems: list[Message] = Field(default_factory=list)
    failed: list[str] = Field(default_factory=list)
    decisions: dict[str, Decision] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A battery's file: its name in ``batteries/`` and the SHA-256 of its bytes.

    Raises
    ------
    ValueError
        If the name reaches out of the folder: any key can sign such a line.
    """

    name: str
    digest: str

    def __post_init__(self) -> None:
        if not self.name or self.name.startswith(".") or set(self.name) & set("/\\:\0"):
            raise ValueError("not the name of a battery's file")


class SessionStory:
    """What the lines so far say.

    Parameters
    ----------
    record : what holds before the first line, where none says how the session began
    entries : the decisions that it holds already
    """

    def __init__(
        self, record: SessionRecord | None = None, entries: Iterable[AuditEntry] = ()
    ) -> None:
        # A reader must not put back an old record while a line is being taken.
        self._mutex = threading.RLock()
        self.history = DecisionHistory()
        self.entries: list[AuditEntry] = []
        self.files: dict[str, SealedFile] = {}
        self.set_aside: set[str] = set()
        self.found: list[Message] = []
        self.began: str | None = None
        self.adopted_at: datetime | None = None
        self.sequence = 0
        self.signed_at: int | None = None
        self._images: dict[str, int] = {}
        self.said_of_images: list[tuple[int, ImageWord]] = []
        self._image_words: dict[str, dict[str, ImageWord]] = {}
        self._rows: dict[str, BatterySummary] = {}
        self._base: SessionRecord | None = None
        self._told: SessionRecord | None = None
        for entry in entries:
            self.entries.append(entry)
            self.history.take(entry.decided)
        if record is not None:
            self._begin(record)
        for row in tuple(self._rows.values()):
            standing = self.history.standing(row.battery_id)
            if standing is not None and standing.decision == row.decision:
                self._lay_decision(row.battery_id)

    @property
    def record(self) -> SessionRecord:
        """The session as it stands after the last line; may be asked for from any thread."""
        with self._mutex:
            return self._as_record()

    def _as_record(self) -> SessionRecord:
        if self._told is not None:
            return self._told
        if self._base is None:
            raise ValueError("no line said how the session began")
        record = self._base
        share = record.processed_images / record.total_images if record.total_images else 0.0
        # A run may end without a result for every image, where a system was switched off.
        percent = 100.0 if record.status == "completed" else 100.0 * share
        changes = {"batteries": list(self._rows.values()), "progress_percent": percent}
        self._told = record.model_copy(update=changes)
        return self._told

    @property
    def changed_after_signing(self) -> bool:
        """True where something was decided after the last signature."""
        return bool(self.signed_at and self.entries and self.entries[-1].sequence > self.signed_at)

    def row(self, battery_id: str) -> BatterySummary | None:
        """Return a battery's row."""
        return self._rows.get(battery_id)

    def image_words(self, battery_id: str) -> tuple[ImageWord, ...]:
        """Return the words that stand on a battery's images: those that call one normal."""
        with self._mutex:
            words = self._image_words.get(battery_id, {}).values()
            return tuple(word for word in words if word.normal)

    def take(self, line: ChainLine) -> None:
        """Let one more line hold.

        Raises
        ------
        ValueError, KeyError, TypeError
            If it does not say what a line of its event says.
        """
        with self._mutex:
            self._take(line)

    def _take(self, line: ChainLine) -> None:
        content = {key: value for key, value in line.content.items() if key != SESSION}
        entry = audit_entry(line)
        if entry is not None:
            self.history.take(entry.decided)
            self.entries.append(entry)
            self._lay_decision(entry.battery_id)
        elif line.event in BEGINNINGS:
            self._begin(SessionRecord.model_validate(migrated(content["record"])))
            self._adopt(line)
        elif line.event == MODELS:
            models = [ModelProvenance.model_validate(model) for model in content["models"]]
            self._set(models=models, device=content["device"])
        elif line.event == INSPECTED:
            self._inspect(content)
        elif line.event == STATUS:
            self._set(status=content["status"], error_message=content["error_message"])
        elif line.event == SIGNED and self._base is not None:
            signature = Signature.model_validate(content)
            self._set(signatures=[*self._base.signatures, signature])
            self.signed_at = line.sequence
        elif line.event == IMAGE_CONFIRMED:
            word = ImageWord.model_validate(content)
            self.said_of_images.append((line.sequence, word))
            self._image_words.setdefault(word.battery_id, {})[word.image] = word
        elif line.event == SET_ASIDE:
            self.set_aside.add(content["digest"])
            self.files.pop(content["battery_id"], None)
        elif line.event == FOUND:
            self.take_finding(Finding.model_validate(content), line.sequence)
        self.began = self.began or (line.hash if line.key else None)
        self.sequence = line.sequence
        self._set(head=line.hash, updated_at=line.at)
        self._told = None

    def take_finding(self, finding: Finding, sequence: int) -> None:
        """Let hold what an examination of the files has found; once is as good as twice."""
        with self._mutex:
            self._take_finding(finding, sequence)

    def _take_finding(self, finding: Finding, sequence: int) -> None:
        self._told = None
        self.found += [problem for problem in finding.problems if problem not in self.found]
        for battery_id in finding.failed:
            if battery_id in self._rows:
                self._rows[battery_id] = distrusted(self._rows[battery_id])
        for battery_id, decision in finding.decisions.items():
            standing = self.history.standing(battery_id)
            if standing is None or standing.decision != decision:
                self.history.take(Decided(sequence, battery_id, decision))
            self._lay_decision(battery_id)

    def _begin(self, record: SessionRecord) -> None:
        self._base = record
        self._rows = {row.battery_id: row for row in record.batteries}

    def _adopt(self, line: ChainLine) -> None:
        self.files = {i: SealedFile(**file) for i, file in line.content.get("files", {}).items()}
        self._images = dict(line.content.get("images", {}))
        if line.event != ADOPTED:
            return
        self.adopted_at = line.at
        for row in self._rows.values():
            # What the old log has lost stood in the old session alone.
            standing = self.history.standing(row.battery_id)
            if row.decision and (standing is None or standing.decision != row.decision):
                lost = AuditEntry(line.sequence, row.battery_id, row.kind, row.decision)
                self.history.take(lost.decided)

    def _inspect(self, content: Mapping[str, Any]) -> None:
        if self._base is None:
            return
        row = BatterySummary.model_validate(content["row"])
        battery_id, images = row.battery_id, content["images"]
        # How many of its images ``processed_images`` counts already; of an unreadable file from
        # before there were lines, as many as now.
        counted = images if battery_id in self._rows and self._was_seen(battery_id) else 0
        before = self._images.get(battery_id, counted)
        self._rows[battery_id] = row
        self._lay_decision(battery_id)
        self._images[battery_id] = images
        self.files[battery_id] = SealedFile(content["file"], content["digest"])
        processed = self._base.processed_images - before + images
        total = max(self._base.total_images, processed)
        self._set(processed_images=processed, total_images=total)

    def _was_seen(self, battery_id: str) -> bool:
        return self._rows[battery_id].state not in ("queued", "running")

    def _lay_decision(self, battery_id: str) -> None:
        if battery_id in self._rows:
            self._rows[battery_id] = self.history.on(self._rows[battery_id])

    def _set(self, **changes: object) -> None:
        if self._base is not None:
            self._base = self._base.model_copy(update=changes)


def distrusted(row: BatterySummary) -> BatterySummary:
    """Return a row whose battery has to be inspected again; nothing vouches for a normal one."""
    kind = "not_inspected" if row.kind == "normal" else row.kind
    state = row.state if row.state in ("queued", "running") else "failed"
    return row.model_copy(update={"state": state, "kind": kind})
