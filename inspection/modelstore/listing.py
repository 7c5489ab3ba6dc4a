"""Every slot of the station with what is installed in it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from inspection.errors import BundleError, ModelMissingError, SealError
from inspection.messages import Message
from inspection.modelstore.bundle import find_bundle
from inspection.modelstore.files import OnBytes
from inspection.modelstore.folders import SLOTS, ModelFolders
from inspection.modelstore.installed import FOLDER_SLOTS, altered_files, installed_model
from inspection.modelstore.releases import standing_of
from inspection.results import ReleaseMark

ALL_SLOTS: tuple[str, ...] = (*SLOTS, *FOLDER_SLOTS)
SlotCondition = Literal["installed", "not_installed", "unusable"]
CARDS = ("model_card.md", "README.md")
"""What a model's makers say of it, the station's own form first."""
OWN_LICENCE = "Apache-2.0"
"""Of the bundled demo weights, which are part of this program."""


@dataclass(frozen=True, slots=True)
class SlotState:
    """A slot and its model.

    Parameters
    ----------
    condition : ``unusable`` where something is installed that cannot be used; ``problem`` says why
    size : bytes
    demo : True for weights trained on synthetic images
    folder : where the model is, or would be
    removable : True where it lies in the user's own folder
    card : file in which the model's makers describe it, None where there is none
    known_answers : whether it brings pictures whose answers are known; None for a model of
        another project, which cannot
    gate : whether it brings what tells pictures that it has never seen the like of; None of a
        model that no verdict rests on
    release : who let it judge; None where nobody did, as of a model that came with the program
    unrecorded : what is to be told where the record of releases knows another model, or is damaged
    """

    slot: str
    condition: SlotCondition
    folder: Path
    removable: bool = False
    name: str = ""
    family: str = ""
    source: str = ""
    licence: str = ""
    size: int = 0
    sha256: str = ""
    demo: bool = False
    installed_at: str = ""
    card: Path | None = None
    problem: Message | None = None
    known_answers: bool | None = None
    gate: bool | None = None
    release: ReleaseMark | None = None
    unrecorded: Message | None = None

    def as_json(self) -> dict[str, object]:
        """Return the state as plain data, note and problem in English."""
        return {
            "slot": self.slot,
            "state": self.condition,
            "name": self.name,
            "family": self.family,
            "size": self.size,
            "source": self.source,
            "sha256": self.sha256,
            "licence": self.licence,
            "demo": self.demo,
            "note": Message(code="model_demo_note").text("en") if self.demo else None,
            "installed_at": self.installed_at,
            "folder": str(self.folder),
            "card": str(self.card) if self.card else None,
            "problem": self.problem.text("en") if self.problem else None,
            "release": self.release.model_dump(mode="json") if self.release else None,
            "unrecorded": self.unrecorded.text("en") if self.unrecorded else None,
        }


def list_slots(models: ModelFolders) -> list[SlotState]:
    """Return every slot. Large models are looked at, not hashed."""
    return [slot_state(models, slot) for slot in ALL_SLOTS]


def slot_state(models: ModelFolders, slot: str) -> SlotState:
    """Return a slot's state; a model that cannot be used is told, never raised."""
    folder = models.holding(slot) / slot
    own = folder.parent == models.install and folder.is_dir()
    facts: dict[str, Any]
    try:
        if slot in SLOTS:
            bundle = find_bundle(folder.parent, slot)
            manifest = bundle.manifest
            facts = {
                "name": manifest.name,
                "family": str(
                    manifest.architecture.get("name") or manifest.architecture.get("backbone", "")
                ),
                "source": str(manifest.training.get("run", "")),
                "licence": OWN_LICENCE if manifest.demo else "",
                "size": sum((folder / name).stat().st_size for name in manifest.files),
                "sha256": bundle.sha256,
                "demo": manifest.demo,
                "installed_at": manifest.created_at,
                "known_answers": bundle.answers is not None,
                # A slice passes one gate, the classifier's.
                "gate": None if slot == "ct_ae" else bundle.gate is not None,
                **_released(models, slot, bundle.sha256),
            }
        else:
            model = installed_model(folder, slot)
            same = {"name", "family", "source", "licence", "sha256", "demo", "installed_at"}
            facts = {"size": model.size, **model.model_dump(include=same)}
    except ModelMissingError:
        return SlotState(slot, "not_installed", folder)
    except BundleError as error:
        return SlotState(slot, "unusable", folder, own, problem=error.message)
    card = next((folder / name for name in CARDS if (folder / name).is_file()), None)
    return SlotState(slot, "installed", folder, own, card=card, **facts)


def _released(models: ModelFolders, slot: str, sha256: str) -> dict[str, Any]:
    try:
        standing = standing_of(models, slot, sha256)
    except SealError as error:
        return {"unrecorded": error.message}
    known = standing.release if standing.condition == "released" else None
    return {"release": known.mark if known else None, "unrecorded": standing.problem}


def verify_slot(
    models: ModelFolders,
    slot: str,
    on_bytes: OnBytes = lambda _count: None,
    cancel: threading.Event | None = None,
) -> SlotState:
    """Return a slot's state after hashing every byte of its model.

    Raises
    ------
    InterruptedError
        If ``cancel`` was set.
    """
    state = slot_state(models, slot)
    if state.condition != "installed" or slot in SLOTS:
        # A bundle is hashed whenever it is read.
        return state
    try:
        model = installed_model(state.folder, slot)
        altered = next(altered_files(state.folder, model, on_bytes, cancel), None)
        code = "bundle_altered"
    except InterruptedError:
        raise
    except OSError as error:
        altered, code = Path(error.filename or state.folder).name, "bundle_unreadable"
    if altered is None:
        return state
    problem = Message(code=code, params={"folder": slot, "file": altered})
    return SlotState(slot, "unusable", state.folder, state.removable, problem=problem)


def total_size(states: Sequence[SlotState]) -> int:
    """Return the bytes that `verify_slot` will hash."""
    return sum(state.size for state in states if state.slot in FOLDER_SLOTS)
