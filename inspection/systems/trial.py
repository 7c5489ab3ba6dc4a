"""Trying out a model before it is installed, and one that is installed.

What can be seen of a VLM and a VLG without loading gigabytes is seen by their readers
(`inspection.modelstore`); the station's own models are small, and asked.
"""

from __future__ import annotations

import threading
from pathlib import Path

from inspection.errors import BundleError, ModelMissingError
from inspection.messages import Message
from inspection.modelstore.bundle import load_bundle
from inspection.modelstore.files import OnBytes
from inspection.modelstore.folders import SLOTS, ModelFolders
from inspection.modelstore.listing import SlotState, verify_slot


def try_model(folder: Path, slot: str) -> None:
    """Load a model of the station's own and ask it about pictures whose answers are known.

    Raises
    ------
    BundleError
        If it cannot be loaded, cannot tell pictures apart, or has other answers than when it was
        exported.
    """
    if slot not in SLOTS:
        return
    # Torch comes with these.
    from inspection.systems.ensemble.detectors import load_predictor
    from inspection.systems.ensemble.known_answers import check_answers

    bundle = load_bundle(folder, slot)
    check_answers(load_predictor(bundle), bundle)


def verify_model(
    models: ModelFolders,
    slot: str,
    on_bytes: OnBytes = lambda _count: None,
    cancel: threading.Event | None = None,
) -> SlotState:
    """Return a slot's state after hashing every byte of its model and trying it out.

    Raises
    ------
    InterruptedError
        If ``cancel`` was set.
    """
    state = verify_slot(models, slot, on_bytes, cancel)
    if state.condition != "installed":
        return state
    try:
        try_model(state.folder, slot)
    except BundleError as error:
        return SlotState(slot, "unusable", state.folder, state.removable, problem=error.message)
    return state


def try_installed(models: ModelFolders) -> None:
    """Try out every installed model of the ensemble.

    Raises
    ------
    ModelMissingError
        If none is installed.
    BundleError
        If one is incomplete or altered, or cannot be used.
    """
    installed = [slot for slot in SLOTS if (models.holding(slot) / slot).is_dir()]
    if not installed:
        raise ModelMissingError("model_not_installed", system="ensemble")
    for slot in installed:
        try_model(models.holding(slot) / slot, slot)


def verified_words(state: SlotState) -> list[Message]:
    """Return what a verification that found nothing wrong says, and what it could not look at."""
    code = {None: "model_verified", True: "model_verified_known", False: "model_verified_unknown"}
    params: dict[str, str | int | float] = {"slot": state.slot}
    said = [Message(code=code[state.known_answers], params=params)]
    if state.gate is False:
        said.append(Message(code="model_without_gate", params=params))
    return said
