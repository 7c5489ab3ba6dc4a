"""Can this machine show a window? Asked before Qt starts, because Qt itself would abort.

Qt ends the process when its platform plugin cannot be loaded or the display does not answer;
here either becomes one sentence that says what to install.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import time
from pathlib import Path

from inspection.errors import InspectionError

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
    _load_qt()
    if platform == "xcb":
        _load(_plugins() / "platforms" / "libqxcb.so")
        _connect_to_x()


def _load_qt() -> None:
    try:
        from PySide6 import QtGui  # noqa: F401 - loading it is the check
    except ImportError as error:
        raise DisplayError("qt_library_missing", library=_library(error)) from error


def _plugins() -> Path:
    spec = importlib.util.find_spec("PySide6")
    if spec is None or spec.origin is None:
        raise DisplayError("qt_library_missing", library="PySide6")
    return Path(spec.origin).parent / "Qt" / "plugins"


def _load(library: Path) -> None:
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        raise DisplayError("qt_library_missing", library=_library(error)) from error


def _library(error: Exception) -> str:
    # "libEGL.so.1: cannot open shared object file: No such file or directory"
    return str(error).partition(":")[0]


def _connect_to_x() -> None:
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
