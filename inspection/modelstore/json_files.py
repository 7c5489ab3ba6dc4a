"""JSON files of a model folder that its makers wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inspection.errors import BundleError

PREPROCESSING_NAME = "preprocessor_config.json"


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read a file that holds one object.

    Raises
    ------
    BundleError
        If the file is missing, cannot be read, or holds anything else.
    """
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError("bundle_file_missing", folder=folder.name, file=name) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError("bundle_unreadable", folder=folder.name, file=name) from error
    if not isinstance(content, dict):
        raise BundleError("bundle_unreadable", folder=folder.name, file=name)
    return content


def number(config: dict[str, Any], key: str, default: int) -> int:
    """Return a positive whole number, ``default`` where there is none."""
    value = config.get(key)
    return value if type(value) is int and value > 0 else default


def section(config: dict[str, Any], key: str) -> dict[str, Any]:
    """Return an object within another, empty where there is none."""
    value = config.get(key)
    return value if isinstance(value, dict) else {}
