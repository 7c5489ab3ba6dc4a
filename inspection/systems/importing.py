"""transformers, imported by one thread at a time: two lanes load side by side."""

from __future__ import annotations

import threading
from importlib import import_module

_SHARED = ("modeling_utils", "processing_utils", "generation", "models.auto")
"""The parts that the model classes of either system import, and that import each other."""
_importing = threading.Lock()


def import_transformers() -> None:
    """Import the package and the parts that all its models share.

    The package puts another object in its own place while it is imported, and imports its parts
    when they are first asked for. A thread that comes in between holds a package without classes.
    """
    with _importing:
        for part in _SHARED:
            import_module(f"transformers.{part}")
