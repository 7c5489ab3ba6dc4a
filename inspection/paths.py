"""Where the program's own read-only files are, and the station's own data."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

DATA_VARIABLE = "STATION_DATA"


def program_root() -> Path:
    """Return the folder that holds ``configs/`` and ``resources/``."""
    frozen = getattr(sys, "_MEIPASS", None)
    return Path(frozen) if frozen else Path(__file__).resolve().parent.parent


def config_path(name: str) -> Path:
    """Return a file of ``configs/``."""
    return program_root() / "configs" / name


def resource_path(*parts: str) -> Path:
    """Return a file or folder of ``resources/``."""
    return program_root().joinpath("resources", *parts)


def data_folder() -> Path:
    """Return the folder of what the station keeps of itself: its keys, its log, its people."""
    chosen = os.environ.get(DATA_VARIABLE)
    return Path(chosen) if chosen else platformdirs.user_data_path("battery-station", False)
