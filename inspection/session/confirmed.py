"""What the decisions of a session say about its images, for whoever teaches a model with them.

A decision about a battery labels none of its images: a region that was drawn labels the one that
it is on, and a person's word on an image labels that one. Whatever is left out has its reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from inspection.classes import DefectClass, class_table
from inspection.errors import SessionError
from inspection.messages import Message
from inspection.records import Modality
from inspection.results import DEFECT_KINDS, Kind
from inspection.session.record import BatterySummary, Decision, LotRecord, Region, final_kind
from inspection.session.seal import SealReport
from inspection.session.store import SessionStore


@dataclass(frozen=True, slots=True)
class DecidedBattery:
    """A battery on which the people who spoke agree.

    Parameters
    ----------
    defect_type : a class of the table, the station's own where it was accepted; None of a normal
        battery, and where nobody has named one
    """

    battery_id: str
    kind: Kind
    defect_type: str | None
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ConfirmedImage:
    """An image that somebody has looked at and called normal."""

    battery_id: str
    image: str
    modality: Modality
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DrawnRegion:
    """A region that was drawn on an image, and the class of the defect in it."""

    battery_id: str
    image: str
    modality: Modality
    region: Region
    defect_type: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A battery, or one of its images, that teaches nothing, and why."""

    battery_id: str
    reason: Message
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a session teaches.

    Parameters
    ----------
    run_id, lot, seal : of the session
    decided : batteries with a word that counts
    images : confirmed as normal one by one
    regions : of ``decided`` batteries
    undecided : batteries on which nobody's word stands
    contradicting : batteries and images of which two things are said
    unusable : regions and images of which what is said labels nothing
    """

    run_id: str
    lot: LotRecord
    seal: SealReport
    decided: tuple[DecidedBattery, ...]
    images: tuple[ConfirmedImage, ...]
    regions: tuple[DrawnRegion, ...]
    undecided: tuple[LeftOut, ...]
    contradicting: tuple[LeftOut, ...]
    unusable: tuple[LeftOut, ...]

    @property
    def normal(self) -> tuple[str, ...]:
        """Batteries that were confirmed as normal; none of their images is labelled by that."""
        return tuple(one.battery_id for one in self.decided if one.kind == "normal")

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """All that teaches nothing."""
        return (*self.contradicting, *self.unusable, *self.undecided)


def read_confirmed(session: Path | SessionStore, *, accept_unsealed: bool = False) -> Confirmed:
    """Return what the decisions of a session say about its images.

    Parameters
    ----------
    session : its folder, or the session itself
    accept_unsealed : go on with one that cannot be vouched for; what its chain does not tell of
        an altered one does not count even then

    Raises
    ------
    SessionError
        If there is no session, it cannot be read, or it is not sealed, by a key that counts, as it
        was written.
    """
    if isinstance(session, Path):
        with SessionStore.open(session, read_only=True) as store:
            return read_confirmed(store, accept_unsealed=accept_unsealed)
    seal = session.seal
    if seal.state != "sealed" and not accept_unsealed:
        raise SessionError(f"confirmed_{seal.state}", session=str(session.folder))
    reading = _SessionWords(session)
    for row in session.record.batteries:
        reading.take(row)
    return Confirmed(
        run_id=session.record.run_id,
        lot=session.record.lot,
        seal=seal,
        decided=tuple(reading.decided),
        images=tuple(reading.images),
        regions=tuple(reading.regions),
        undecided=tuple(reading.undecided),
        contradicting=tuple(reading.contradicting),
        unusable=tuple(reading.unusable),
    )


class _SessionWords:
    """What is found while the batteries are gone through."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self.decided: list[DecidedBattery] = []
        self.images: list[ConfirmedImage] = []
        self.regions: list[DrawnRegion] = []
        self.undecided: list[LeftOut] = []
        self.contradicting: list[LeftOut] = []
        self.unusable: list[LeftOut] = []

    def take(self, row: BatterySummary) -> None:
        """Sort what is said of a battery and of its images."""
        words = self._store.image_words(row.battery_id)
        decided = self._decided(row)
        region = row.decision.region if row.decision else None
        modalities: dict[str, Modality] = {}
        if words or region:
            try:
                result = self._store.load_battery(row.battery_id)
            except SessionError as error:
                # Of an altered session: which of its images were judged is not known any more.
                self.unusable.append(LeftOut(row.battery_id, error.message))
                return
            modalities = {one.image: one.modality for one in result.images} if result else {}
        if decided is not None and region is not None:
            decided = self._drawn(decided, region, modalities.get(region.image))
        if decided is not None:
            self.decided.append(decided)
        for word in words:
            modality = modalities.get(word.image)
            if region is not None and region.image == word.image:
                self._contradict(row, "confirmed_image_with_region", word.image)
            elif modality is None:
                self._set_aside(row, "confirmed_image_unknown", word.image)
            else:
                name, at = word.operator, word.said_at
                self.images.append(ConfirmedImage(row.battery_id, word.image, modality, name, at))

    def _decided(self, row: BatterySummary) -> DecidedBattery | None:
        decision = row.decision
        if decision is None:
            self._leave_open(row, "confirmed_undecided")
            return None
        kind = final_kind(row.kind, decision)
        if kind not in ("normal", *DEFECT_KINDS):
            outdated = decision.is_outdated(row.kind)
            self._leave_open(row, "confirmed_outdated" if outdated else "confirmed_open")
            return None
        last = _last_words((*row.earlier, decision))
        said = _said(row, decision)
        other = next((name for name, word in last.items() if _said(row, word) != said), None)
        if other is not None:
            self._contradict(row, "confirmed_people_differ", first=other, second=decision.operator)
            return None
        return DecidedBattery(row.battery_id, kind, said[1], decision.operator, decision.decided_at)

    def _drawn(
        self, decided: DecidedBattery, region: Region, modality: Modality | None
    ) -> DecidedBattery | None:
        """Take a region; None where it speaks against the decision that it came with."""
        known = class_table().rows.get(decided.defect_type or "")
        if decided.kind == "normal":
            self._contradict(decided, "confirmed_normal_with_region", region.image)
            return None
        if decided.defect_type is None:
            self._set_aside(decided, "confirmed_region_without_type", region.image)
        elif modality is None:
            self._set_aside(decided, "confirmed_image_unknown", region.image)
        elif known is None or known.kind is None:
            self._set_aside(
                decided, "confirmed_type_unknown", region.image, type=decided.defect_type
            )
        elif known.modality != modality:
            self._contradict(decided, "confirmed_region_elsewhere", region.image, **_named(known))
        else:
            self.regions.append(
                DrawnRegion(
                    decided.battery_id,
                    region.image,
                    modality,
                    region,
                    decided.defect_type,
                    decided.by,
                    decided.at,
                )
            )
        return decided

    def _leave_open(self, row: BatterySummary, code: str) -> None:
        params: dict[str, str | int | float] = {"battery": row.battery_id}
        self.undecided.append(LeftOut(row.battery_id, Message(code=code, params=params)))

    def _contradict(
        self, of: BatterySummary | DecidedBattery, code: str, image: str | None = None, **more: str
    ) -> None:
        self.contradicting.append(_left_out(of.battery_id, code, image, more))

    def _set_aside(
        self, of: BatterySummary | DecidedBattery, code: str, image: str, **more: str
    ) -> None:
        self.unusable.append(_left_out(of.battery_id, code, image, more))


def _left_out(battery_id: str, code: str, image: str | None, more: dict[str, str]) -> LeftOut:
    named = {} if image is None else {"image": image}
    return LeftOut(
        battery_id, Message(code=code, params={"battery": battery_id, **named, **more}), image
    )


def _last_words(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """Return what each person has said last; who confirmed another's word has said it too."""
    last: dict[str, Decision] = {}
    for decision in decisions:
        for name in (decision.operator, *([decision.second.name] if decision.second else [])):
            last[name] = decision
    return last


def _said(row: BatterySummary, decision: Decision) -> tuple[Kind, str | None]:
    """Return kind and type of a decision; a type left out is the station's where it agrees."""
    if decision.kind == "normal":
        return decision.kind, None
    station = row.defect_type if decision.kind == row.kind else None
    return decision.kind, decision.defect_type or station


def _named(known: DefectClass) -> dict[str, str]:
    return {f"type_{language}": name for language, name in known.name.items()}
