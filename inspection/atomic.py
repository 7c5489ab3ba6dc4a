"""Files that are either the old ones or the new ones, never half of each."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
import time
import unicodedata
from pathlib import Path

from inspection.errors import ConfigError

TEMPORARY = ".tmp"
_REPLACE_ATTEMPTS = 10
_REPLACE_PAUSE_S = 0.05
_NAME_BYTES = 100
_HASH_DIGITS = 8
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a file so that a crash leaves the old content or the new, whole and on the disk.

    Parameters
    ----------
    path : the file; its folder must exist
    data : the content; text is written as UTF-8

    Raises
    ------
    OSError
        If the disk refuses; the old file is then untouched.
    """
    temporary = stage(path, data)
    try:
        put_in_place(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def stage(path: Path, data: bytes | str) -> Path:
    """Write what a file will hold beside it, whole and on the disk, and return where that is.

    Raises
    ------
    OSError
        If the disk refuses; nothing is left.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    # In the same folder, because a replace is atomic within one file system only.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with os.fdopen(create_file(temporary, os.O_WRONLY | os.O_EXCL), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def put_in_place(temporary: Path, path: Path) -> None:
    """Let a staged file take the place of the one that it was written for.

    Raises
    ------
    OSError
        If the disk refuses; both files are then as they were.
    """
    _replace(temporary, path)
    sync_folder(path.parent)


def create_file(path: Path, flags: int) -> int:
    """Open a file, made where there is none, that is as open to other accounts as its folder."""
    folder = path.parent.stat().st_mode
    mode = folder & 0o666
    # O_BINARY: Windows alone would else write two bytes for a line end.
    descriptor = os.open(path, flags | os.O_CREAT | getattr(os, "O_BINARY", 0), mode)
    if folder & stat.S_ISGID:
        # The group is to read it, whatever the account's own files are.
        path.chmod(mode)
    return descriptor


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, each as open to other accounts as the one it is in."""
    if path.is_dir():
        return
    make_folder(path.parent)
    mode = stat.S_IMODE(path.parent.stat().st_mode) & 0o777
    path.mkdir(mode=mode, exist_ok=True)
    if path.parent.stat().st_mode & stat.S_ISGID:
        path.chmod(mode | stat.S_ISGID)


def open_to_group(folder: Path, group: str | None) -> None:
    """Let the members of a group read a folder, and what will be made in it; no group, nobody.

    Windows has its own ways, and inherits them: nothing is done there.

    Raises
    ------
    ConfigError
        If the system knows no such group, or the account is not in it.
    """
    if os.name == "nt":
        return
    folder.chmod(0o700)
    if group is None:
        return
    try:
        shutil.chown(folder, group=group)
    except (LookupError, PermissionError) as error:
        raise ConfigError("keeping_group_unknown", group=group) from error
    # What is made in it belongs to the group too.
    folder.chmod(0o2750)


def replace_folder(fresh: Path, folder: Path) -> None:
    """Put a finished folder in the place of another, whole or not at all.

    Parameters
    ----------
    fresh : complete and synced, on the same file system
    folder : where it goes; an older folder there is removed

    Raises
    ------
    OSError
        If the disk refuses; the old folder is then still there.
    """
    stale = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.old")
    had_one = folder.exists()
    if had_one:
        folder.replace(stale)
    try:
        fresh.replace(folder)
    except OSError:
        if had_one:
            stale.replace(folder)
        raise
    sync_folder(folder.parent)
    shutil.rmtree(stale, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can (Windows does so by itself)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files that a killed writer left in a folder nobody writes to now."""
    for path in folder.glob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)


def _replace(source: Path, target: Path) -> None:
    for _ in range(_REPLACE_ATTEMPTS - 1):
        try:
            source.replace(target)
            return
        except PermissionError:
            # On Windows a virus scanner or a reader may hold the target for a moment.
            if os.name != "nt":
                raise
            time.sleep(_REPLACE_PAUSE_S)
    source.replace(target)


def battery_file_name(battery_id: str) -> str:
    """Return the name, without ending, of a battery's files in a session.

    The id itself where it is a safe file name everywhere. Otherwise its safe part and eight
    digits of its hash, so that two ids never share a name.
    """
    name = unicodedata.normalize("NFC", battery_id)
    name = "".join(c if c.isalnum() or c in "-_. ()" else "_" for c in name).strip(". ")
    if _RESERVED.match(name):
        name = f"_{name}"
    while len(name.encode("utf-8")) > _NAME_BYTES:
        name = name[:-1]
    return name if name and name == battery_id else hashed_file_name(battery_id, name)


def hashed_file_name(battery_id: str, name: str) -> str:
    """Return ``name`` made unmistakable by the hash of the id."""
    digest = hashlib.sha256(battery_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name}-{digest[:_HASH_DIGITS]}"
