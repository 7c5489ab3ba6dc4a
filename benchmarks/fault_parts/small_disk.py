"""A disk of a few megabytes over a folder or a file of the station, full until it is given room."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

BYTES = 24 << 20
PAGE = 4096
BALLAST = "ballast"


class SmallDisk:
    """Lies over ``place`` from entering to leaving; what is in it is kept on both ways.

    Parameters
    ----------
    place : a folder or a file; the file keeps its place in its folder
    leave : bytes that are free at first
    roomy : folders below that have room nevertheless
    """

    def __init__(self, place: Path, leave: int = 0, roomy: tuple[str, ...] = ()) -> None:
        self._place = place
        self._leave = leave
        self._roomy = roomy
        self._is_file = place.is_file()
        self._root = Path(tempfile.mkdtemp(dir=place.parent.parent)) if self._is_file else place
        self._mounted: list[Path] = []

    def __enter__(self) -> Self:
        before = self._kept()
        self._mount(self._root, BYTES)
        if self._is_file:
            shutil.copy2(self._place, self._root / self._place.name)
            _run("mount", "--bind", self._root / self._place.name, self._place)
            self._mounted.append(self._place)
        elif before is not None:
            shutil.copytree(before, self._root, dirs_exist_ok=True)
            shutil.rmtree(before)
        for name in self._roomy:
            kept = Path(tempfile.mkdtemp(dir=self._place.parent))
            shutil.copytree(self._root / name, kept, dirs_exist_ok=True)
            self._mount(self._root / name, BYTES)
            shutil.copytree(kept, self._root / name, dirs_exist_ok=True)
            shutil.rmtree(kept)
        self.fill()
        return self

    def fill(self) -> None:
        """Take all the room but what is left."""
        free = shutil.disk_usage(self._root).free - self._leave
        with (self._root / BALLAST).open("wb") as file:
            file.write(bytes(max(0, free) // PAGE * PAGE))

    def give_room(self) -> None:
        """Let the disk have room again."""
        (self._root / BALLAST).unlink(missing_ok=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.give_room()
        source = self._root / self._place.name if self._is_file else self._root
        kept = Path(tempfile.mkdtemp(dir=self._place.parent.parent))
        if self._is_file:
            shutil.copy2(source, kept)
        else:
            shutil.copytree(source, kept, dirs_exist_ok=True)
        for mounted in reversed(self._mounted):
            _run("umount", mounted)
        if self._is_file:
            shutil.copy2(kept / self._place.name, self._place)
        else:
            shutil.copytree(kept, self._place, dirs_exist_ok=True)
        shutil.rmtree(kept)

    def _kept(self) -> Path | None:
        self._root.mkdir(parents=True, exist_ok=True)
        if self._is_file or not any(self._root.iterdir()):
            return None
        kept = Path(tempfile.mkdtemp(dir=self._root.parent))
        shutil.copytree(self._root, kept, dirs_exist_ok=True)
        return kept

    def _mount(self, place: Path, size: int) -> None:
        _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", place)
        self._mounted.append(place)


def can_mount(folder: Path) -> str:
    """Return why no small disk can be had here; empty where one can."""
    place = folder / "mount"
    place.mkdir()
    try:
        with SmallDisk(place):
            pass
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        return f"no disk can be mounted here: {said.strip()}"
    return ""


def _run(*arguments: object) -> None:
    subprocess.run([str(a) for a in arguments], check=True, capture_output=True, text=True)
