"""The description of a trained VLM or VLG, by which the station knows its folder."""

from __future__ import annotations

from pathlib import Path

from inspection.modelstore.installed import FolderSlot, register_folder
from training.loop.runs import Run

DEMO_LICENCE = "Apache-2.0"
"""Of weights that are trained on the product's own synthetic pictures: the product's."""
OTHER_LICENCE = "not stated"


def describe_folder(
    folder: Path, slot: FolderSlot, *, family: str, name: str, demo: bool, run: Run
) -> None:
    """Write ``model.json`` for the files in a folder; anew after a model card was added.

    Parameters
    ----------
    family : which code of the station runs it
    name : of the model
    demo : True for weights trained on synthetic lots
    run : says what it was trained on, and from which weights
    """
    lots = ", ".join(path.resolve().name for path in run.lots)
    start = "" if run.init is None else f", from {run.init.resolve().name}"
    register_folder(
        folder,
        slot,
        name=name,
        family=family,
        source=f"trainer train on {lots}{start}",
        licence=DEMO_LICENCE if demo else OTHER_LICENCE,
        demo=demo,
    )
