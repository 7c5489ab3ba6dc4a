"""All that a station must not lose in one sealed zip, and back from it."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from inspection.atomic import TEMPORARY, sync_folder
from inspection.errors import ArchiveError, SessionError
from inspection.keeping.sealed_zip import Manifest, unpack_zip, write_zip
from inspection.modelstore.source import plain_name
from inspection.people.person import Person
from inspection.seals.keys import station_key
from inspection.seals.log import StationLog
from inspection.session.files import AUDIT_NAME, is_session
from inspection.session.lock import HOLDER_NAME, LOCK_NAME, holder_of

SESSIONS_PART = "sessions"
NOT_PACKED = (LOCK_NAME, HOLDER_NAME)
TRIES = 40
PAUSE_S = 0.25
"""Between two tries to copy a session that is being written."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a backup brought back.

    Parameters
    ----------
    manifest : of the backup
    sessions : that were brought back
    present : sessions that were there already and stay as they are
    set_aside : where the station's own data from before is now; None where there was none
    """

    manifest: Manifest
    sessions: tuple[str, ...]
    present: tuple[str, ...]
    set_aside: tuple[Path, ...]


def pack_session(folder: Path, out: Path, person: Person | None = None) -> Manifest:
    """Write a session as one sealed zip, which any station opens and verifies.

    The station's log tells of it, and who did it.

    Raises
    ------
    SessionError
        If it is written faster than it can be copied.
    OSError
        If a file cannot be read, or the zip not be written.
    """
    with tempfile.TemporaryDirectory() as scratch:
        found = session_files(folder, Path(scratch))
        files = ((f"{folder.name}/{inside}", path) for inside, path in found)
        manifest = write_zip(out, "session", folder.name, files, station_key())
    StationLog().append("exported", person, run_id=folder.name, digest=manifest.digest)
    return manifest


def unpack_session(archive: Path, into: Path) -> Path:
    """Return the folder of a packed session, unpacked under ``into`` once.

    Raises
    ------
    ArchiveError
        If it is no packed session, or is not as it was sealed.
    OSError
        If the disk refuses.
    """
    into.mkdir(parents=True, exist_ok=True)
    fresh = into / f".unpacked.{secrets.token_hex(4)}{TEMPORARY}"
    fresh.mkdir(mode=0o700)
    try:
        manifest = unpack_zip(archive, fresh, "session")
        alone = plain_name(manifest.name) and "/" not in manifest.name
        if not (alone and is_session(fresh / manifest.name)):
            raise ArchiveError("archive_no_session", file=archive.name)
        place = into / manifest.digest[:16]
        if not place.exists():
            fresh.rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return place / manifest.name


def session_files(folder: Path, scratch: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a session as they are at one moment, with their paths within it.

    Parameters
    ----------
    scratch : where a session that is being written is copied to first

    Raises
    ------
    SessionError
        If it is written faster than it can be copied.
    """
    settled = folder if holder_of(folder) is None else _snapshot(folder, scratch / folder.name)
    for path in sorted(settled.rglob("*")):
        kept = path.name not in NOT_PACKED and not path.name.endswith(TEMPORARY)
        if kept and path.is_file():
            yield path.relative_to(settled).as_posix(), path


def _snapshot(folder: Path, copy: Path) -> Path:
    for _ in range(TRIES):
        before = (folder / AUDIT_NAME).read_bytes()
        shutil.rmtree(copy, ignore_errors=True)
        # A file that is renamed meanwhile makes the copy fail; so does the chain's next line.
        with suppress(shutil.Error, FileNotFoundError):
            shutil.copytree(
                folder, copy, ignore=shutil.ignore_patterns(*NOT_PACKED, f"*{TEMPORARY}")
            )
            if (folder / AUDIT_NAME).read_bytes() == before:
                return copy
        time.sleep(PAUSE_S)
    raise SessionError("session_busy", session=folder.name)


