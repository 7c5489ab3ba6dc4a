"""A new model against the one in use, on labelled data that neither has seen."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection.config import InspectorConfig, find_policy
from inspection.errors import BundleError, ConfigError
from inspection.images.grey import GreyLevels
from inspection.messages import Message
from inspection.modelstore.bundle import MANIFEST_NAME, Bundle, load_bundle, reference_levels
from inspection.modelstore.folders import POLICY_SLOT, SLOTS, ModelFolders, Slot
from inspection.modelstore.release_records import (
    ComparedModel,
    Comparison,
    Measured,
    Outcomes,
    ReleaseConfig,
)
from inspection.modelstore.releasing import in_use
from inspection.modelstore.seen import SeenImages, seen_by
from training.progress import progress_bar
from training.release.paired import f1_difference, rate_difference
from training.release.units import HeldOutUnits, Said, Unit, judge_units

NAMED = 50
"""Missed units that are named."""
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Contender:
    """A model with the fusion policy that will be, or is, in force with it."""

    bundle: Bundle
    policy: InspectorConfig
    levels: GreyLevels | None
    seen: SeenImages | None

    @property
    def told(self) -> ComparedModel:
        """What the comparison says of it."""
        manifest = self.bundle.manifest
        return ComparedModel(
            name=manifest.name,
            sha256=self.bundle.sha256,
            demo=manifest.demo,
            policy=hashlib.sha256(self.policy.model_dump_json().encode()).hexdigest(),
        )


def find_challenger(run: Path, slot: Slot | None = None) -> Bundle:
    """Return the model of a run that is to be released.

    Raises
    ------
    BundleError
        If there is none, or it is damaged.
    ConfigError
        If there are several and none is named.
    """
    found = [s for s in SLOTS if (run / s / MANIFEST_NAME).is_file() and slot in (None, s)]
    if not found:
        raise BundleError("export_no_model", folder=str(run))
    if len(found) > 1:
        raise ConfigError("release_slots", folder=str(run), slots=", ".join(found))
    return load_bundle(run / found[0], found[0])


def compare(
    run: Path,
    challenger: Bundle,
    models: ModelFolders,
    held_out: HeldOutUnits,
    golden: HeldOutUnits | None,
    config: ReleaseConfig,
    device: str = "cpu",
) -> Comparison:
    """Judge held-out units by both models and say whether the new one may be released.

    Parameters
    ----------
    run : folder of the run, whose fusion policy comes with a model of ``POLICY_SLOT``
    challenger : `find_challenger`
    models : where the station finds its models
    held_out, golden : labelled units; those of the golden set must all be found
    device : ``cpu`` or ``cuda``

    Raises
    ------
    InspectionError
        If a model cannot be used, or is the one in use.
    """
    slot = challenger.manifest.slot
    before = in_use(models, slot)
    in_force = find_policy(models.with_policy).inspector
    # The classifier says to which greys stacks are brought, for the autoencoder beside it too.
    levels = reference_levels(models)
    trained = challenger.manifest.grey_levels
    own = GreyLevels(trained.air, trained.body) if trained else None
    policy = find_policy(run).inspector if slot == POLICY_SLOT else in_force
    new = Contender(challenger, policy, own if slot == POLICY_SLOT else levels, seen_by(challenger))
    old = Contender(before, in_force, levels, seen_by(before)) if before else None
    if before is not None and before.sha256 == challenger.sha256:
        raise ConfigError("release_in_use", slot=slot)
    measured = _measure(new, old, held_out, config.confidence, device)
    gold = _measure(new, old, golden, config.confidence, device) if golden else None
    return Comparison(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        slot=slot,
        margin=config.margin,
        confidence=config.confidence,
        challenger=new.told,
        present=old.told if old else None,
        measured=measured,
        golden=gold,
        reservations=tuple(_reservations(new, old, measured, gold, config)),
        notes=tuple(_notes(new, old, measured)),
    )


def _measure(
    new: Contender,
    old: Contender | None,
    held_out: HeldOutUnits,
    confidence: float,
    device: str,
) -> Measured:
    rest = [unit for unit in held_out.units if not unit.known_to(new.seen)]
    units = [unit for unit in rest if old is None or not unit.known_to(old.seen)]
    truth = np.array([unit.defective for unit in units], bool)
    said = _judge(new, units, device)
    said_before = _judge(old, units, device) if old else None
    passed, called = _passed(said), _called(said)
    escape = overkill = f1 = None
    if said_before is not None:
        passed_before, called_before = _passed(said_before), _called(said_before)
        escape = rate_difference(passed[truth], passed_before[truth], confidence)
        overkill = rate_difference(~passed[~truth], ~passed_before[~truth], confidence)
        f1 = f1_difference(called, called_before, truth, confidence)
    missed = [unit.key for unit, one in zip(units, passed & truth, strict=True) if one]
    kept = HeldOutUnits(held_out.kind, held_out.data, tuple(units))
    return Measured(
        data=held_out.data,
        unit=held_out.kind,
        held_out=kept.digest,
        defective=int(truth.sum()),
        normal=int((~truth).sum()),
        known_to_challenger=len(held_out.units) - len(rest),
        known_to_present=len(rest) - len(units),
        challenger=_outcomes(said, truth),
        present=_outcomes(said_before, truth) if said_before is not None else None,
        escape=escape,
        overkill=overkill,
        f1=f1,
        missed=tuple(missed[:NAMED]),
    )


def _judge(model: Contender, units: Sequence[Unit], device: str) -> list[Said]:
    with progress_bar(model.bundle.manifest.name) as advance:
        return list(judge_units(model.bundle, units, model.policy, model.levels, device, advance))


def _passed(said: Sequence[Said]) -> Bools:
    return np.array([one.word == "passed" for one in said], bool)


def _called(said: Sequence[Said]) -> Bools:
    return np.array([one.word == "called" for one in said], bool)


def _outcomes(said: Sequence[Said], truth: Bools) -> Outcomes:
    passed, called = _passed(said), _called(said)
    marked = int(called.sum()) + int(truth.sum())
    return Outcomes(
        escapes=int(np.sum(passed & truth)),
        overkills=int(np.sum(~passed & ~truth)),
        stopped=sum(one.word == "stopped" for one in said),
        gate=sum(one.gate for one in said),
        f1=2 * int(np.sum(called & truth)) / marked if truth.any() else None,
    )


def _reservations(
    new: Contender,
    old: Contender | None,
    measured: Measured,
    golden: Measured | None,
    config: ReleaseConfig,
) -> list[Message]:
    """Return why somebody has to sign for the model."""
    found = []
    if new.seen is None or not new.seen.complete:
        found.append(Message(code="release_challenger_unknown"))
    if not measured.defective:
        found.append(Message(code="release_escapes_unmeasured"))
    elif old is None:
        params: dict[str, str | int | float] = {
            "escapes": measured.challenger.escapes,
            "defective": measured.defective,
        }
        found.append(Message(code="release_nothing_beside", params=params))
    elif measured.escape is not None and (measured.escape.high or 0.0) > config.margin:
        params = {
            "high": 100 * (measured.escape.high or 0.0),
            "margin": 100 * config.margin,
            "defective": measured.defective,
        }
        found.append(Message(code="release_escapes_may_rise", params=params))
    overkill = measured.overkill
    if overkill is not None and overkill.low is not None and overkill.low > 0:
        # One that lets nothing pass has no escapes.
        params = {"low": 100 * overkill.low, "high": 100 * (overkill.high or 0.0)}
        found.append(Message(code="release_overkill_rises", params=params))
    if golden is not None and golden.challenger.escapes:
        params = {"escapes": golden.challenger.escapes, "defective": golden.defective}
        found.append(Message(code="release_golden_missed", params=params))
    return found


def _notes(new: Contender, old: Contender | None, measured: Measured) -> list[Message]:
    """Return what else is to be known."""
    found = []
    if old is not None and (old.seen is None or not old.seen.complete):
        found.append(Message(code="release_present_unknown"))
    if measured.known_to_challenger or measured.known_to_present:
        params: dict[str, str | int | float] = {
            "challenger": measured.known_to_challenger,
            "present": measured.known_to_present,
        }
        found.append(Message(code="release_left_out", params=params))
    if new.bundle.gate is None and new.bundle.manifest.slot != "ct_ae":
        found.append(Message(code="release_without_gate"))
    return found
