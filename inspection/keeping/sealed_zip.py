"""A zip whose every file is named, with its digest, in a manifest that the station has signed."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from pydantic import Field, ValidationError

from inspection.atomic import TEMPORARY, sync_folder
from inspection.errors import ArchiveError
from inspection.modelstore.source import plain_name
from inspection.record_base import Record
from inspection.seals.chain import digest_of
from inspection.seals.keys import StationKey, is_signed
from inspection.seals.strict_json import load_strict

MANIFEST_NAME = "manifest.json"
MAX_MANIFEST = 256 << 20
MAX_RATIO = 1000
"""Of bytes to packed bytes: an audit of one station compresses well, a bomb still better."""
CHUNK = 1 << 20
_DAMAGE = (zipfile.BadZipFile, NotImplementedError, EOFError, UnicodeDecodeError, zlib.error)


class PackedFile(Record):
    """A file of the zip: its path within, its bytes, and their SHA-256."""

    path: str
    size: int = Field(ge=0)
    sha256: str


class Manifest(Record):
    """What a sealed zip holds; ``signature`` is over the digest of all the rest."""

    schema_version: Literal[1] = 1
    kind: Literal["session", "backup"]
    name: str
    made_at: datetime
    files: list[PackedFile]
    key: str
    signature: str = ""

    @property
    def digest(self) -> str:
        """The hash that the signature is over."""
        return digest_of(self.model_dump(mode="json", exclude={"signature"}))


def write_zip(
    out: Path,
    kind: Literal["session", "backup"],
    name: str,
    files: Iterable[tuple[str, Path]],
    key: StationKey,
) -> Manifest:
    """Pack files, whole or not at all, readable by their owner alone.

    Parameters
    ----------
    out : the zip; one that is there is replaced
    kind, name : what it is
    files : path within the zip, with "/" between its parts, and the file
    key : signs the manifest

    Raises
    ------
    OSError
        If a file cannot be read or the zip cannot be written.
    """
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}{TEMPORARY}")
    packed = []
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as zipped:
                for inside, path in files:
                    with (
                        path.open("rb") as source,
                        zipped.open(inside, "w", force_zip64=True) as to,
                    ):
                        packed.append(_copy(source, to, inside))
                manifest = Manifest(
                    kind=kind,
                    name=name,
                    made_at=datetime.now().astimezone(),
                    files=packed,
                    key=key.public,
                )
                signature = key.sign(manifest.digest)
                manifest = manifest.model_copy(update={"signature": signature})
                zipped.writestr(MANIFEST_NAME, manifest.model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(out)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(out.parent)
    return manifest


def unpack_zip(archive: Path, folder: Path, kind: Literal["session", "backup"]) -> Manifest:
    """Unpack a sealed zip into an empty folder, each file checked against the manifest.

    Parameters
    ----------
    archive : the zip
    folder : where its files go; readable by their owner alone
    kind : what it has to be

    Raises
    ------
    ArchiveError
        If it is no such zip, or is not whole and as it was sealed: the file is named.
    OSError
        If the disk refuses.
    """
    try:
        with zipfile.ZipFile(archive) as zipped:
            manifest = _read_manifest(zipped, archive.name, kind)
            entries = _checked_entries(zipped, manifest, archive.name)
            for told, entry in entries:
                path = folder.joinpath(*PurePosixPath(told.path).parts)
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with zipped.open(entry) as source, os.fdopen(descriptor, "wb") as to:
                    if _copy(source, to, told.path, limit=told.size) != told:
                        raise ArchiveError("archive_altered", file=archive.name, inside=told.path)
                    to.flush()
                    os.fsync(to.fileno())
            return manifest
    except _DAMAGE as error:
        raise ArchiveError("archive_damaged", file=archive.name) from error


def _read_manifest(zipped: zipfile.ZipFile, name: str, kind: str) -> Manifest:
    try:
        entry = zipped.getinfo(MANIFEST_NAME)
        if entry.file_size > MAX_MANIFEST or not _is_plain(entry):
            raise ArchiveError("archive_damaged", file=name)
        manifest = Manifest.model_validate_json(json.dumps(load_strict(zipped.read(MANIFEST_NAME))))
    except (KeyError, ValueError, ValidationError) as error:
        raise ArchiveError("archive_foreign", file=name) from error
    if manifest.kind != kind:
        raise ArchiveError(f"archive_no_{kind}", file=name)
    if not is_signed(manifest.key, manifest.digest, manifest.signature):
        raise ArchiveError("archive_altered", file=name, inside=MANIFEST_NAME)
    return manifest


def _checked_entries(
    zipped: zipfile.ZipFile, manifest: Manifest, name: str
) -> Iterator[tuple[PackedFile, zipfile.ZipInfo]]:
    found = [entry for entry in zipped.infolist() if entry.filename != MANIFEST_NAME]
    told = {file.path: file for file in manifest.files}
    if len(told) != len(manifest.files) or len(found) != len(told):
        raise ArchiveError("archive_altered", file=name, inside=MANIFEST_NAME)
    for entry in found:
        file = told.get(entry.filename)
        mode = stat.S_IFMT(entry.external_attr >> 16)
        plain = plain_name(entry.filename) and mode in (0, stat.S_IFREG) and _is_plain(entry)
        bomb = entry.file_size > MAX_RATIO * max(entry.compress_size, 1 << 10)
        if file is None or not plain or bomb or entry.file_size != file.size:
            raise ArchiveError("archive_altered", file=name, inside=entry.filename[:80])
        yield file, entry


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    """Return whether an entry is packed as the station packs: not encrypted, nothing exotic."""
    ways = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    return not entry.flag_bits & 0x1 and entry.compress_type in ways


def _copy(source: IO[bytes], to: IO[bytes], inside: str, limit: int | None = None) -> PackedFile:
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        size += len(chunk)
        # What a zip's directory says of a size is a claim: no more than the manifest's is written.
        if limit is not None and size > limit:
            break
        digest.update(chunk)
        to.write(chunk)
    return PackedFile(path=inside, size=size, sha256=digest.hexdigest())
