"""Which battery a file that was left out belongs to: such a battery is never ``normal``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from inspection.lot.filenames import source_at_start
from inspection.lot.findings import Findings
from inspection.lot.pairing import Pairing
from inspection.messages import Message
from inspection.records import BatteryType, Modality

_MODALITY_FOLDERS = frozenset({"ct", "rgb"})


def lost_by_battery(
    root: Path, pairings: Iterable[Pairing], findings: Findings
) -> dict[str, tuple[Message, ...]]:
    """Return what was left out of each battery, by battery id.

    A file belongs to the battery whose published name it starts with, else to the one battery
    that has images in the nearest folder with any. Where several share that folder, nothing
    tells whose the file is, and it stays a finding of the lot.
    """
    owners = _Owners(root, pairings)
    lost = Findings()
    for file in findings.files("lot_image_differs"):
        lost.add_file(file.code, file.folder, file.name, file.battery_id, **file.params)
    for file in findings.files("lot_name_unknown"):
        if owner := owners.by_name(file.name) or owners.near(file.folder):
            lost.add_file("battery_image_left_out", file.folder, file.name, owner)
    for file in findings.files("lot_file_type_unknown"):
        owner = owners.by_name(file.name)
        if owner is None and owners.is_for_images(file.folder):
            owner = owners.near(file.folder)
        if owner is not None:
            lost.add_file(file.code, file.folder, file.name, owner)
    for finding in findings.of("lot_folder_unreadable"):
        if owner := owners.near(finding.path):
            params = {"name": finding.path.name, **finding.reason.params}
            lost.add(finding.path, Message(code="battery_folder_unreadable", params=params), owner)
    messages: dict[str, list[Message]] = defaultdict(list)
    for finding in lost.collected():
        if finding.battery_id is not None:
            messages[finding.battery_id].append(finding.reason)
    return {battery_id: tuple(said) for battery_id, said in messages.items()}


class _Owners:
    """Batteries by the folders and the published names of their images."""

    def __init__(self, root: Path, pairings: Iterable[Pairing]) -> None:
        self._root = root
        self._names: dict[tuple[Modality, int, BatteryType], str] = {}
        # Folders by their path below the lot: with images themselves, and with any below.
        self._direct: set[tuple[str, ...]] = set()
        self._below: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for pairing in pairings:
            for source in (pairing.ct, pairing.rgb):
                if source is None:
                    continue
                if said := source_at_start(source.source_id):
                    key = (said.modality, said.battery_number, said.battery_type)
                    self._names[key] = pairing.battery_id
                for parts in {image.folder.parts for image in source.images}:
                    self._direct.add(parts)
                    for depth in range(len(parts) + 1):
                        self._below[parts[:depth]].add(pairing.battery_id)

    def by_name(self, name: str) -> str | None:
        """Return the battery whose published name a file's name starts with."""
        said = source_at_start(name)
        if said is None:
            return None
        return self._names.get((said.modality, said.battery_number, said.battery_type))

    def near(self, folder: Path) -> str | None:
        """Return the one battery with images in or below the nearest folder that has any."""
        parts = folder.relative_to(self._root).parts
        # The lot folder itself always has some below it.
        while parts not in self._below:
            parts = parts[:-1]
        batteries = self._below[parts]
        return next(iter(batteries)) if len(batteries) == 1 else None

    def is_for_images(self, folder: Path) -> bool:
        """Return whether what lies in a folder is meant as an image: no note beside the lot."""
        parts = folder.relative_to(self._root).parts
        return parts in self._direct or any(part.lower() in _MODALITY_FOLDERS for part in parts)
