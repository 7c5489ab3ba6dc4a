"""The models that the station knows where to find (``configs/models.yaml``), and demo models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from inspection.config import Config, Positive, load_section
from inspection.errors import BundleError
from inspection.modelstore.folders import SLOTS
from inspection.modelstore.installed import FolderSlot
from inspection.paths import config_path
from inspection.results import ModelProvenance, SystemName

SYSTEM_SLOTS: dict[SystemName, tuple[str, ...]] = {
    "ensemble": SLOTS,
    "vlm": ("vlm",),
    "vlg": ("vlg", "bert"),
}
"""The models that each system judges with."""
_REPOSITORY = re.compile(r"^\w[\w.-]*/\w[\w.-]*$")


class CatalogueEntry(Config):
    """A model to download.

    Parameters
    ----------
    repository : ``owner/name`` on the model hub
    slot : what it is for; None lets its files tell
    gigabytes : about, on the disk; None where it is not known before asking
    commercial : False where the licence forbids use on a production line
    only : of several checkpoints in the repository, the one to take
    """

    name: str = Field(min_length=1)
    repository: str = Field(pattern=_REPOSITORY.pattern)
    slot: FolderSlot | None = None
    licence: str = ""
    gigabytes: Positive | None = None
    commercial: bool = True
    only: str | None = None


def load_catalogue(path: Path | None = None) -> list[CatalogueEntry]:
    """Return the known models, by default the installed list.

    Raises
    ------
    ConfigError
        If the file is missing or malformed.
    """
    file = path or config_path("models.yaml")
    return load_section(file, list[CatalogueEntry], "models")


def find_entry(name: str) -> CatalogueEntry:
    """Return a model of the catalogue by name or repository; any other repository is taken as is.

    Raises
    ------
    BundleError
        If the name is neither.
    """
    for entry in load_catalogue():
        if name in (entry.name, entry.repository):
            return entry
    if _REPOSITORY.match(name):
        return CatalogueEntry(name=name.rpartition("/")[2], repository=name)
    raise BundleError("model_name_unknown", name=name)


def demo_slots(models: Iterable[ModelProvenance]) -> frozenset[str]:
    """Return the slots that a demo model has judged in."""
    return frozenset(model.slot for model in models if model.demo)


def demo_systems(slots: Iterable[str]) -> frozenset[SystemName]:
    """Return the systems to which some slots belong."""
    held = set(slots)
    return frozenset(name for name, own in SYSTEM_SLOTS.items() if held.intersection(own))
