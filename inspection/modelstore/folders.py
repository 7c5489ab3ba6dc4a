"""Where installed models are: the user's own folder goes before the bundled one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

# Here rather than with the bundles: those bring numpy, which a window's first paint can do without.
Slot = Literal["ct_cnn", "rgb_ae", "ct_ae"]
SLOTS: tuple[Slot, ...] = get_args(Slot)
POLICY_SLOT = "ct_cnn"
"""The fusion policy lies beside this model and leaves with it: it was found for its scores."""


@dataclass(frozen=True, slots=True)
class ModelFolders:
    """Folders of models, each with a subfolder per slot.

    Parameters
    ----------
    folders : searched in order, at least one; models are installed into the first
    """

    folders: tuple[Path, ...]

    @property
    def install(self) -> Path:
        """The folder that new models go to."""
        return self.folders[0]

    @property
    def with_policy(self) -> Path:
        """The folder whose fusion policy counts, where it has one."""
        return self.holding(POLICY_SLOT)

    def holding(self, slot: str) -> Path:
        """Return the first folder that has a model for a slot, else the one to install it in."""
        return next((f for f in self.folders if (f / slot).is_dir()), self.install)
