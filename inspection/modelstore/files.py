"""What every model folder is made of: JSON documents, and files that are known by their SHA-256."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from inspection.errors import BundleError
from inspection.record_base import Record

PREPROCESSING_NAME = "preprocessor_config.json"
CHUNK = 1 << 20

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
OnBytes = Callable[[int], None]
"""Told how many bytes were read since the last call."""


R = TypeVar("R", bound=Record)


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


def read_document(kind: type[R], folder: Path, name: str) -> R:
    """Read a file whose keys are known.

    Raises
    ------
    BundleError
        As `read_json`; or if a key is missing, unknown or wrong: the first one is named.
    """
    try:
        return kind.model_validate(read_json(folder, name))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "-"
        raise BundleError(
            "bundle_invalid", folder=folder.name, file=name, field=field, problem=first["msg"]
        ) from error


def number(config: dict[str, Any], key: str, default: int) -> int:
    """Return a positive whole number, ``default`` where there is none."""
    value = config.get(key)
    return value if type(value) is int and value > 0 else default


def section(config: dict[str, Any], key: str) -> dict[str, Any]:
    """Return an object within another, empty where there is none."""
    value = config.get(key)
    return value if isinstance(value, dict) else {}


def file_digest(
    path: Path, on_bytes: OnBytes = lambda _count: None, cancel: threading.Event | None = None
) -> str:
    """Return a file's SHA-256.

    Raises
    ------
    InterruptedError
        If ``cancel`` was set.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            if cancel is not None and cancel.is_set():
                raise InterruptedError(path.name)
            digest.update(chunk)
            on_bytes(len(chunk))
    return digest.hexdigest()


def write_chunks(
    path: Path,
    chunks: Iterable[bytes],
    on_bytes: OnBytes,
    cancel: threading.Event,
    *,
    mode: str = "xb",
    limit: int | None = None,
) -> int:
    """Write a file down to the disk itself, and return how many bytes were written.

    Parameters
    ----------
    limit : bytes that were promised; with the first chunk beyond it, writing ends: whatever this
        is, it could fill the disk

    Raises
    ------
    InterruptedError
        If ``cancel`` was set; what was written stays.
    """
    written = 0
    with path.open(mode) as stream:
        for chunk in chunks:
            if cancel.is_set():
                raise InterruptedError(path.name)
            stream.write(chunk)
            on_bytes(len(chunk))
            written += len(chunk)
            if limit is not None and written > limit:
                break
        stream.flush()
        os.fsync(stream.fileno())
    return written
