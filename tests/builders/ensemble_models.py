"""The bundled models of the ensemble alone: no VLM and no VLG is installed beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

from inspection.paths import resource_path


def copy_ensemble(folder: Path) -> Path:
    """Copy the bundled models to a new folder, without VLM and VLG."""
    ignored = shutil.ignore_patterns("vlm", "vlg")
    shutil.copytree(resource_path("models"), folder, ignore=ignored)
    return folder
