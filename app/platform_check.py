"""Can this machine show a window? Asked before Qt starts, because Qt itself would abort.

Qt ends the process when its platform plugin cannot be loaded or the display does not answer;
here either becomes one sentence that says what to install.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path

from inspection.errors import InspectionError
from inspection.paths import resource_path

CONNECTION_TRIES = 5
CONNECTION_PAUSE_S = 0.1


class DisplayError(InspectionError):
    """No window can be shown on this machine."""


def require_display() -> None:
    """Return if a window can be opened.

    Raises
    ------
    DisplayError
        If there is no display, it does not answer, or a system library of Qt is missing.
    """
    if sys.platform == "win32":
        # Once Qt is in the process it is too late there.
        from inspection.torch_first import load_torch

        load_torch()
    if not sys.platform.startswith("linux"):
        return
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    if not platform:
        if os.environ.get("WAYLAND_DISPLAY"):
            platform = "wayland"
        elif os.environ.get("DISPLAY"):
            platform = "xcb"
        else:
            raise DisplayError("display_missing")
    try:
        from PySide6 import QtGui

        if platform == "xcb":
            # Qt loads the plugin itself, and ends the process where that fails.
            plugins = Path(QtGui.__file__).parent / "Qt" / "plugins"
            ctypes.CDLL(str(plugins / "platforms" / "libqxcb.so"))
    except (ImportError, OSError) as error:
        # "libEGL.so.1: cannot open shared object file: No such file or directory"
        packages = resource_path("qt-packages.txt").read_text(encoding="utf-8").split()
        library = str(error).partition(":")[0]
        raise DisplayError(
            "qt_library_missing", library=library, packages=" ".join(packages)
        ) from error
    if platform != "xcb":
        return
    xcb = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    for _ in range(CONNECTION_TRIES):
        connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
        if not xcb.xcb_connection_has_error(connection):
            # Kept open while the program runs: a server without other clients resets itself when
            # its last one leaves, and would refuse Qt in that moment.
            return
        xcb.xcb_disconnect(connection)
        time.sleep(CONNECTION_PAUSE_S)
    raise DisplayError("display_silent", display=os.environ.get("DISPLAY", ""))
