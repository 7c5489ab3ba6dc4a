"""A trained VLM or VLG as the station installs it: a folder with its description."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inspection.model_store import FolderSlot, InstalledModel, register_folder

LICENCE = "Apache-2.0"
"""Of weights that are trained on the product's own synthetic pictures: the product's."""


def describe_folder(
    folder: Path, slot: FolderSlot, *, family: str, name: str, demo: bool, lots: Sequence[str]
) -> InstalledModel:
    """Write ``model.json`` for the files in a folder; anew after a model card was added.

    Parameters
    ----------
    family : which code of the station runs it
    name : of the model
    demo : True for weights trained on synthetic lots
    lots : names of the lots that it was trained on
    """
    return register_folder(
        folder,
        slot,
        name=name,
        family=family,
        source=f"trainer train demo_{slot}.yaml, on {', '.join(lots)}",
        licence=LICENCE,
        demo=demo,
    )
