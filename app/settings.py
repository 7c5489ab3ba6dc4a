"""The station's own settings: typed, versioned, and never a reason not to start."""

from __future__ import annotations

import logging
import os
import platform
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inspection.atomic import write_atomic
from inspection.names import told_name
from inspection.results import SYSTEMS, SystemName

log = logging.getLogger(__name__)

RECENT_LOTS = 8

Theme = Literal["system", "light", "dark"]


class Settings(BaseModel):
    """What the window remembers between two starts.

    Unknown keys are dropped rather than refused: an older station must open with the settings of
    a newer one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = 1
    language: Literal["en", "ko"] | None = None
    theme: Theme = "system"
    operator: str = ""
    station: str = Field(default_factory=platform.node)
    recent_lots: tuple[str, ...] = ()
    systems: tuple[SystemName, ...] = SYSTEMS
    device: Literal["auto", "cpu", "cuda"] = "auto"
    overlay: bool = True
    planes: bool = False
    opacity: int = Field(default=70, ge=0, le=100)
    site: str = ""
    report_folder: str = ""
    report_formats: tuple[str, ...] = ("pdf", "html", "csv", "json")
    geometry: str = ""
    layout: str = ""
    layout_locked: bool = False

    def with_recent(self, lot: Path) -> Settings:
        """Return the settings with a lot at the head of the recent ones."""
        name = str(lot)
        if told_name(name) != name:
            # It could not be written, nor the folder found again by what can be.
            return self
        others = [known for known in self.recent_lots if known != name]
        return self.model_copy(update={"recent_lots": tuple([name, *others][:RECENT_LOTS])})


class SettingsFile:
    """The file the settings are kept in.

    Parameters
    ----------
    path : by default in the user's configuration folder; STATION_SETTINGS names another
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_settings_path()

    def load(self) -> Settings:
        """Return the settings; those of a file that cannot be used are the defaults.

        The unusable file is put aside under ``.broken``, so that nothing is lost.
        """
        try:
            return Settings.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return Settings()
        except (OSError, ValidationError) as error:
            log.warning("settings cannot be used, starting with the defaults: %s", error)
        try:
            self.path.replace(self.path.with_suffix(".broken"))
        except OSError as error:
            log.warning("the unusable settings stay where they are: %s", error)
        return Settings()

    def save(self, settings: Settings) -> None:
        """Write the settings.

        Raises
        ------
        OSError
            If the disk refuses; the old file is then untouched.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.path, settings.model_dump_json(indent=2))


def default_settings_path() -> Path:
    """Return where the settings are kept: the user's data, never beside the program."""
    chosen = os.environ.get("STATION_SETTINGS")
    if chosen:
        return Path(chosen)
    return platformdirs.user_config_path("battery-station", appauthor=False) / "settings.json"
