"""A plain folder of slices, ``DATA/{class}/*``: their class is told, and not where defects are."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from inspection.classes import class_table
from inspection.errors import ConfigError
from inspection.lot.filenames import IMAGE_SUFFIXES, natural_key, parse_stem, source_at_start
from inspection.records import ImageRef

log = logging.getLogger(__name__)

# part12_z_031, part12-031, part12 (3): what stands before the slice's number, and its axis.
_SLICE = re.compile(r"(.*?)(?:[^0-9A-Za-z]+[xyz])?[^0-9A-Za-z]*[0-9]+[^0-9]*", re.IGNORECASE)


def class_folders(folder: Path) -> dict[str, Path]:
    """Return the folder of each class of CT; none where the folder is a lot.

    Raises
    ------
    ConfigError
        If one beside them is called as no class is.
    """
    known = {name.casefold(): name for name in class_table().ct}
    try:
        parts = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        # Told where it is looked at as a lot.
        return {}
    parts = [path for path in parts if path.name[0] not in ".~"]
    found = {known[p.name.casefold()]: p for p in parts if p.name.casefold() in known}
    strange = next((path.name for path in parts if path.name.casefold() not in known), None)
    if found and strange is not None:
        raise ConfigError(
            "class_folder_unknown",
            folder=folder.name,
            name=strange,
            known=", ".join(known.values()),
        )
    return found


def read_class_folders(folder: Path) -> list[tuple[ImageRef, str]]:
    """Return the slices below a folder's classes, each with its class, in a fixed order.

    The ``battery_id`` is what tells the bodies apart, which must not be on two sides of a split:
    the published name, the folder below the class's, else what stands before the slice's number.
    """
    images = [
        (path, name, place)
        for name, place in class_folders(folder).items()
        for path in sorted(place.rglob("*"), key=lambda path: natural_key(str(path)))
        if path.suffix.lower().lstrip(".") in IMAGE_SUFFIXES and path.name[0] not in ".~"
    ]
    bodies = [_body(path, place) for path, _, place in images]
    if len(images) > 1 and len(set(bodies)) == 1:
        log.warning("the names tell no batteries apart: split image by image")
        bodies = [f"image{number}" for number in range(len(images))]
    found = []
    for number, ((path, name, _), body) in enumerate(zip(images, bodies, strict=True)):
        parts = parse_stem(path.stem)
        battery_type = class_table().rows[name].battery_type
        axis = parts.axis if parts else None
        ref = ImageRef(path, "ct", body, axis, number, battery_type, None, None)
        found.append((ref, name))
    return found


def _body(path: Path, place: Path) -> str:
    if (source := source_at_start(path.name)) is not None:
        return source.text
    below = path.parent.relative_to(place).as_posix()
    if below != ".":
        return below
    named = _SLICE.fullmatch(path.stem)
    return named[1] if named else path.stem
