"""What changed from one session to another over the same lot. Pure but for reading them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from inspection.agreement.battery import Cell, compare_battery
from inspection.errors import SessionError
from inspection.messages import Message
from inspection.results import (
    SYSTEMS,
    BatteryResult,
    BatterySummary,
    Judgement,
    Kind,
    ModelProvenance,
    SessionRecord,
    SystemName,
)
from inspection.session.store import SessionStore


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A battery whose kind or defect type is another: the station's, or the operator's."""

    battery_id: str
    before: Kind | None
    after: Kind | None
    type_before: str | None = None
    type_after: str | None = None


@dataclass(frozen=True, slots=True)
class JudgementChange:
    """An image that a system judges otherwise; None where it could not judge it."""

    system: SystemName
    battery_id: str
    image: str
    before: Judgement | None
    after: Judgement | None


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A value of the configuration that is another; None where it is not there."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class SystemChanges:
    """A system's images in both sessions: how many there are, and those judged otherwise."""

    system: SystemName
    images: int
    changes: tuple[JudgementChange, ...]


@dataclass(frozen=True, slots=True)
class SessionChanges:
    """What is different in ``after``.

    Parameters
    ----------
    before, after : the sessions
    problem : why batteries and images were not compared: battery numbers mean nothing in
        another lot
    batteries : how many are in both
    only_before, only_after : batteries of one session only
    verdicts : the station's verdicts that changed
    decisions : the operator's final kinds that changed; None where undecided
    models_before, models_after : models that judged in one session only
    settings : values of the configuration that changed
    systems : of each system that judged images in both
    """

    before: SessionRecord
    after: SessionRecord
    problem: Message | None
    batteries: int
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    verdicts: tuple[VerdictChange, ...]
    decisions: tuple[VerdictChange, ...]
    models_before: tuple[ModelProvenance, ...]
    models_after: tuple[ModelProvenance, ...]
    settings: tuple[SettingChange, ...]
    systems: tuple[SystemChanges, ...]


def compare_sessions(before: SessionStore, after: SessionStore) -> SessionChanges:
    """Return what changed between two sessions, both opened for reading."""
    old, new = before.record, after.record
    other_lot = bool(old.lot.path and new.lot.path) and old.lot.path != new.lot.path
    rows = _rows(old, new) if not other_lot else []
    names = [row.battery_id for row, _ in rows]
    old_ids, new_ids = ([row.battery_id for row in record.batteries] for record in (old, new))
    return SessionChanges(
        before=old,
        after=new,
        problem=Message(code="comparison_other_lot") if other_lot else None,
        batteries=len(rows),
        only_before=() if other_lot else tuple(i for i in old_ids if i not in set(names)),
        only_after=() if other_lot else tuple(i for i in new_ids if i not in set(names)),
        verdicts=tuple(_verdicts(rows)),
        decisions=tuple(_decisions(rows)),
        models_before=_only(old.models, new.models),
        models_after=_only(new.models, old.models),
        settings=tuple(_settings(old.config, new.config)),
        systems=tuple(_systems(before, after, names)),
    )


Rows = Sequence[tuple[BatterySummary, BatterySummary]]


def _rows(old: SessionRecord, new: SessionRecord) -> list[tuple[BatterySummary, BatterySummary]]:
    later = {row.battery_id: row for row in new.batteries}
    return [(row, later[row.battery_id]) for row in old.batteries if row.battery_id in later]


def _verdicts(rows: Rows) -> Iterator[VerdictChange]:
    for old, new in rows:
        if (old.kind, old.defect_type) != (new.kind, new.defect_type):
            yield VerdictChange(
                old.battery_id, old.kind, new.kind, old.defect_type, new.defect_type
            )


def _decisions(rows: Rows) -> Iterator[VerdictChange]:
    for old, new in rows:
        kinds = _decided(old), _decided(new)
        if kinds[0] != kinds[1]:
            yield VerdictChange(old.battery_id, *kinds)


def _decided(row: BatterySummary) -> Kind | None:
    decision = row.decision
    return None if decision is None or decision.action == "undo" else decision.kind


def _only(
    models: Sequence[ModelProvenance], others: Sequence[ModelProvenance]
) -> tuple[ModelProvenance, ...]:
    known = {(model.slot, model.sha256) for model in others}
    return tuple(model for model in models if (model.slot, model.sha256) not in known)


def _settings(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[SettingChange]:
    before, after = dict(_flat(old)), dict(_flat(new))
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            yield SettingChange(name, before.get(name), after.get(name))


def _flat(config: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in config.items():
        path = f"{prefix}.{name}" if prefix else name
        if isinstance(value, Mapping):
            yield from _flat(value, path)
        elif value is not None:
            yield path, str(value)


def _systems(
    before: SessionStore, after: SessionStore, names: Sequence[str]
) -> Iterator[SystemChanges]:
    """Yield each system's changes; one battery's results are in memory at a time."""
    images = dict.fromkeys(SYSTEMS, 0)
    changes: dict[SystemName, list[JudgementChange]] = {name: [] for name in SYSTEMS}
    for battery_id in names:
        old, new = _load(before, battery_id), _load(after, battery_id)
        if old is None or new is None:
            continue
        for change, same in _judgements(battery_id, old, new):
            images[change.system] += 1
            if not same:
                changes[change.system].append(change)
    for name in SYSTEMS:
        if images[name]:
            yield SystemChanges(name, images[name], tuple(changes[name]))


def _load(store: SessionStore, battery_id: str) -> BatteryResult | None:
    try:
        return store.load_battery(battery_id)
    except SessionError:
        # The comparison of that session by itself counts it as unreadable.
        return None


def _judgements(
    battery_id: str, old: BatteryResult, new: BatteryResult
) -> Iterator[tuple[JudgementChange, bool]]:
    """Yield every judgement that both sessions hold, and whether it stayed."""
    before, after = _cells(old), _cells(new)
    for key, cell in before.items():
        later = after.get(key)
        if later is None:
            continue
        system, image = key
        change = JudgementChange(system, battery_id, image, cell.judgement, later.judgement)
        yield change, cell.judgement == later.judgement


def _cells(result: BatteryResult) -> dict[tuple[SystemName, str], Cell]:
    """Return the cells of the images that a system was asked about."""
    said = (answer.images for answer in (result.vlm, result.vlg) if answer is not None)
    answered = [image.image for images in said for image in images]
    names = list(dict.fromkeys([*(image.image for image in result.images), *answered]))
    return {
        (name, image.image): cell
        for image in compare_battery(result, names).images
        for name, cell in image.cells.items()
        if cell.state != "missing"
    }
