"""Letting a model judge, and taking it back: whole or not at all, and written down.

The model that goes, and the one that comes, are kept in ``kept/`` first. Then a line says which
one is coming, the models are swapped, and another line is the release: at whatever step a program
is killed, what is in use is one of the two models, and the record tells if it is not the one that
was released.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from inspection.atomic import sync_folder
from inspection.config import INSPECTOR_NAME, load_inspector
from inspection.errors import BundleError, ConfigError
from inspection.modelstore.bundle import MANIFEST_NAME, Bundle, load_bundle
from inspection.modelstore.folders import POLICY_SLOT, ModelFolders, Slot
from inspection.modelstore.install import (
    Trial,
    check_space,
    install_policy,
    staging,
    swap_in,
)
from inspection.modelstore.listing import CARDS
from inspection.modelstore.release_records import Comparison, ReleaseLine
from inspection.modelstore.releases import last_of, read_releases, write_line
from inspection.people.person import Person

KEPT_NAME = "kept"
DIGITS = 12

OnStep = Callable[[str], None]
"""Told of each step when it is done; a test ends the program there."""


def release_model(
    run: Path,
    models: ModelFolders,
    comparison: Comparison,
    *,
    by: str,
    trial: Trial,
    signed_by: Person | None = None,
    on_step: OnStep = lambda _step: None,
) -> ReleaseLine:
    """Put a compared model in the place of the one in use.

    Parameters
    ----------
    run : folder of the run, with the model's folder in it
    models : where the station finds its models; the model goes to the first
    comparison : of these very two models
    by : account or person that gives the command
    trial : tries the model out before anything is changed (`inspection.systems.trial.try_model`)
    signed_by : who has signed in to vouch for it; needed where there are reservations

    Raises
    ------
    InspectionError
        If there are reservations that nobody has signed for, one of the models is not the one
        that was compared, the model cannot be used, or the disk or the record refuses; the model
        in use is then as it was.
    """
    slot = comparison.slot
    if comparison.reservations and signed_by is None:
        raise ConfigError("release_unsigned", count=len(comparison.reservations))
    fresh = load_bundle(run / slot, slot)
    if fresh.sha256 != comparison.challenger.sha256:
        raise BundleError("release_other_model", folder=str(run / slot))
    present = in_use(models, slot)
    before = comparison.present.sha256 if comparison.present else None
    if (present.sha256 if present else None) != before:
        raise BundleError("release_present_changed", slot=slot)
    policy = policy_text(run) if slot == POLICY_SLOT else policy_text(models.install)
    line = ReleaseLine(
        slot=slot,
        name=fresh.manifest.name,
        sha256=fresh.sha256,
        replaced=before,
        policy=digest_of(policy),
        by=by,
        signed_by=signed_by,
        comparison=comparison,
    )
    _swap(fresh, present, models, line, policy, trial, on_step)
    return line


def roll_back(
    models: ModelFolders,
    slot: Slot,
    *,
    by: str,
    trial: Trial,
    signed_by: Person | None = None,
    on_step: OnStep = lambda _step: None,
) -> ReleaseLine:
    """Bring the model back that the last release has replaced.

    Where what is in use is not the last release, since a program was killed or a model was
    imported, that release comes back.

    Raises
    ------
    InspectionError
        If there is nothing to go back to, it is gone, or the disk or the record refuses.
    """
    lines, problems = read_releases(models.install)
    if problems:
        raise BundleError(problems[0].code, **problems[0].params)
    last = last_of(lines, slot)
    present = in_use(models, slot)
    begun = [release.line for release in lines if release.line.slot == slot][-1:]
    wanted: str | None
    if last is not None and present is not None and last.line.sha256 != present.sha256:
        wanted = last.line.sha256
    else:
        wanted = last.line.replaced if last else begun[0].replaced if begun else None
    if wanted is None or (present is not None and wanted == present.sha256):
        raise BundleError("rollback_nothing", slot=slot)
    kept = models.install / KEPT_NAME / f"{slot}-{wanted[:DIGITS]}"
    bundled = [folder for folder in models.folders[1:] if (folder / slot).is_dir()]
    source = next((f for f in (kept, *bundled) if _holds(f / slot, slot, wanted)), None)
    if source is None:
        raise BundleError("rollback_gone", slot=slot, sha256=wanted[:DIGITS])
    back = load_bundle(source / slot, slot)
    policy = policy_text(source if slot == POLICY_SLOT else models.install)
    line = ReleaseLine(
        slot=slot,
        name=back.manifest.name,
        sha256=wanted,
        replaced=present.sha256 if present else None,
        policy=digest_of(policy),
        by=by,
        signed_by=signed_by,
    )
    _swap(back, present, models, line, policy, trial, on_step, event="rollback")
    return line


def in_use(models: ModelFolders, slot: Slot) -> Bundle | None:
    """Return the model that judges now, None where a slot is empty.

    Raises
    ------
    BundleError
        If it is damaged.
    """
    folder = models.holding(slot) / slot
    return load_bundle(folder, slot) if folder.is_dir() else None


def policy_text(folder: Path) -> str | None:
    """Return the fusion policy beside models, which is a valid one; None where there is none.

    Raises
    ------
    ConfigError
        If it is malformed.
    """
    path = folder / INSPECTOR_NAME
    if not path.is_file():
        return None
    load_inspector(path)
    return path.read_text(encoding="utf-8")


def digest_of(policy: str | None) -> str | None:
    """Return the SHA-256 of a policy."""
    return None if policy is None else hashlib.sha256(policy.encode("utf-8")).hexdigest()


def _holds(folder: Path, slot: Slot, sha256: str) -> bool:
    try:
        return folder.is_dir() and load_bundle(folder, slot).sha256 == sha256
    except BundleError:
        return False


def _swap(
    fresh: Bundle,
    present: Bundle | None,
    models: ModelFolders,
    line: ReleaseLine,
    policy: str | None,
    trial: Trial,
    on_step: OnStep,
    *,
    event: str = "release",
) -> None:
    """Keep the model that goes, put the other in its place, and write both down."""
    target, slot = models.install, line.slot
    with staging(target) as stage:
        check_space(target, 3 * sum(path.stat().st_size for path in fresh.folder.iterdir()))
        _copy(fresh, stage / slot)
        trial(stage / slot, slot)
        own = present is not None and present.folder.parent.samefile(target)
        before = policy_text(target)
        if own and present is not None:
            _keep(present, before, stage, target)
        # This one too: an import may take its place without asking.
        _keep(fresh, policy, stage, target)
        on_step("kept")
        # The evidence comes with the release itself.
        write_line(target, "begun", line.model_copy(update={"comparison": None}))
        on_step("begun")
        swap_in([slot], stage, target, policy)
        on_step("swapped")
        try:
            write_line(target, "rollback" if event == "rollback" else "release", line)
        except BaseException:
            _undo(present if own else None, before, stage, target, slot)
            raise
        on_step("recorded")


def _keep(bundle: Bundle, policy: str | None, stage: Path, target: Path) -> None:
    """Copy a model, and the policy that goes with it, to where a rollback finds it."""
    slot = bundle.manifest.slot
    kept = target / KEPT_NAME / f"{slot}-{bundle.sha256[:DIGITS]}"
    if _holds(kept / slot, slot, bundle.sha256):
        return
    shutil.rmtree(kept, ignore_errors=True)
    copy = stage / KEPT_NAME
    _copy(bundle, copy / slot)
    if slot == POLICY_SLOT and policy is not None:
        (copy / INSPECTOR_NAME).write_text(policy, encoding="utf-8")
    sync_folder(copy)
    kept.parent.mkdir(exist_ok=True)
    copy.replace(kept)
    sync_folder(kept.parent)


def _undo(
    present: Bundle | None, policy: str | None, stage: Path, target: Path, slot: Slot
) -> None:
    """Bring back what was in use before a release that could not be written down."""
    if present is not None:
        kept = target / KEPT_NAME / f"{slot}-{present.sha256[:DIGITS]}"
        _copy(load_bundle(kept / slot, slot), stage / slot)
        swap_in([slot], stage, target, policy)
        return
    (target / slot).replace(stage / f"{slot}.gone")
    if slot == POLICY_SLOT:
        install_policy(policy, target)


def _copy(bundle: Bundle, folder: Path) -> None:
    """Copy a model with its cards, verified and on the disk."""
    folder.mkdir(parents=True)
    cards = [name for name in CARDS if (bundle.folder / name).is_file()]
    for name in (MANIFEST_NAME, *bundle.manifest.files, *cards):
        shutil.copyfile(bundle.folder / name, folder / name)
        with (folder / name).open("rb+") as file:
            os.fsync(file.fileno())
    sync_folder(folder)
    if load_bundle(folder, bundle.manifest.slot).sha256 != bundle.sha256:
        raise BundleError("bundle_altered", folder=bundle.folder.name, file=MANIFEST_NAME)
