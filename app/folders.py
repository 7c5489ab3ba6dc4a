"""Where sessions, models and the demo lot are when the user names no folder."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from app.settings import default_settings_path
from inspection.modelstore.folders import ModelFolders
from inspection.paths import data_folder, resource_path
from inspection.site import current_site

APP_NAME = "battery-station"


def sessions_folder(chosen: Path | None) -> Path:
    """Return the folder of sessions: user data, never beside the program."""
    return chosen or platformdirs.user_data_path(APP_NAME, appauthor=False) / "sessions"


def model_folders(chosen: Path | None) -> ModelFolders:
    """Return where models are: the chosen folder alone, else the user's before the bundled."""
    if chosen is not None:
        return ModelFolders((chosen,))
    installed = platformdirs.user_data_path(APP_NAME, appauthor=False) / "models"
    return ModelFolders((installed, resource_path("models")))


def logs_folder() -> Path:
    """Return where the window writes its log."""
    return platformdirs.user_log_path(APP_NAME, appauthor=False)


def cache_folder() -> Path:
    """Return where things are kept that can be made again."""
    return platformdirs.user_cache_path(APP_NAME, appauthor=False)


def teachings_folder() -> Path:
    """Return where models are taught: a folder each, with what has come of it."""
    return platformdirs.user_data_path(APP_NAME, appauthor=False) / "teachings"


def opened_folder() -> Path:
    """Return where packed sessions are unpacked to be looked at."""
    return cache_folder() / "opened-sessions"


def session_given(path: Path) -> Path:
    """Return the folder of a session that somebody named, a packed one unpacked.

    Raises
    ------
    ArchiveError
        If it is a zip, but not a whole packed session.
    """
    if path.suffix.lower() != ".zip":
        return path
    from inspection.keeping.backup import unpack_session

    return unpack_session(path, opened_folder())


def backend_cache() -> Path:
    """Return where it is kept what computes fastest on this computer."""
    return cache_folder() / "backends"


def demo_lot_folder(version: int) -> Path:
    """Return where the demo lot of a version of the generator is made, once."""
    return cache_folder() / f"demo-lot-{version}"


def station_parts(*, with_key: bool = True) -> dict[str, Path]:
    """Return what a station has beside its sessions, by the name that it has in a backup."""
    # Here, since only a backup asks: they bring cryptography.
    from inspection.keeping.retention import NOTICES_NAME
    from inspection.people.users import PEOPLE_NAME
    from inspection.seals.keys import KEYS_NAME
    from inspection.seals.log import HEAD_NAME, LOG_NAME

    data, site = data_folder(), current_site()
    # The log's end before the log, which may go on meanwhile: a log is longer, never shorter.
    names = (HEAD_NAME, LOG_NAME, PEOPLE_NAME, NOTICES_NAME, *([KEYS_NAME] if with_key else []))
    parts = {f"data/{name}": data / name for name in names}
    parts["settings.json"] = default_settings_path()
    if site is not None:
        parts["site"] = site.folder
    return parts
