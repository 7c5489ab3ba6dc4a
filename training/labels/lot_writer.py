"""A labelled lot that is there whole or not at all, and takes the place of nothing."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from inspection.atomic import TEMPORARY, make_folder, sync_folder
from inspection.errors import ConfigError
from inspection.records import ImageRef, image_name
from inspection.volumes.opening import volume_files
from training.labels.label_file import NewLabel, label_content


class LotWriter:
    """Fills a lot beside its place; a ``with`` block that ends well puts it there.

    Images are hard links where the file system allows it, else copies.

    Parameters
    ----------
    out : the lot's folder, which must not be there yet, or be empty

    Raises
    ------
    ConfigError
        If something is there, or the disk refuses.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._folder = out.with_name(f".{out.name}.{secrets.token_hex(4)}{TEMPORARY}")
        self._done: set[Path] = set()
        try:
            if out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise ConfigError("labels_out_taken", folder=str(out))
            make_folder(out.parent)
            self._folder.mkdir()
        except OSError as error:
            raise self._refused(error) from error

    def __enter__(self) -> LotWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                if self._out.is_dir():
                    self._out.rmdir()
                self._folder.rename(self._out)
                sync_folder(self._out.parent)
        except OSError as refused:
            raise self._refused(refused) from refused
        finally:
            if self._folder.exists():
                shutil.rmtree(self._folder, ignore_errors=True)

    def add_image(self, ref: ImageRef, root: Path, within: str = "") -> None:
        """Add an image under its place in its lot; of a plane, its whole volume.

        Parameters
        ----------
        root : of its lot
        within : folder of the new lot that stands for that
        """
        paths: Iterable[Path] = (
            (ref.path,) if ref.section is None else volume_files(ref.section.volume)
        )
        for path in paths:
            target = self._folder / within / path.relative_to(root)
            if target in self._done:
                continue
            self._done.add(target)
            self._put(path, target)

    def add_label(self, label: NewLabel, root: Path, within: str = "") -> None:
        """Add the label of an image that was added."""
        ref = label.ref
        if ref.section is None:
            target = ref.path.relative_to(root).with_suffix(".json")
        else:
            target = Path(f"{image_name(ref, root)}.json")
        self.add_json(str(Path(within) / target), label_content(label))

    def add_json(self, name: str, content: dict[str, Any]) -> None:
        """Add a JSON file."""
        self.add_text(name, json.dumps(content, ensure_ascii=False))

    def add_text(self, name: str, text: str) -> None:
        """Add a text file."""
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._refused(error) from error

    def add_file(self, source: Path, name: str) -> None:
        """Add any other file."""
        self._put(source, self._folder / name)

    def _put(self, source: Path, target: Path) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                # Not the link itself, which may lead nowhere from another place.
                os.link(source.resolve(), target)
            except OSError:
                shutil.copy2(source, target)
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> ConfigError:
        problem = error.strerror or str(error)
        return ConfigError("folder_unwritable", folder=str(self._out), problem=problem)
