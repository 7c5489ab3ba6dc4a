"""Label files: which image each belongs to, and which JSON is a label at all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from inspection.errors import LabelError
from inspection.lot.filenames import parse_stem, source_at_start
from inspection.lot.findings import Findings
from inspection.lot.folders import Folder
from inspection.lot.label_json import LABEL_KEYS, read_label_json
from inspection.names import told_name
from inspection.records import Axis, VolumeRef
from inspection.volumes.planes import AXES

Planes = dict[tuple[Axis, int], Path]
"""The labels of a volume's planes, by axis and number."""

_OF_PLANE = re.compile(r"#([^/]+/)?[xyz][0-9]{4,}")


class LabelIndex:
    """Label files by folder and stem, and those in the published naming by part and stem.

    The published set has the same stems under Training and Validation, so a label counts only
    for images of its own part. A JSON without an image of its stem and without a key of a label is
    none: a scanner's settings beside the lot do not make it labelled.
    """

    def __init__(self, folders: Iterable[Folder], findings: Findings) -> None:
        self._findings = findings
        self._asked: Folder | None = None
        self._stems: set[str] = set()
        # Keyed by tuple of folder names, not by Path: hashing 126,000 paths takes a second.
        self._by_folder: dict[tuple[str, ...], dict[str, str]] = {}
        self._by_part: dict[str, dict[str, Folder]] = {}
        self._unused: dict[tuple[str, ...], set[str]] = {}
        self._folders = []
        for folder in folders:
            labels = [name for name in folder.labels if self._is_label(folder, name)]
            if labels:
                self._folders.append(folder._replace(labels=labels))
        for folder in self._folders:
            names = {name[: name.rfind(".")].lower(): name for name in folder.labels}
            self._by_folder[folder.parts] = names
            self._unused[folder.parts] = set(folder.labels)
            by_part = self._by_part.setdefault(folder.part, {})
            for stem, name in names.items():
                first = by_part.setdefault(stem, folder)
                # Freely named labels ("001.json") may share a stem: each counts in its folder.
                if first is not folder and parse_stem(stem) is not None:
                    self._unused[folder.parts].discard(name)
                    findings.add_file(
                        "lot_label_duplicate", folder.path, name, other=first.path.name
                    )

    def _is_label(self, folder: Folder, name: str) -> bool:
        """Return whether a JSON is a label: by its name, an image beside it, or its content."""
        stem = name[: name.rfind(".")].lower()
        if source_at_start(stem) or stem in self._stems_of(folder):
            return True
        if _OF_PLANE.search("/".join((*folder.parts[-1:], stem))):
            return True
        try:
            content = read_label_json(folder.path / name)
        except LabelError as error:
            self._findings.add(folder.path / name, error.message)
            return False
        if LABEL_KEYS.isdisjoint(content):
            self._findings.add_file("lot_json_foreign", folder.path, name)
            return False
        return True

    def _stems_of(self, folder: Folder) -> set[str]:
        if self._asked is not folder:
            self._asked = folder
            self._stems = {image[: image.rfind(".")].lower() for image in folder.images}
        return self._stems

    def __bool__(self) -> bool:
        return bool(self._folders)

    def take(self, folder: Folder, stem: str, *, published_name: bool) -> Path | None:
        """Return the label of an image and count it as used.

        Parameters
        ----------
        folder : the image's folder
        stem : the image's name without its suffix
        published_name : whether the stem alone tells the image within its part
        """
        key = stem.lower()
        place: Folder | None = folder
        name = self._by_folder.get(folder.parts, {}).get(key)
        if name is None and published_name:
            place = self._by_part.get(folder.part, {}).get(key)
            name = self._by_folder[place.parts][key] if place else None
        if name is None or place is None:
            return None
        self._unused[place.parts].discard(name)
        return place.path / name

    def of_planes(
        self, folder: Folder, volume: VolumeRef, shape: tuple[int, int, int], *, published: bool
    ) -> Planes:
        """Return the labels of a volume's planes and count them as used, whatever the recipe cuts.

        A label is called as its plane is in results: ``volume.tif#z0123.json`` beside the volume,
        ``ct#z0123.json`` beside the folder of a series.

        Parameters
        ----------
        folder : the one that the volume's files are in
        shape : voxels (z, y, x)
        published : whether the volume's name alone tells it within its part
        """
        found: Planes = {}
        if not self:
            return found
        place = folder
        if volume.path == folder.path:
            place = folder._replace(path=folder.path.parent, parts=folder.parts[:-1])
        before = f"{told_name(volume.path.name)}#"
        if volume.series:
            within = f"{before}{volume.series}"
            place = place._replace(path=place.path / within, parts=(*place.parts, within))
            before = ""
        for axis, length in zip(AXES, shape, strict=True):
            for number in range(length):
                stem = f"{before}{axis}{number:04d}"
                if label := self.take(place, stem, published_name=published):
                    found[axis, number] = label
        return found

    def report_unused(self) -> None:
        """Report the labels that no image took."""
        for folder in self._folders:
            for name in sorted(self._unused[folder.parts]):
                self._findings.add_file("lot_label_without_image", folder.path, name)
