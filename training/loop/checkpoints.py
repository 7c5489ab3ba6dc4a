"""Where a run stands, on disk after every epoch: an unbroken run and a resumed one end alike.

``checkpoints/last.pt`` holds all that the next epoch depends on, ``checkpoints/best.pt`` the same
as of the best epoch. Files are put in place by a rename and read back as tensors and plain values
only, never as pickled code.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel

from inspection.atomic import TEMPORARY, remove_leftovers, write_atomic
from inspection.errors import ConfigError
from training.loop.determinism import random_state, restore_random_state

FOLDER, LAST, BEST = "checkpoints", "last.pt", "best.pt"
VERSION = 1
# They change where and how fast a run goes, not what comes out.
_FREE = ("config.cache.", "config.training.workers")
# Values, as JSON, of what was switched off.
_OFF = ("0", "0.0", "false", "null")
# What a file raises that is cut off, or is no checkpoint at all.
_UNREADABLE = (OSError, RuntimeError, KeyError, TypeError, ValueError, pickle.PickleError)


@dataclass(slots=True)
class LoopState:
    """How far a run is.

    Parameters
    ----------
    epoch : finished epochs
    rows : their lines of the log
    best_rank : of the best epoch, higher is better; None before the first
    lowest_loss, stale_epochs : for early stopping
    finished : no epoch is to follow
    """

    epoch: int = 0
    rows: list[dict[str, float]] = field(default_factory=list)
    best_rank: list[float] | None = None
    lowest_loss: float = float("inf")
    stale_epochs: int = 0
    finished: bool = False


Identity = dict[str, str]
"""What a run is made of, by dotted key, as JSON: two runs with the same one end alike."""


def identity_of(config: BaseModel, **inputs: Any) -> Identity:
    """Return what a run is made of.

    Parameters
    ----------
    config : of the run
    inputs : lots, split, first weights and whatever else the result depends on
    """
    return _flat({"config": config.model_dump(mode="json"), **inputs}, "")


def _flat(content: Any, prefix: str) -> Identity:
    if isinstance(content, Mapping) and content:
        found: Identity = {}
        for key, value in content.items():
            found |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
        return found
    return {prefix: json.dumps(content, ensure_ascii=False)}


class Checkpoints:
    """The checkpoints of one run.

    Parameters
    ----------
    run : folder of the run
    identity : what the run is made of
    parts : by name what has ``state_dict`` and ``load_state_dict``: model, optimiser, …
    """

    def __init__(self, run: Path, identity: Identity, parts: Mapping[str, Any]) -> None:
        self._folder = run / FOLDER
        self._identity = identity
        self._parts = parts

    def save(self, state: LoopState, *, best: bool) -> None:
        """Write the last checkpoint, and the best one where this epoch is.

        Raises
        ------
        OSError
            If the disk refuses; the older checkpoints are then untouched.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self._folder)
        content = {
            "version": VERSION,
            "digest": _digest(self._identity),
            "identity": self._identity,
            "state": asdict(state),
            "random": random_state(),
            **{name: part.state_dict() for name, part in self._parts.items()},
        }
        # In memory first: what is put in place is whole or not there.
        stream = io.BytesIO()
        torch.save(content, stream)
        write_atomic(self._folder / LAST, stream.getvalue())
        if not best:
            return
        # A second name for the last checkpoint, which it keeps when the next one replaces it.
        fresh = self._folder / f".{BEST}{TEMPORARY}"
        fresh.unlink(missing_ok=True)
        try:
            fresh.hardlink_to(self._folder / LAST)
        except OSError:  # a file system without second names
            shutil.copyfile(self._folder / LAST, fresh)
        fresh.replace(self._folder / BEST)

    def load(self) -> LoopState:
        """Put every part back to the last checkpoint; a fresh state where there is none.

        Raises
        ------
        ConfigError
            If the checkpoint cannot be read, or is of a run made of something else.
        """
        file = self._folder / LAST
        if not file.is_file():
            return LoopState()
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
            if content["version"] != VERSION:
                raise KeyError("version")
            found = content["identity"]
            # Where the digests agree nothing need be compared, which is nearly always.
            keys = [*self._identity, *found] if content["digest"] != _digest(self._identity) else []
            for key in keys:
                # An option that has left the trainer changed nothing where it was off.
                gone = key not in self._identity and found[key] in _OFF
                same = self._identity.get(key) == found.get(key)
                if not (same or gone or key.startswith(_FREE)):
                    raise ConfigError(
                        "checkpoint_of_another_run",
                        key=key.removeprefix("config."),
                        before=found.get(key, "-"),
                        now=self._identity.get(key, "-"),
                    )
            for name, part in self._parts.items():
                part.load_state_dict(content[name])
            restore_random_state(content["random"])
            return LoopState(**content["state"])
        except _UNREADABLE as error:
            raise ConfigError("checkpoint_unreadable", file=str(file)) from error


def is_unfinished(run: Path) -> bool:
    """Return whether a folder holds a run that ended before its last epoch."""
    state = _read_state(run)
    return state is not None and not state["finished"]


def is_finished(run: Path) -> bool:
    """Return whether a folder holds the checkpoint of a run that has made its last epoch."""
    state = _read_state(run)
    return state is not None and bool(state["finished"])


def finished_epochs(run: Path) -> int:
    """Return how many epochs a folder's checkpoint holds; 0 where there is none."""
    state = _read_state(run)
    return 0 if state is None else int(state["epoch"])


def _read_state(run: Path) -> dict[str, Any] | None:
    file = run / FOLDER / LAST
    if not file.is_file():
        return None
    try:
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        state = content["state"]
        return state if {"finished", "epoch"} <= set(state) else None
    except _UNREADABLE:
        return None  # nothing that could go on


def forget(run: Path) -> None:
    """Remove the checkpoints of an earlier run, which a new one must never go on from."""
    # Both: a best one of another run would pass for this one's.
    for name in (LAST, BEST):
        (run / FOLDER / name).unlink(missing_ok=True)


def _digest(identity: Identity) -> str:
    rest = {key: value for key, value in identity.items() if not key.startswith(_FREE)}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
