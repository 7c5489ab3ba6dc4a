"""What lies in a folder that a user wants to install: which models, and which files of them."""

from __future__ import annotations

import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from inspection.errors import BundleError
from inspection.modelstore.bundle import MANIFEST_NAME
from inspection.modelstore.files import PREPROCESSING_NAME, read_json, section
from inspection.modelstore.folders import SLOTS
from inspection.modelstore.installed import MODEL_NAME, InstalledModel
from inspection.modelstore.vlm_folder import FAMILIES as VLM_FAMILIES
from inspection.modelstore.weights import check_safetensors

FAMILIES = {**dict.fromkeys(VLM_FAMILIES, "vlm"), "grounding-dino": "vlg", "bert": "bert"}
"""``model_type`` of a Hugging Face ``config.json`` to the slot it is for."""
CHECKPOINTS = ("groundingdino_swint_ogc.pth", "groundingdino_swinb_cogcoor.pth")
"""The only pickles that are taken, for their makers publish nothing else."""
_CHECKPOINT_NAMES = frozenset(Path(name).stem for name in CHECKPOINTS)
ARCHITECTURE_NAME = "architecture.json"
KEPT_SUFFIXES = frozenset({".safetensors", ".json", ".txt", ".model", ".jinja", ".md", ".pth"})
KEPT_NAMES = frozenset({"LICENSE", "LICENCE", "NOTICE"})
PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)
LONGEST_NAME = 255
"""Bytes of one folder's or file's name: what every file system takes."""
_FORBIDDEN = re.compile(r'[\x00-\x1f\\:<>"|?*]')


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model as it lies in a folder, not installed yet.

    Parameters
    ----------
    folder : where it lies
    slot, family : what it is for, and which code runs it
    files : what is installed of it, relative to ``folder``
    left_out : files that are not needed, and never taken: code, pickles, pictures
    described : its ``model.json``, where it was installed by a station before
    """

    folder: Path
    slot: str
    family: str
    files: tuple[Path, ...]
    left_out: tuple[Path, ...] = ()
    described: InstalledModel | None = None

    @property
    def name(self) -> str:
        """What it is called where nobody says."""
        return self.family if self.family in _CHECKPOINT_NAMES else self.folder.name

    @property
    def size(self) -> int:
        """Bytes of the files to install."""
        return sum((self.folder / file).stat().st_size for file in self.files)


def find_models(path: Path, slot: str | None = None) -> list[FoundModel]:
    """Return the models in a folder, or in the folders within it.

    Parameters
    ----------
    path : the folder, or one of `CHECKPOINTS` by itself
    slot : take only this one

    Raises
    ------
    BundleError
        If there is none, one is incomplete, or a file is not what a model may consist of.
    """
    found: list[FoundModel] = []
    if path.is_file():
        found.append(FoundModel(path.parent, "vlg", path.stem, (Path(path.name),)))
    else:
        # The folder itself, else what is one or two folders down: a zip often has a top folder.
        for place in (path, *sorted(path.glob("*/")), *sorted(path.glob("*/*/"))):
            if place != path and (place.name.startswith(".") or place.is_symlink()):
                continue
            # What lies within a model is a part of it.
            whole = [m.folder for m in found if m.family not in _CHECKPOINT_NAMES]
            if any(place.is_relative_to(folder) for folder in whole):
                continue
            if (model := _model_in(place)) is not None:
                found.append(model)
    if not found:
        raise BundleError("model_not_recognised", folder=path.name)
    if slot is not None:
        others = ", ".join(model.slot for model in found)
        found = [model for model in found if model.slot == slot]
        if not found:
            raise BundleError("model_not_for_slot", folder=path.name, slot=slot, found=others)
    slots = [model.slot for model in found]
    twice = next((name for name in slots if slots.count(name) > 1), None)
    if twice is not None:
        raise BundleError("model_twice", folder=path.name, slot=twice)
    return found


def _model_in(folder: Path) -> FoundModel | None:
    kind = _kind(folder)
    if kind is None:
        return None
    slot, family = kind
    refuse_links(folder)
    if slot in SLOTS:
        listed = section(read_json(folder, MANIFEST_NAME), "files")
        names = (MANIFEST_NAME, *filter(plain_name, listed), "model_card.md")
        files = tuple(Path(name) for name in names if (folder / name).exists())
        return FoundModel(folder, slot, family, files)
    present = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    kept = [name for name in present if _belongs(name, family) and str(name) != MODEL_NAME]
    left_out = [name for name in present if name not in kept and str(name) != MODEL_NAME]
    described = None
    # Somebody else may have a file of that name: the model is then judged by its contents.
    with suppress(ValidationError):
        if (folder / MODEL_NAME).is_file():
            described = InstalledModel.model_validate(read_json(folder, MODEL_NAME))
    model = FoundModel(folder, slot, family, tuple(kept), tuple(left_out), described)
    _check_complete(model)
    return model


def _kind(folder: Path) -> tuple[str, str] | None:
    if (folder / MANIFEST_NAME).is_file():
        slot = read_json(folder, MANIFEST_NAME).get("slot")
        if slot in SLOTS:
            return str(slot), str(slot)
        raise BundleError("bundle_invalid", folder=folder.name, file=MANIFEST_NAME, field="slot",
                          problem=str(slot))  # fmt: skip
    for name in CHECKPOINTS:
        if (folder / name).is_file():
            return "vlg", Path(name).stem
    if (folder / ARCHITECTURE_NAME).is_file():
        return "vlg", "groundingdino"
    if (folder / "config.json").is_file():
        kind = read_json(folder, "config.json").get("model_type")
        if isinstance(kind, str) and kind in FAMILIES:
            return FAMILIES[kind], kind
        if isinstance(kind, str):
            raise BundleError("model_family_unknown", folder=folder.name, family=kind)
    return None


def _belongs(name: Path, family: str) -> bool:
    if family in _CHECKPOINT_NAMES:
        # The folder may be anybody's: the checkpoint, and the words beside it.
        words = name.suffix in (".md", ".txt") or name.name in KEPT_NAMES
        return len(name.parts) == 1 and (name.name == f"{family}.pth" or words)
    return is_kept(name) and name.suffix != ".pth"


def is_kept(name: Path) -> bool:
    """Return True for a file that a model consists of: weights, settings, vocabularies, words."""
    if any(part.startswith(".") for part in name.parts):
        return False
    if name.suffix == ".pth":
        return name.name in CHECKPOINTS
    return name.suffix in KEPT_SUFFIXES or name.name in KEPT_NAMES


def refuse_links(folder: Path) -> None:
    """Refuse a folder with links in it: what they point to may be anything, or gone tomorrow.

    Raises
    ------
    BundleError
        Names the first link or special file.
    """
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise BundleError("model_link", file=path.relative_to(folder).as_posix())


def plain_name(name: str) -> bool:
    """Return True where a path within an archive is safe on every system."""
    if not name or _FORBIDDEN.search(name):
        return False
    parts = name.rstrip("/").split("/")
    return not any(
        part in ("", ".", "..")
        or part.endswith((" ", "."))
        or len(part.encode("utf-8", "surrogateescape")) > LONGEST_NAME
        or _RESERVED.match(part)
        for part in parts
    )


def _check_complete(model: FoundModel) -> None:
    folder, names = model.folder, {file.as_posix() for file in model.files}
    needed: list[tuple[str, ...]] = []
    if model.slot == "bert":
        needed = [("config.json",), ("vocab.txt", "tokenizer.json")]
    elif not model.family.startswith("groundingdino"):
        tokenizer = ("tokenizer.json", "vocab.json", "vocab.txt")
        needed = [("config.json",), (PREPROCESSING_NAME,), tokenizer]
    for alternatives in needed:
        if not names & set(alternatives):
            raise BundleError("bundle_file_missing", folder=folder.name, file=alternatives[0])
    weights = [name for name in names if name.endswith((".safetensors", ".pth"))]
    if not weights and model.slot != "bert":
        pickles = [p.name for p in model.left_out if p.suffix in PICKLE_SUFFIXES]
        if pickles:
            raise BundleError("model_pickle", file=pickles[0])
        raise BundleError("bundle_file_missing", folder=folder.name, file="model.safetensors")
    for name in sorted(names):
        if name.endswith(".safetensors"):
            check_safetensors(folder / name)
        elif name.endswith(".safetensors.index.json"):
            shards = read_json(folder, name).get("weight_map")
            if not isinstance(shards, dict):
                raise BundleError("bundle_unreadable", folder=folder.name, file=name)
            for shard in sorted({str(value) for value in shards.values()}):
                if not (folder / shard).is_file():
                    raise BundleError("bundle_file_missing", folder=folder.name, file=shard)
