"""Where sessions, models and the demo lot are when the user names no folder."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from inspection.paths import resource_path

APP_NAME = "battery-station"


def sessions_folder(chosen: Path | None) -> Path:
    """Return the folder of sessions: user data, never beside the program."""
    return chosen or platformdirs.user_data_path(APP_NAME, appauthor=False) / "sessions"


def models_folder(chosen: Path | None) -> Path:
    """Return the folder of model bundles, by default the bundled one."""
    return chosen or resource_path("models")


def demo_lot_folder(version: int) -> Path:
    """Return where the demo lot of a version of the generator is made, once."""
    return platformdirs.user_cache_path(APP_NAME, appauthor=False) / f"demo-lot-{version}"
