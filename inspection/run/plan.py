"""What is left to be inspected, by whom and how, and how the session stands afterwards."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from inspection.config import Policy, policy_of
from inspection.errors import InspectionError, SessionError
from inspection.messages import Message
from inspection.modelstore.folders import ModelFolders
from inspection.records import Battery, Lot
from inspection.results import BatteryResult, SystemName
from inspection.run.assemble import LaneResults
from inspection.run.judges import other_judges, policy_digest
from inspection.session.prints import changed_images
from inspection.session.record import SessionRecord, SessionStatus
from inspection.session.store import FINAL_STATES, SessionStore
from inspection.systems.image_choice import ImageChooser, sample_of
from inspection.systems.lane import LaneSettings
from inspection.systems.memory import GpuBudget

log = logging.getLogger(__name__)

MODELS_OF: Mapping[SystemName, tuple[str, ...]] = {
    "ensemble": ("ct_cnn", "rgb_ae"),
    "vlm": ("vlm",),
    "vlg": ("vlg",),
}
"""The slots of which any one makes a system able to judge: BERT alone, say, finds nothing."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a station inspects with.

    Parameters
    ----------
    models : where the models are
    systems : those that are switched on
    policy : for a session that recorded none
    device : ``auto``, ``cpu`` or ``cuda``
    gpu : shared by every lane of the process
    cache_dir : where it is kept what computes fastest on this computer; None computes in PyTorch
    digests : keep the digests of the images too, not their names, sizes and times alone
    """

    models: ModelFolders
    systems: tuple[SystemName, ...]
    policy: Policy
    device: str = "auto"
    gpu: GpuBudget = field(default_factory=GpuBudget)
    cache_dir: Path | None = None
    digests: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A run that can be started.

    Parameters
    ----------
    batteries : in the order of work
    systems : those that take part
    settings : what their lanes need to know
    earlier : what systems have said of a battery, by battery; they are not asked again, and it is
        kept
    whole : every battery of the lot, where the session is about all of them; else none, since a
        part of a lot does not show what is usual in it
    policy : digest of what the systems judge under, beside their models
    digests : as in `Conditions`
    others : what will judge and is not what judged before: to be agreed to before the run
    told : what else is to be said before it, and stops nothing
    """

    batteries: tuple[Battery, ...]
    systems: tuple[SystemName, ...]
    settings: LaneSettings
    earlier: Mapping[str, LaneResults] = field(default_factory=dict)
    whole: tuple[Battery, ...] = ()
    policy: str = ""
    digests: bool = False
    others: tuple[Message, ...] = ()
    told: tuple[Message, ...] = ()

    def left_for(self, system: SystemName) -> tuple[Battery, ...]:
        """Return the batteries that a system has not spoken on."""
        return tuple(b for b in self.batteries if system not in self.earlier.get(b.battery_id, ()))


def plan_rest(
    store: SessionStore,
    lot: Lot,
    conditions: Conditions,
    *,
    only: Collection[str] | None = None,
    unsaved: Mapping[str, BatteryResult] = MappingProxyType({}),
) -> Plan:
    """Plan what a session lacks; no battery at all where it lacks nothing.

    Parameters
    ----------
    store : the session
    lot : its lot
    only : ids of batteries; by default all of the session's
    unsaved : results that the session does not hold yet

    Raises
    ------
    InspectionError
        If no system is switched on, or the session was begun under a policy that this program
        does not know.
    """
    earlier, changed = _earlier_results(store, lot, unsaved)
    able = {
        system
        for system in conditions.systems
        if any((conditions.models.holding(m) / m).is_dir() for m in MODELS_OF[system])
    }
    left = batteries_left(lot, store.record, store.remaining(lot), earlier, able)
    wanted = [b for b in left if only is None or b.battery_id in only]
    return _plan(store, lot, conditions, wanted, earlier, changed)


def plan_again(
    store: SessionStore,
    lot: Lot,
    conditions: Conditions,
    battery_id: str,
    *,
    unsaved: Mapping[str, BatteryResult] = MappingProxyType({}),
) -> Plan:
    """Plan one battery once more; what systems have said that are switched off by now is kept.

    Raises
    ------
    InspectionError
        As `plan_rest` does.
    """
    kept, changed = _earlier_results(store, lot, unsaved, only=battery_id)
    if battery_id in kept:
        kept[battery_id] = kept[battery_id].without(conditions.systems)
    wanted = [battery for battery in lot.batteries if battery.battery_id == battery_id]
    return _plan(store, lot, conditions, wanted, kept, changed)


def batteries_left(
    lot: Lot,
    record: SessionRecord,
    remaining: Collection[str],
    earlier: Mapping[str, Collection[SystemName]],
    able: Collection[SystemName],
) -> list[Battery]:
    """Return the batteries to be inspected, in the lot's order.

    Those are the ones that are not finished, failed ones among them, and those on which a system
    has not spoken that could. A system without a model could not: on its account nothing that is
    finished is taken up again.

    Parameters
    ----------
    remaining : ids of batteries that are not finished
    earlier : systems that have spoken, by battery
    able : systems that are switched on and have a model
    """
    # A battery of the lot that is in neither was never the session's to inspect.
    finished = {row.battery_id for row in record.batteries}.difference(remaining)
    return [
        battery
        for battery in lot.batteries
        if battery.battery_id in remaining
        or (
            battery.battery_id in finished
            and set(able).difference(earlier.get(battery.battery_id, ()))
        )
    ]


