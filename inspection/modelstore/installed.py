"""Installed models whose files are another project's: a folder a slot, with ``model.json``.

The station's own models carry ``bundle.json`` (`bundle.py`); a VLM, a VLG and BERT come as their
makers publish them, so their description is written beside them when they are installed.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from pydantic import Field, field_validator

from inspection.atomic import write_atomic
from inspection.errors import BundleError, ModelMissingError
from inspection.modelstore.files import Digest, OnBytes, file_digest, read_document
from inspection.record_base import Record
from inspection.results import ModelProvenance

FolderSlot = Literal["vlm", "vlg", "bert"]
FOLDER_SLOTS: tuple[FolderSlot, ...] = get_args(FolderSlot)
MODEL_NAME = "model.json"


class ModelFile(Record):
    """One file of a model; ``size`` in bytes."""

    sha256: Digest
    size: int = Field(ge=0)


class InstalledModel(Record):
    """``model.json``: what an installed model is and where it comes from.

    Parameters
    ----------
    family : which code runs it: ``qwen2_vl``, ``grounding-dino``, ``bert``, …
    source : the repository, folder or command it was installed from
    demo : True for weights trained on synthetic lots
    files : relative path, with forward slashes, to its digest and size
    sha256 : digest of ``files``, and so of the whole model
    """

    schema_version: Literal[1] = 1
    slot: FolderSlot
    name: str = Field(min_length=1)
    family: str = Field(min_length=1)
    source: str
    licence: str
    demo: bool = False
    installed_at: str
    files: dict[str, ModelFile]
    sha256: Digest

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, ModelFile]) -> dict[str, ModelFile]:
        # The description may come with the model: it must not reach outside its folder.
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
                raise ValueError(f"{name!r} is not a path within the folder")
        return files

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


def installed_model(folder: Path, slot: str) -> InstalledModel:
    """Read the description of an installed model, and see that its files are there.

    Sizes are compared, digests are not: hashing 16 GB at each start would take a minute. That is
    what `altered_files` is for.

    Raises
    ------
    ModelMissingError
        If there is no such folder.
    BundleError
        If the description is missing or wrong, or a file is missing or of another size.
    """
    if not folder.is_dir():
        raise ModelMissingError("model_not_installed", system=slot.upper())
    if not (folder / MODEL_NAME).exists():
        raise BundleError("model_not_registered", folder=folder.name)
    model = read_document(InstalledModel, folder, MODEL_NAME)
    if model.slot != slot:
        raise BundleError("bundle_wrong_slot", folder=folder.name, found=model.slot, expected=slot)
    if digest_of(model.files) != model.sha256:
        raise BundleError("bundle_altered", folder=folder.name, file=MODEL_NAME)
    for name, file in model.files.items():
        path = folder / name
        if not path.is_file():
            raise BundleError("bundle_file_missing", folder=folder.name, file=name)
        if path.stat().st_size != file.size:
            raise BundleError("bundle_altered", folder=folder.name, file=name)
    return model


def register_folder(
    folder: Path,
    slot: FolderSlot,
    *,
    name: str,
    family: str,
    source: str,
    licence: str,
    demo: bool = False,
    on_bytes: OnBytes = lambda _count: None,
    cancel: threading.Event | None = None,
) -> InstalledModel:
    """Write ``model.json`` for the files that lie in a folder, and return it.

    Parameters
    ----------
    on_bytes : told of progress while the files are hashed
    cancel : set it to stop

    Raises
    ------
    InterruptedError
        If ``cancel`` was set.
    """
    files = {
        path.relative_to(folder).as_posix(): ModelFile(
            sha256=file_digest(path, on_bytes, cancel), size=path.stat().st_size
        )
        for path in model_files(folder)
    }
    model = InstalledModel(
        slot=slot,
        name=name,
        family=family,
        source=source,
        licence=licence,
        demo=demo,
        installed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        files=files,
        sha256=digest_of(files),
    )
    write_atomic(folder / MODEL_NAME, model.model_dump_json(indent=2) + "\n")
    return model


def altered_files(
    folder: Path,
    model: InstalledModel,
    on_bytes: OnBytes = lambda _count: None,
    cancel: threading.Event | None = None,
) -> Iterator[str]:
    """Hash every file and yield the names of those that are missing or differ.

    Raises
    ------
    InterruptedError
        If ``cancel`` was set.
    """
    for name, file in model.files.items():
        path = folder / name
        if not path.is_file() or file_digest(path, on_bytes, cancel) != file.sha256:
            yield name


def model_files(folder: Path) -> list[Path]:
    """Return the files of a model, sorted; the description is not one of them."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).as_posix() != MODEL_NAME
    )


def digest_of(files: dict[str, ModelFile]) -> str:
    """Return one digest over the names and digests of a model's files."""
    lines = "".join(f"{file.sha256}  {name}\n" for name, file in sorted(files.items()))
    return hashlib.sha256(lines.encode("utf-8")).hexdigest()


def provenance(
    model: InstalledModel,
    thresholds: dict[str, float],
    *,
    prompt: str | None = None,
    device: str | None = None,
    libraries: Sequence[str] = (),
) -> ModelProvenance:
    """Return what a session records of a model.

    Parameters
    ----------
    thresholds : the numbers it was run with
    prompt : identity of what it is asked
    device : where it was loaded
    libraries : distributions that run it; their versions are recorded
    """
    return ModelProvenance(
        slot=model.slot,
        name=model.name,
        sha256=model.sha256,
        thresholds=thresholds,
        trained_at=None,
        demo=model.demo,
        prompt=prompt,
        device=device,
        versions={name: version(name) for name in libraries},
    )