def back_up(
    out: Path, sessions_dir: Path, parts: Mapping[str, Path], person: Person | None = None
) -> Manifest:
    """Write a backup; the station's log tells of it.

    Parameters
    ----------
    out : the zip
    sessions_dir : folder of sessions
    parts : what else there is, files or folders, by the name that each has in the zip
    person : who does it, where that is known

    Raises
    ------
    OSError
        If a file cannot be read, or the zip not be written.
    """

    def files(scratch: Path) -> Iterator[tuple[str, Path]]:
        # Before the sessions: a log that knows more than they hold would call them set back.
        for name, part in parts.items():
            for path in [part] if part.is_file() else sorted(part.rglob("*")):
                inside = path.relative_to(part).as_posix()
                if path.is_file() and not path.name.endswith((TEMPORARY, LOCK_NAME)):
                    yield (f"{name}/{inside}" if path != part else name), path
        folders = sorted(sessions_dir.iterdir()) if sessions_dir.is_dir() else []
        for folder in filter(is_session, folders):
            for inside, path in session_files(folder, scratch):
                yield f"{SESSIONS_PART}/{folder.name}/{inside}", path

    with tempfile.TemporaryDirectory() as scratch:
        manifest = write_zip(out, "backup", out.stem, files(Path(scratch)), station_key())
    StationLog().append("backup", person, digest=manifest.digest, key_in_it="data/keys" in parts)
    return manifest


def restore(
    archive: Path, sessions_dir: Path, parts: Mapping[str, Path], *, replace: bool
) -> Restored:
    """Bring all of a backup back, or nothing; nothing that is there is overwritten.

    Parameters
    ----------
    sessions_dir : where its sessions go; those that are there stay as they are
    parts : where the other files and folders go, by their names in the zip
    replace : whether parts that are there already are set aside for those of the backup

    Raises
    ------
    ArchiveError
        If it is no backup, is not as it was sealed, or a part is there already.
    OSError
        If the disk refuses.
    """
    sessions_dir.mkdir(parents=True, exist_ok=True)
    fresh = sessions_dir / f".restored.{secrets.token_hex(4)}{TEMPORARY}"
    fresh.mkdir(mode=0o700)
    try:
        manifest = unpack_zip(archive, fresh, "backup")
        found = {name: path for name, path in parts.items() if (fresh / name).exists()}
        taken = [path for path in found.values() if path.exists()]
        if taken and not replace:
            raise ArchiveError("backup_part_present", path=str(taken[0]))
        unpacked = fresh / SESSIONS_PART
        names = sorted(path.name for path in unpacked.iterdir()) if unpacked.is_dir() else []
        present = tuple(name for name in names if (sessions_dir / name).exists())
        brought = tuple(name for name in names if name not in present)
        moves = [(fresh / name, path) for name, path in found.items()]
        moves += [(unpacked / name, sessions_dir / name) for name in brought]
        set_aside = _put_in_place(moves)
        sync_folder(sessions_dir)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    StationLog().append("restored", digest=manifest.digest, sessions=list(brought))
    return Restored(manifest, brought, present, set_aside)


def _put_in_place(moves: Sequence[tuple[Path, Path]]) -> tuple[Path, ...]:
    """Put files and folders where they go, all or none; return where what was there is now."""
    mark = secrets.token_hex(4)
    waiting: list[tuple[Path, Path]] = []
    renamed: list[tuple[Path, Path]] = []
    set_aside = []
    try:
        for fresh, path in moves:
            path.parent.mkdir(parents=True, exist_ok=True)
            waiting.append((path.with_name(f".{path.name}.{mark}{TEMPORARY}"), path))
            # Here it may have to be copied, and the disk be full: later all is but renamed.
            shutil.move(fresh, waiting[-1][0])
        for staged, path in waiting:
            if path.exists():
                aside = path.with_name(f"{path.name}.before-{mark}")
                path.rename(aside)
                renamed.append((path, aside))
                set_aside.append(aside)
            staged.rename(path)
            renamed.append((staged, path))
    except BaseException:
        for before, after in reversed(renamed):
            after.rename(before)
        raise
    finally:
        for staged, _ in waiting:
            if staged.is_dir():
                shutil.rmtree(staged, ignore_errors=True)
            else:
                staged.unlink(missing_ok=True)
    return tuple(set_aside)
