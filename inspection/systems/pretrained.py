"""transformers: imported by one thread at a time, and a folder of its loaded whole."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspection.errors import BundleError
from inspection.systems.memory import is_out_of_memory

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

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


def load_pretrained(
    path: Path,
    processor: str,
    model: str,
    dtype: torch.dtype,
    refusal: Callable[[str], BundleError],
) -> tuple[Any, Any, list[str]]:
    """Load a folder as Hugging Face lays it out: safetensors only, no network and no code.

    Parameters
    ----------
    processor, model : names of the transformers classes
    refusal : makes an error of a problem

    Returns
    -------
    processor, model, and the names of weights that the model does not know

    Raises
    ------
    BundleError
        If the folder cannot be loaded as its configuration says, or weights are missing.
    """
    import transformers

    # A windowed program has no stderr to draw a bar on.
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        prepares = getattr(transformers, processor).from_pretrained(path, use_fast=True, **local)
        loaded, info = getattr(transformers, model).from_pretrained(
            path, use_safetensors=True, dtype=dtype, output_loading_info=True, **local
        )
    except Exception as error:
        # The libraries raise whatever a malformed file makes them stumble over.
        if is_out_of_memory(error) or isinstance(error, ImportError):
            raise
        log.warning("%s cannot be loaded", path, exc_info=error)
        raise refusal(f"{type(error).__name__}: {error}") from error
    # What is missing would be filled with random numbers.
    missing = sorted(info["missing_keys"])
    if missing:
        raise refusal(f"{len(missing)} weights are missing, such as {missing[0]}")
    return prepares, loaded, sorted(info["unexpected_keys"])
