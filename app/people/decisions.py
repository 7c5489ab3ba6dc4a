"""A person's word on the current battery: taken, saved, changed, taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from PySide6.QtCore import QObject, Signal

from app.lot.review import Row
from app.lot.session_writer import SessionWriter
from app.lot.shown_lot import ShownLot
from app.people.image_words import ImageWords
from app.people.people import People
from app.people.region_marks import RegionMarks
from app.wording import class_row
from inspection.errors import SessionError
from inspection.people.person import Person
from inspection.reasons import Occasion
from inspection.results import DEFECT_KINDS, Kind
from inspection.session.record import Action, BatterySummary, Decision, Region


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says of a battery.

    Parameters
    ----------
    defect_type : None where none is named
    region : marked as the evidence, None without
    """

    kind: Kind
    defect_type: str | None = None
    reason: str = ""
    comment: str = ""
    region: Region | None = None

    def repeats(self, kind: Kind | None, defect_type: str | None) -> bool:
        """Return whether it says nothing else than was said; a type left out adds nothing."""
        return self.kind == kind and self.defect_type in (None, defect_type)


class Decisions(QObject):
    """Takes decisions on the current battery of the lot that is shown.

    Parameters
    ----------
    shown : the lot
    writer : writes them down
    with_session : goes on with something once a session is open
    people : who decides
    marks : what is marked on the pictures
    """

    taken = Signal(str)
    """A battery whose decision is on the disk, and from which the person meant to go on."""
    second_needed = Signal(object)
    """A second person has to confirm; goes on with the function once there is one."""
    refused = Signal(object)
    """A word is not taken, since something else is said of the battery than it was said over."""

    def __init__(
        self,
        shown: ShownLot,
        writer: SessionWriter,
        with_session: Callable[[Callable[[], None]], None],
        people: People,
        marks: RegionMarks,
    ) -> None:
        super().__init__(shown)
        self._shown = shown
        self._writer = writer
        self._with_session = with_session
        self._people = people
        self._marks = marks
        self.images = ImageWords(shown, writer, with_session, people)
        # On their way to the disk; what is not there yet is not shown as decided.
        self._coming: dict[str, Decision] = {}
        self._going_on: set[str] = set()
        writer.decisions.decided.connect(self._on_decided)
        writer.decisions.kept.connect(self._on_kept)
        writer.decisions.forgotten.connect(self._on_forgotten)
        writer.decisions.taken_back.connect(shown.choose)
        shown.lot_changed.connect(self._on_lot)

    def accept(self, *, go_on: bool = False) -> None:
        """Accept the station's verdict on the current battery."""
        row = self._shown.current_row()
        if self.may_accept and row is not None and row.kind is not None:
            word = Word(row.kind, region=self._marks.marked)
            self._people.with_person(partial(self._record, row, word, go_on))

    def take(self, battery_id: str, word: Word, *, go_on: bool = False) -> None:
        """Take a person's own word; one over another's, or over one's own, gives its reason."""
        row = self._shown.rows.get(battery_id)
        if row is not None and (word.reason.strip() or not needs_reason(occasion_of(row))):
            self._people.with_person(partial(self._record, row, word, go_on))

    def undo(self) -> None:
        """Take back the person's own last decision, wherever it was made, and go there."""
        person = self._people.current
        if self.may_undo and person is not None:
            self._writer.decisions.undo(person)

    # -- what can be done now --------------------------------------------------------------

    @property
    def may_accept(self) -> bool:
        """True where there is a verdict that can be accepted: normal or a defect, and undecided."""
        row = self._shown.current_row()
        judged = row is not None and row.kind in ("normal", *DEFECT_KINDS)
        return judged and self.may_decide

    @property
    def may_decide(self) -> bool:
        """True where a battery is current and undecided, and its session can be written."""
        row = self._shown.current_row()
        undecided = row is not None and row.decision is None and self._may_write(row)
        return undecided and self._people.may("decide")

    @property
    def may_change(self) -> bool:
        """True where a decision that is on the disk can be changed."""
        row = self._shown.current_row()
        if row is None or row.decision is None or row.unsaved or not self._may_write(row):
            return False
        return self._people.may("change_decision")

    @property
    def may_undo(self) -> bool:
        """True where the person has a decision of their own to take back."""
        person, record = self._people.current, self._writer.record
        if person is None or record is None or record.signatures or self._writer.read_only:
            return False
        if not self._people.may("undo"):
            return False
        own = [row for row in self._shown.rows.values() if row.decision is not None]
        return any(row.decision and row.decision.operator == person.name for row in own)

    @property
    def coming(self) -> bool:
        """True while a decision on the current battery is on its way, or cannot be saved."""
        row = self._shown.current_row()
        return row is not None and (row.battery_id in self._coming or row.unsaved)

    def _may_write(self, row: Row) -> bool:
        return not self._writer.read_only and row.battery_id not in self._coming

    # -- inside ----------------------------------------------------------------------------

    def _record(self, seen: Row, word: Word, go_on: bool) -> None:
        person, row = self._people.current, self._as_seen(seen)
        if person is None or row is None or row.unsaved or not self._may_write(row):
            return
        go_on_with = partial(self._with_second, seen, word, go_on, person)
        if word.kind == "normal" and self._people.config.second_person and _was_critical(row):
            self.second_needed.emit(go_on_with)
        else:
            go_on_with(None)

    def _with_second(
        self, seen: Row, word: Word, go_on: bool, person: Person, second: Person | None
    ) -> None:
        row = self._as_seen(seen)
        # Whoever has taken the station over in the meantime has not said it.
        if row is None or person != self._people.current:
            return
        decision = Decision(
            action=action_of(row, word),
            kind=word.kind,
            defect_type=word.defect_type,
            region=word.region,
            reason=word.reason.strip(),
            comment=word.comment.strip(),
            operator=person.name,
            role=person.role,
            second=second,
            decided_at=datetime.now().astimezone(),
            # Of what is on the screen, also where the disk takes the decision only later.
            shown=self._writer.digest_of(row.battery_id),
        )
        self._with_session(partial(self._write, seen, decision, go_on))

    def _write(self, seen: Row, decision: Decision, go_on: bool) -> None:
        row = self._as_seen(seen)
        if row is None or row.battery_id in self._coming:
            return
        self._coming[row.battery_id] = decision
        if go_on:
            self._going_on.add(row.battery_id)
        self._writer.decisions.decide(row.battery_id, decision, change=row.decision is not None)

    def _as_seen(self, seen: Row) -> Row | None:
        """Return the row where it says what a word was said over.

        A session that is opened for the word has verdicts and decisions that nobody has seen.
        """
        row = self._shown.rows.get(seen.battery_id)
        if row is None:
            return None
        said = (row.kind, row.defect_type, row.decision)
        if said != (seen.kind, seen.defect_type, seen.decision):
            self.refused.emit(SessionError("decision_overtaken", battery=seen.battery_id))
            return None
        return row

    def _on_decided(self, summary: BatterySummary) -> None:
        """A decision is on the disk, or was taken back there."""
        self._coming.pop(summary.battery_id, None)
        self._show(summary)
        if summary.battery_id in self._going_on:
            self._going_on.discard(summary.battery_id)
            self.taken.emit(summary.battery_id)

    def _on_kept(self, battery_id: str) -> None:
        """The disk refuses a decision: it is shown all the same, and as not saved."""
        decision, row = self._coming.pop(battery_id, None), self._shown.rows.get(battery_id)
        self._going_on.discard(battery_id)
        if decision is not None and row is not None:
            self._shown.set_row(replace(row, decision=decision, unsaved=True))

    def _on_forgotten(self, summary: BatterySummary) -> None:
        """What was to be saved is not: the row is as the session has it."""
        self._coming.pop(summary.battery_id, None)
        self._going_on.discard(summary.battery_id)
        self._show(summary)

    def _on_lot(self) -> None:
        # Of a session that was left: nobody waits for those any more.
        self._coming.clear()
        self._going_on.clear()

    def _show(self, summary: BatterySummary) -> None:
        row = self._shown.rows.get(summary.battery_id)
        if row is not None:
            earlier = tuple(summary.earlier)
            self._shown.set_row(
                replace(row, decision=summary.decision, earlier=earlier, unsaved=False)
            )


def occasion_of(row: Row) -> Occasion:
    """Return what a word on a battery would be: a change, an override, or neither."""
    if row.decision is not None:
        return "change"
    return "override" if row.kind in ("normal", *DEFECT_KINDS) else "decide"


def needs_reason(occasion: Occasion) -> bool:
    """Return whether a word goes over another's, and so has to give its reason."""
    return occasion != "decide"


def action_of(row: Row, word: Word) -> Action:
    """Return what a word is beside the station's verdict, whatever stood before it."""
    if row.kind not in ("normal", *DEFECT_KINDS):
        return "decide"
    return "accept" if word.repeats(row.kind, row.defect_type) else "override"


def _was_critical(row: Row) -> bool:
    """Return whether station or decision says a critical defect; one without type may be one."""
    said = [(row.kind, row.defect_type)]
    if row.decision is not None:
        said.append((row.decision.kind, row.decision.defect_type or row.defect_type))
    for kind, defect_type in said:
        known = class_row(defect_type)
        if kind in DEFECT_KINDS and (known is None or known.severity == "CRITICAL"):
            return True
    return False
