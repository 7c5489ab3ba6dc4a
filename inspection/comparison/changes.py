"""What changed from one session to another over the same lot. Pure but for reading them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from inspection.agreement.battery import compare_battery
from inspection.agreement.cells import Cell
from inspection.errors import SessionError
from inspection.messages import Message
from inspection.results import SYSTEMS, BatteryResult, Judgement, Kind, ModelProvenance, SystemName
from inspection.session.record import SessionRecord
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
    earlier, later = ({row.battery_id: row for row in r.batteries} for r in (old, new))
    # Battery numbers mean nothing in another lot.
    rows = [] if other_lot else [(row, later[i]) for i, row in earlier.items() if i in later]
    verdicts, decisions = [], []
    for one, other in rows:
        name = one.battery_id
        kinds, types = (one.kind, other.kind), (one.defect_type, other.defect_type)
        if (one.kind, one.defect_type) != (other.kind, other.defect_type):
            verdicts.append(VerdictChange(name, *kinds, *types))
        decided = [
            None if row.decision is None or row.decision.action == "undo" else row.decision.kind
            for row in (one, other)
        ]
        if decided[0] != decided[1]:
            decisions.append(VerdictChange(name, *decided))
    olds, news = dict(_flat(old.config)), dict(_flat(new.config))
    settings = (
        SettingChange(name, olds.get(name), news.get(name))
        for name in dict.fromkeys([*olds, *news])
        if olds.get(name) != news.get(name)
    )
    return SessionChanges(
        before=old,
        after=new,
        problem=Message(code="comparison_other_lot") if other_lot else None,
        batteries=len(rows),
        only_before=() if other_lot else tuple(i for i in earlier if i not in later),
        only_after=() if other_lot else tuple(i for i in later if i not in earlier),
        verdicts=tuple(verdicts),
        decisions=tuple(decisions),
        models_before=_only(old.models, new.models),
        models_after=_only(new.models, old.models),
        settings=tuple(settings),
        systems=tuple(_systems(before, after, [row.battery_id for row, _ in rows])),
    )


def _only(
    models: Sequence[ModelProvenance], others: Sequence[ModelProvenance]
) -> tuple[ModelProvenance, ...]:
    known = {(model.slot, model.sha256) for model in others}
    return tuple(model for model in models if (model.slot, model.sha256) not in known)


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
        try:
            old, new = before.load_battery(battery_id), after.load_battery(battery_id)
        except SessionError:
            # The comparison of that session by itself counts it as unreadable.
            continue
        if old is None or new is None:
            continue
        cells, later = _cells(old), _cells(new)
        for system, image in (key for key in cells if key in later):
            was, now = cells[system, image].judgement, later[system, image].judgement
            images[system] += 1
            if was != now:
                changes[system].append(JudgementChange(system, battery_id, image, was, now))
    for name in SYSTEMS:
        if images[name]:
            yield SystemChanges(name, images[name], tuple(changes[name]))


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
