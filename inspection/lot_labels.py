"""Which label file belongs to which image, by name and place only."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from inspection.filenames import parse_stem
from inspection.findings import Findings
from inspection.lot_folders import Folder


class LabelIndex:
    """Label files by folder and stem, and those in the published naming by part and stem.

    The published set has the same stems under Training and Validation, so a label counts only
    for images of its own part.
    """

    def __init__(self, folders: Iterable[Folder], findings: Findings) -> None:
        self._by_folder: dict[tuple[Path, str], Path] = {}
        self._by_part: dict[tuple[str, str], Path] = {}
        self._unused: dict[Path, dict[str, None]] = {}
        for folder in folders:
            part = folder.part
            for name in folder.labels:
                stem = name[: name.rfind(".")].lower()
                path = folder.path / name
                self._by_folder[folder.path, stem] = path
                self._unused.setdefault(folder.path, {})[name] = None
                if parse_stem(stem) is None:
                    continue
                first = self._by_part.setdefault((part, stem), path)
                if first is not path:
                    del self._unused[folder.path][name]
                    findings.add_file(
                        "lot_label_duplicate", folder.path, name, other=first.parent.name
                    )

    def __bool__(self) -> bool:
        return bool(self._by_folder)

    def take(self, folder: Folder, part: str, stem: str) -> Path | None:
        """Return the label of an image and count it as used."""
        key = stem.lower()
        path = self._by_folder.get((folder.path, key)) or self._by_part.get((part, key))
        if path is not None:
            self._unused[path.parent].pop(path.name, None)
        return path

    def report_unused(self, findings: Findings) -> None:
        """Report the labels that no image took."""
        for folder, names in self._unused.items():
            for name in names:
                findings.add_file("lot_label_without_image", folder, name)
