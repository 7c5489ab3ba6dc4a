"""A model's zip, unpacked by somebody who does not trust it."""

from __future__ import annotations

import stat
import threading
import zipfile
import zlib
from functools import partial
from pathlib import Path, PurePosixPath

from inspection.errors import BundleError
from inspection.modelstore.files import CHUNK, OnBytes, write_chunks
from inspection.modelstore.installed import MODEL_NAME
from inspection.modelstore.source import is_kept, plain_name

MAX_ENTRIES = 5000
MAX_RATIO = 100
"""Weights hardly compress; a hundredfold is a bomb, once there is enough of it to matter."""
RATIO_FREE_BYTES = 64 << 20
SHOWN_NAME = 80
"""Letters of a name that is refused; it may have thousands."""
_DAMAGE = (zipfile.BadZipFile, NotImplementedError, EOFError, UnicodeDecodeError, zlib.error)
ALWAYS_TAKEN = frozenset({MODEL_NAME, "inspector.yaml"})


def planned_size(archive: Path) -> int:
    """Return the bytes that a zip's files will take, as far as they would be installed.

    Raises
    ------
    BundleError
        If the zip is damaged, encrypted, a bomb, or has a name or link that reaches outside.
    """
    try:
        with zipfile.ZipFile(archive) as zipped:
            return sum(entry.file_size for entry in _checked(zipped, archive.name))
    except (OSError, *_DAMAGE) as error:
        raise BundleError("model_zip_damaged", file=archive.name) from error


def unpack(archive: Path, folder: Path, on_bytes: OnBytes, cancel: threading.Event) -> None:
    """Write a zip's files into an empty folder, those that a model may consist of.

    Raises
    ------
    BundleError
        As `planned_size`, or if a file turns out larger than the zip says.
    InterruptedError
        If ``cancel`` was set.
    """
    try:
        with zipfile.ZipFile(archive) as zipped:
            for entry in _checked(zipped, archive.name):
                path = folder.joinpath(*PurePosixPath(entry.filename).parts)
                path.parent.mkdir(parents=True, exist_ok=True)
                with zipped.open(entry) as source:
                    chunks = iter(partial(source.read, CHUNK), b"")
                    written = write_chunks(path, chunks, on_bytes, cancel, limit=entry.file_size)
                # What the directory of a zip says of a size is a claim, not a fact.
                if written != entry.file_size:
                    code = "model_zip_bomb" if written > entry.file_size else "model_zip_damaged"
                    raise BundleError(code, file=archive.name)
    except _DAMAGE as error:
        raise BundleError("model_zip_damaged", file=archive.name) from error


def _checked(zipped: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    entries = zipped.infolist()
    if len(entries) > MAX_ENTRIES:
        raise BundleError("model_zip_bomb", file=name)
    seen: set[str] = set()
    for entry in entries:
        # An absent mode (0) is a zip made on Windows: a plain file.
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise BundleError("model_link", file=entry.filename)
        if not plain_name(entry.filename) or entry.filename.rstrip("/").casefold() in seen:
            raise BundleError("model_zip_name", file=name, entry=entry.filename[:SHOWN_NAME])
        if entry.flag_bits & 0x1:
            raise BundleError("model_zip_encrypted", file=name)
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BundleError("model_zip_method", file=name)
        seen.add(entry.filename.rstrip("/").casefold())
    files = [entry for entry in entries if not entry.is_dir()]
    size = sum(entry.file_size for entry in files)
    packed = sum(entry.compress_size for entry in files)
    if size > RATIO_FREE_BYTES and size > MAX_RATIO * max(1, packed):
        raise BundleError("model_zip_bomb", file=name)
    return [
        entry
        for entry in files
        if is_kept(Path(entry.filename)) or PurePosixPath(entry.filename).name in ALWAYS_TAKEN
    ]
