"""Where the program's own read-only files are, from source and from a frozen bundle."""

from __future__ import annotations

import sys
from pathlib import Path


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
