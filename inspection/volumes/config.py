"""``configs/volumes.yaml``: which planes of a volume are slices, and what room they may take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from inspection.config import Config, load_section
from inspection.paths import config_path
from inspection.records import Axis
from inspection.volumes import scratch

VOLUMES_NAME = "volumes.yaml"
VOLUMES_SECTION = "volumes"
Step = Annotated[int, Field(ge=1, le=1000)]


class VolumesConfig(Config):
    """The recipe of a volume's slices.

    Parameters
    ----------
    axes : across which planes are inspected
    step : every so many planes, one number or one an axis; 1 where an axis has none
    scratch_gb : GiB that may be laid out anew on the disk at a time; 0: none
    scratch_folder : where; None: the system's folder for temporary files
    """

    axes: tuple[Axis, ...] = Field(default=("x", "y", "z"), min_length=1, max_length=3)
    step: Step | dict[Axis, Step] = 1
    scratch_gb: float = Field(default=40.0, ge=0.0, allow_inf_nan=False)
    scratch_folder: Path | None = None

    @field_validator("axes")
    @classmethod
    def _once_each(cls, value: tuple[Axis, ...]) -> tuple[Axis, ...]:
        if len(set(value)) != len(value):
            raise ValueError("an axis is named twice")
        return value

    def step_across(self, axis: Axis) -> int:
        """Return how far the inspected planes across an axis are apart."""
        return self.step if isinstance(self.step, int) else self.step.get(axis, 1)

    def use_scratch(self) -> None:
        """Have the room for volumes that are laid out anew be as said here."""
        scratch.configure(self.scratch_folder, round(self.scratch_gb * scratch.GIB))


def load_volumes() -> VolumesConfig:
    """Return the installed recipe, and what the site sets.

    Raises
    ------
    ConfigError
        If the file is missing, malformed, or has an unknown or wrong key.
    """
    file = config_path(VOLUMES_NAME)
    return load_section(file, VolumesConfig, VOLUMES_SECTION, with_site=True)
