"""``trainer export``: from training runs to the folder that ``station --models`` takes."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspection.atomic import replace_folder, sync_folder, write_atomic
from inspection.config import INSPECTOR_NAME, load_inspector
from inspection.errors import BundleError, ConfigError
from inspection.modelstore.bundle import MANIFEST_NAME, Bundle, load_bundle
from inspection.modelstore.folders import SLOTS, Slot
from inspection.systems.ensemble.known_answers import record_answers
from inspection.systems.trial import try_model

CARD_NAME = "model_card.md"


@dataclass(frozen=True, slots=True)
class Exported:
    """What lies in the models folder now.

    Parameters
    ----------
    bundles : those of the runs, read back from the models folder
    policy : its ``inspector.yaml``, None where it has none
    policy_kept : True where that one was there before and is not of these runs
    """

    bundles: tuple[Bundle, ...]
    policy: Path | None
    policy_kept: bool


def export_runs(
    runs: Sequence[Path], out: Path, inspector: Path | None = None, *, force: bool = False
) -> Exported:
    """Copy the models of runs, with their cards and fusion policy, into a models folder.

    Everything is verified and tried out before anything is changed; each model then is replaced as
    a whole. One whose run knew no known answers yet is given them.

    Parameters
    ----------
    runs : folders of runs, with ``ct_cnn``, ``rgb_ae`` or ``ct_ae`` in them, or such folders
    out : the models folder, made where missing; what it has for other systems is left alone
    inspector : fusion policy; by default the ``inspector.yaml`` of the runs, where one has it
    force : replace other models and another policy in `out`

    Raises
    ------
    BundleError
        If a run has no model, or an incomplete or altered one, or one that cannot be used.
    ConfigError
        If two runs have the same model or policies that differ, the policy is wrong, `out` holds
        something else and `force` is not given, or the disk refuses.
    """
    bundles = _bundles(runs)
    for bundle in bundles:
        try_model(bundle.folder, bundle.manifest.slot)
    policy = _policy(runs, inspector)
    target = out / INSPECTOR_NAME
    if not force:
        _refuse_to_replace(bundles, policy, out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        installed = tuple(_install(bundle, out / bundle.manifest.slot) for bundle in bundles)
        if policy is not None:
            write_atomic(target, policy.read_bytes())
    except OSError as error:
        problem = error.strerror or str(error)
        raise ConfigError("folder_unwritable", folder=str(out), problem=problem) from error
    there = target if target.exists() else None
    return Exported(installed, there, policy_kept=policy is None and there is not None)


def _bundles(runs: Sequence[Path]) -> list[Bundle]:
    found: dict[Slot, Bundle] = {}
    for run in runs:
        folders = [run / slot for slot in SLOTS if (run / slot).is_dir()]
        # A model folder itself; its slot is whichever it is for.
        if not folders and (run / MANIFEST_NAME).is_file():
            folders = [run]
        if not folders:
            raise BundleError("export_no_model", folder=str(run))
        for folder in folders:
            # A folder that is named after a slot holds a model for it.
            named = next((slot for slot in SLOTS if slot == folder.resolve().name), None)
            bundle = load_bundle(folder, named)
            slot = bundle.manifest.slot
            if slot in found:
                raise ConfigError(
                    "export_slot_twice",
                    slot=slot,
                    first=str(found[slot].folder),
                    second=str(folder),
                )
            found[slot] = bundle
    return [found[slot] for slot in SLOTS if slot in found]


def _policy(runs: Sequence[Path], given: Path | None) -> Path | None:
    """Return the policy to install, which is a valid one."""
    if given is not None:
        load_inspector(given)
        return given
    found = [run / INSPECTOR_NAME for run in runs if (run / INSPECTOR_NAME).is_file()]
    if not found:
        return None
    policies = [load_inspector(path) for path in found]
    for path, policy in zip(found, policies, strict=True):
        if policy != policies[0]:
            raise ConfigError("export_policies_differ", first=str(found[0]), second=str(path))
    return found[0]


def _refuse_to_replace(bundles: Sequence[Bundle], policy: Path | None, out: Path) -> None:
    for bundle in bundles:
        folder = out / bundle.manifest.slot
        there = None
        # What is not sound has no digest, and is another one in any case.
        with contextlib.suppress(BundleError):
            there = load_bundle(folder, bundle.manifest.slot) if folder.exists() else None
        if folder.exists() and (there is None or _but_answers(there) != _but_answers(bundle)):
            raise ConfigError("export_would_replace", found=str(folder))
    target = out / INSPECTOR_NAME
    if policy is not None and target.exists() and target.read_bytes() != policy.read_bytes():
        raise ConfigError("export_would_replace", found=str(target))


def _but_answers(bundle: Bundle) -> dict[str, Any]:
    """Return what makes a model another one: all of its manifest but the known answers."""
    content = bundle.manifest.model_dump(exclude={"sha256", "answers_file"})
    content["files"].pop(bundle.manifest.answers_file, None)
    return content


def _install(bundle: Bundle, folder: Path) -> Bundle:
    """Copy a model beside its place, verify the copy, and put it there."""
    # A run exported into itself: the copy would replace what it is made from.
    if folder.exists() and folder.samefile(bundle.folder):
        return bundle if bundle.answers else record_answers(bundle)
    fresh = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.new")
    fresh.mkdir()
    try:
        for name in (MANIFEST_NAME, *bundle.manifest.files, CARD_NAME):
            source = bundle.folder / name
            if name == CARD_NAME and not source.is_file():
                continue
            shutil.copyfile(source, fresh / name)
            with (fresh / name).open("rb+") as file:
                os.fsync(file.fileno())
        sync_folder(fresh)
        copy = load_bundle(fresh, bundle.manifest.slot)
        if copy.sha256 != bundle.sha256:
            raise BundleError("bundle_altered", folder=bundle.folder.name, file=MANIFEST_NAME)
        if copy.answers is None:
            record_answers(copy)
        replace_folder(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return load_bundle(folder, bundle.manifest.slot)
