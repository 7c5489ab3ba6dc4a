"""``station gui``: the window, where the machine can show one."""

from __future__ import annotations

from pathlib import Path

from app.folders import model_folders, sessions_folder
from inspection.messages import Language


def open_window(
    lot: Path | None,
    models: Path | None,
    sessions: Path | None,
    *,
    autostart: bool = False,
    language: Language | None = None,
) -> int:
    """Open the window and return its exit code.

    Raises
    ------
    InspectionError
        If Qt cannot be loaded or there is no display; the sentence says what to install.
    """
    from app.platform_check import require_display

    require_display()
    from app.application import run

    return run(
        lot,
        model_folders(models),
        sessions_folder(sessions),
        autostart=autostart,
        language=language,
    )