def end_session(
    store: SessionStore, lot: Lot, *, cancelled: bool, stopped: Message | None = None
) -> None:
    """Set the status that a session has after a run, where it is not set already.

    Parameters
    ----------
    lot : the session's lot; batteries that have left it since count as not inspected
    cancelled : True where the run was stopped
    stopped : why, where it was not somebody's wish

    Raises
    ------
    SessionError
        If the disk refuses.
    """
    record = store.record
    left = {row.battery_id for row in record.batteries if row.state not in FINAL_STATES}
    left.update(store.remaining(lot))
    status: SessionStatus = "completed"
    reason = None
    if stopped is not None:
        status, reason = "failed", stopped.text(record.language)
    elif cancelled:
        status = "cancelled"
    elif left:
        status = "failed"
        message = Message(code="batteries_not_inspected", params={"count": len(left)})
        reason = message.text(record.language)
    # A resume that found nothing to do leaves the files as they are.
    if (status, reason) != (record.status, record.error_message):
        store.mark(status, reason)


def _plan(
    store: SessionStore,
    lot: Lot,
    conditions: Conditions,
    batteries: list[Battery],
    earlier: dict[str, LaneResults],
    changed: Mapping[str, list[Message]],
) -> Plan:
    # The window imports plans before it is painted, and need not wait for numpy.
    from inspection.images.stack_grey import GreyPolicy, StackWindows
    from inspection.modelstore.bundle import reference_levels

    if not conditions.systems:
        raise InspectionError("no_system_chosen")
    # A session goes on as it was begun: verdicts under two policies cannot be compared.
    policy = policy_of(store.record.config, conditions.policy)
    inspector = policy.inspector
    chooser = ImageChooser(
        inspector.sampling,
        lot.root,
        with_ensemble="ensemble" in conditions.systems,
        seed=sample_of(store.record.config),
    )
    told = [message for messages in changed.values() for message in messages]
    if policy_digest(policy) != policy_digest(conditions.policy):
        told.append(Message(code="session_own_policy"))
    for battery in batteries:
        if battery.battery_id in changed and earlier[battery.battery_id]:
            # What was said of other pictures does not stand beside what is said of these.
            earlier[battery.battery_id] = LaneResults()
            params = {"battery": battery.battery_id}
            told.append(Message(code="battery_taken_up_anew", params={**params}))
        if battery.battery_id in earlier:
            earlier[battery.battery_id].choose_again(chooser, battery.battery_id)
    settings = LaneSettings(
        models=conditions.models,
        lot_root=lot.root,
        inspector=inspector,
        chooser=chooser,
        device=conditions.device,
        evidence_dir=store.evidence_dir,
        language=store.record.language,
        gpu=conditions.gpu,
        cache_dir=conditions.cache_dir,
        greys=StackWindows(GreyPolicy(inspector.grey_window, reference_levels(conditions.models))),
        gate=policy.gate,
    )
    rows = {row.battery_id for row in store.record.batteries}
    whole = lot.batteries if rows.issuperset(b.battery_id for b in lot.batteries) else ()
    asked = {
        system
        for system in conditions.systems
        if any(system not in earlier.get(b.battery_id, ()) for b in batteries)
    }
    said = [results.judged_by for results in earlier.values()]
    others = other_judges(said, store.record.models, policy, conditions.models, asked)
    return Plan(
        tuple(batteries),
        conditions.systems,
        settings,
        earlier,
        whole,
        policy=policy_digest(policy),
        digests=conditions.digests,
        others=others if batteries else (),
        told=tuple(told),
    )


def _earlier_results(
    store: SessionStore,
    lot: Lot,
    unsaved: Mapping[str, BatteryResult],
    only: str | None = None,
) -> tuple[dict[str, LaneResults], dict[str, list[Message]]]:
    """Return what was said of each battery, and what has changed since on its images.

    Parameters
    ----------
    only : the one battery whose images are looked at; by default all
    """
    earlier: dict[str, LaneResults] = {}
    changed: dict[str, list[Message]] = {}
    batteries = {battery.battery_id: battery for battery in lot.batteries}
    for battery_id in (row.battery_id for row in store.record.batteries):
        try:
            result = unsaved.get(battery_id) or store.load_battery(battery_id)
        except SessionError as error:
            # Its file is damaged: the battery is inspected as if nothing had been said of it.
            log.warning("%s is inspected again: %s", battery_id, error)
            continue
        if result is not None:
            earlier[battery_id] = LaneResults.of(result)
            battery = batteries.get(battery_id)
            if battery is not None and only in (None, battery_id):
                found = changed_images(result, lot.root, battery)
                if found:
                    changed[battery_id] = found
    return earlier, changed
