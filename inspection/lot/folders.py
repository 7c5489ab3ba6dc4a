"""Walk a lot folder: names and sizes only; no file is opened but what may be a volume."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from inspection.lot.filenames import IMAGE_SUFFIXES
from inspection.records import MODALITIES
from inspection.volumes.finding import ZARR, FoundVolume, volumes_in

Part = Literal["training", "validation", ""]

# Left by operating systems and office programs; not worth a finding.
_IGNORED = frozenset({"thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "@eadir"})
_IGNORED |= {"system volume information", "dicomdir"}
# The station's and the customer's own files beside the images.
_KNOWN = frozenset({"truth.json", "pairs.csv", "collected.json"})
PART_NAME = re.compile(r"(?:[0-9]+[._ ]*)?(training|validation)", re.IGNORECASE)
# TS_CT_…, TL_…: training source and labels; VS_…, VL_…: validation.
_PART_PREFIX = re.compile(r"([TV])[SL]_", re.IGNORECASE)


class Folder(NamedTuple):
    """A folder's files by kind; ``parts`` is its path below the lot folder.

    ``special`` are pipes, sockets, devices and links to them: opening one may never end.
    ``volumes`` are what some files together are, by the name of the first of them; these files are
    neither among ``images`` nor among ``others``.
    """

    path: Path
    parts: tuple[str, ...]
    part: Part
    images: list[str]
    labels: list[str]
    others: list[str]
    empty: list[str]
    special: list[str]
    volumes: dict[str, FoundVolume]


class UnreadableFolder(NamedTuple):
    """A folder that the system does not let us list."""

    path: Path
    problem: str


def walk_lot(root: Path) -> Iterator[Folder | UnreadableFolder]:
    """Yield the folders of a lot in name order, hidden and system entries left out.

    Links to folders outside the lot are followed, each once.
    """
    waiting: list[tuple[str, tuple[str, ...]]] = [(str(root), ())]
    seen = {os.path.realpath(root)}
    while waiting:
        path, parts = waiting.pop()
        folder = Folder(Path(path), parts, part_of(parts), [], [], [], [], [], {})
        subfolders: list[str] = []
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    name = entry.name
                    if _is_folder(entry):
                        if name.lower().endswith(ZARR) and name[0] not in ".~":
                            folder.others.append(name)
                            continue
                        kept = name[0] not in ".~" and name.lower() not in _IGNORED
                        if kept and _is_new(entry, seen):
                            subfolders.append(name)
                    else:
                        _sort_in(folder, entry)
        except OSError as error:
            yield UnreadableFolder(folder.path, error.strerror or str(error))
            continue
        for names in (folder.images, folder.labels, folder.others, folder.empty, folder.special):
            names.sort()
        yield _with_volumes(folder)
        subfolders.sort(reverse=True)
        waiting.extend((os.path.join(path, name), (*parts, name)) for name in subfolders)  # noqa: PTH118


def _with_volumes(folder: Folder) -> Folder:
    """Find the volumes of a folder; in one for views there are none."""
    word = next((part.lower() for part in reversed(folder.parts) if part.lower() in MODALITIES), "")
    names = [name for name in folder.images if name.lower().endswith((".tif", ".tiff"))]
    names += folder.others
    found = volumes_in(folder.path, names) if names and word != "rgb" else []
    if not found:
        return folder
    taken = {name for volume in found for name in volume.files}
    return folder._replace(
        images=[name for name in folder.images if name not in taken],
        others=[name for name in folder.others if name not in taken],
        empty=[name for name in folder.empty if name not in taken],
        volumes={volume.files[0]: volume for volume in found},
    )


def part_of(parts: tuple[str, ...]) -> Part:
    """Return which published part a folder belongs to, by its own or a parent's name."""
    for name in parts:
        if found := PART_NAME.fullmatch(name):
            return "training" if found[1].lower() == "training" else "validation"
    for name in parts:
        if found := _PART_PREFIX.match(name):
            return "training" if found[1].lower() == "t" else "validation"
    return ""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads to itself: a file that cannot be opened, no reason to leave the folder.
        return False


def _sort_in(folder: Folder, entry: os.DirEntry[str]) -> None:
    name = entry.name
    if name[0] in ".~":
        return
    suffix = name[name.rfind(".") + 1 :].lower()
    known = name.lower() in _KNOWN or name.lower() in _IGNORED
    try:
        if suffix in IMAGE_SUFFIXES or entry.is_symlink():
            found = entry.stat()
            regular, size = stat.S_ISREG(found.st_mode), found.st_size
        else:
            # The listing tells this, no need to ask for each of 200,000 labels.
            regular, size = entry.is_file(), -1
    except OSError:
        # A dangling link: opening it will give the reason.
        regular, size = True, -1
    if not regular:
        folder.special.append(name)
    elif suffix in IMAGE_SUFFIXES:
        folder.images.append(name)
        if size == 0:
            folder.empty.append(name)
    elif known:
        return
    elif suffix == "json":
        folder.labels.append(name)
    else:
        folder.others.append(name)


def _is_new(entry: os.DirEntry[str], seen: set[str]) -> bool:
    """False for a link into the lot or to a folder seen before: no image twice, no loop."""
    if not entry.is_symlink():
        return True
    real = os.path.realpath(entry.path)
    if any(real == known or real.startswith(known + os.sep) for known in seen):
        return False
    seen.add(real)
    return True
