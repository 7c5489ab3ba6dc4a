"""How a battery's image files were when it was taken up, and what has changed since.

Files are looked at by name, size and time, as an intake does; their bytes are read only where
digests were asked for. Of a volume every file counts once, not every plane.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from inspection.errors import ImageError, SessionError
from inspection.messages import Message
from inspection.names import told_name
from inspection.records import Battery, Lot, VolumeRef, image_name
from inspection.results import BatteryResult, ImagePrint

if TYPE_CHECKING:
    from inspection.session.store import SessionStore

LISTED = 10
"""Names that a message gives; the count has them all."""


def print_images(battery: Battery, lot_root: Path, *, digests: bool = False) -> list[ImagePrint]:
    """Return the prints of a battery's files as they are now; one that is not there has none.

    Parameters
    ----------
    lot_root : images are named relative to it
    digests : read every file too
    """
    prints = []
    for name, path in _files(battery, lot_root):
        try:
            found = path.stat()
            prints.append(
                ImagePrint(
                    image=name,
                    size=found.st_size,
                    modified_ns=found.st_mtime_ns,
                    digest=_digest(path) if digests and stat.S_ISREG(found.st_mode) else None,
                )
            )
        except OSError:
            # Why it cannot be opened is said where it is inspected.
            continue
    return prints


def changed_images(
    result: BatteryResult,
    lot_root: Path,
    battery: Battery | None = None,
    *,
    digests: bool = False,
) -> list[Message]:
    """Return what has changed on a battery's images since it was taken up, the images named.

    Of a file whose size or time is another, the digest decides where there is one.

    Parameters
    ----------
    result : with its prints; without any, nothing can be said
    lot_root : folder of the lot as it is now
    battery : as it is in the lot now; its images that had no print are new
    digests : compare the bytes of every file that has a digest, whatever its size and time
    """
    changed = changed_names(result, lot_root, battery, digests=digests)
    return [
        Message(
            code=code,
            params={
                "battery": result.battery_id,
                "count": len(images),
                "names": ", ".join([*images[:LISTED], *(["…"] if len(images) > LISTED else [])]),
            },
        )
        for code, images in changed.items()
        if images
    ]


def changed_names(
    result: BatteryResult,
    lot_root: Path,
    battery: Battery | None = None,
    *,
    digests: bool = False,
    times: bool = True,
) -> dict[str, list[str]]:
    """Return the images that are not as they were, by the code of what is told of them.

    Parameters
    ----------
    result, lot_root, battery, digests : as `changed_images` takes them
    times : whether a file of another time is another; not where the lot was copied
    """
    changed: dict[str, list[str]] = {"images_changed": [], "images_gone": [], "images_added": []}
    for before in result.prints:
        path = _path(lot_root, before.image)
        try:
            found = path.stat()
            alike = not times or found.st_mtime_ns == before.modified_ns
            same = alike and found.st_size == before.size
            if before.digest is not None and (digests or not same):
                same = found.st_size == before.size and _digest(path) == before.digest
        except OSError:
            changed["images_gone"].append(before.image)
        else:
            if not same:
                changed["images_changed"].append(before.image)
    if battery is not None and result.prints:
        known = {before.image for before in result.prints}
        names = [name for name, _ in _files(battery, lot_root)]
        changed["images_added"] = [name for name in names if name not in known]
    return changed


def changed_in(
    store: SessionStore,
    lot: Lot,
    stop: Callable[[], bool] = lambda: False,
    *,
    digests: bool = False,
) -> list[Message]:
    """Return what has changed on the images of a whole session.

    Parameters
    ----------
    store : the session; a battery whose file cannot be read is told where that is looked for
    lot : its lot as it is now
    stop : asked between two batteries
    digests : as `changed_images` takes it
    """
    batteries = {battery.battery_id: battery for battery in lot.batteries}
    messages: list[Message] = []
    for row in store.record.batteries:
        if stop():
            break
        try:
            result = store.load_battery(row.battery_id)
        except SessionError:
            continue
        if result is not None:
            battery = batteries.get(row.battery_id)
            messages += changed_images(result, lot.root, battery, digests=digests)
    return messages


def _files(battery: Battery, lot_root: Path) -> Iterator[tuple[str, Path]]:
    """Yield every file of a battery's images with its name in results."""
    seen: set[VolumeRef] = set()
    for ref in (*battery.ct, *battery.rgb):
        if ref.section is None:
            yield image_name(ref, lot_root), ref.path
        elif ref.section.volume not in seen:
            seen.add(ref.section.volume)
            # The window imports this before it is painted: numpy comes later.
            from inspection.volumes.opening import volume_files

            try:
                paths = volume_files(ref.section.volume)
            except ImageError:
                # Its header is as broken as it was, or has gone with the rest.
                paths = () if ref.path.is_dir() else (ref.path,)
            for path in paths:
                yield image_name(ref._replace(path=path, section=None), lot_root), path


def _path(lot_root: Path, name: str) -> Path:
    """Return the file that results call so; its name on the disk may be no text (`told_name`)."""
    path = lot_root / name
    if path.exists() or "(" not in name:
        return path
    found = lot_root
    for part in PurePosixPath(name).parts:
        found = next((p for p in _entries(found) if told_name(p.name) == part), found / part)
    return found


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:
        return


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
