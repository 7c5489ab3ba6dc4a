"""The teachings of this station: a folder each, and what has become of it."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import ValidationError

from inspection.atomic import make_folder, write_atomic
from inspection.errors import InspectionError
from inspection.modelstore.folders import ModelFolders, Slot
from inspection.modelstore.teaching import (
    CANCEL_NAME,
    LOCK_NAME,
    PROGRESS_NAME,
    REQUEST_NAME,
    RESULT_NAME,
    TeachEvent,
    TeachRequest,
    TeachResult,
)

ROOM = 1 << 30
"""Bytes that have to be free: checkpoints, decoded images and the model."""
State = Literal["working", "finished", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class Teaching:
    """One teaching.

    Parameters
    ----------
    state : ``stopped`` where the trainer has ended without a word, or was asked to
    event : the last one that it told
    result : of a finished one
    """

    folder: Path
    request: TeachRequest
    state: State
    event: TeachEvent | None
    result: TeachResult | None


def model_in_use(models: ModelFolders, slot: Slot) -> Path | None:
    """Return the folder of a slot's model; None where there is none."""
    folder = models.holding(slot) / slot
    return folder if folder.is_dir() else None


def new_teaching(root: Path, request: TeachRequest) -> Path:
    """Make the folder of a teaching, with its request in it.

    Raises
    ------
    InspectionError
        If the disk refuses, or there is no room on it.
    """
    try:
        text = request.model_dump_json(indent=1)
    except ValueError as error:
        # The JSON of a request is UTF-8; a lot's path need not be.
        raise InspectionError("teach_lot_name") from error
    try:
        make_folder(root)
        free = shutil.disk_usage(root).free
        if free < ROOM:
            sizes = {"needed": f"{ROOM / 1e9:.1f}", "free": f"{free / 1e9:.1f}"}
            raise InspectionError("teach_no_room", **sizes)
        stamp = f"{datetime.now():%Y%m%d-%H%M%S}-{request.slot}"
        folder, count = root / stamp, 2
        while folder.exists():
            folder, count = root / f"{stamp}-{count}", count + 1
        make_folder(folder)
        write_atomic(folder / REQUEST_NAME, text + "\n")
    except OSError as error:
        raise InspectionError("teach_disk", problem=error.strerror or str(error)) from error
    return folder


def list_teachings(root: Path) -> list[Teaching]:
    """Return all teachings, the newest first; what is none is left out."""
    found = [read_teaching(path.parent) for path in root.glob(f"*/{REQUEST_NAME}")]
    known = [teaching for teaching in found if teaching is not None]
    return sorted(known, key=lambda teaching: teaching.folder.name, reverse=True)


def read_teaching(folder: Path) -> Teaching | None:
    """Return what a folder tells; None where it holds no request that is understood."""
    try:
        text = (folder / REQUEST_NAME).read_text(encoding="utf-8")
        request = TeachRequest.model_validate_json(text)
    except (OSError, ValueError):
        return None
    event, result = None, None
    try:
        text = (folder / PROGRESS_NAME).read_text(encoding="utf-8")
        event = TeachEvent.model_validate_json(text)
    except (OSError, ValueError):
        event = None
    try:
        text = (folder / RESULT_NAME).read_text(encoding="utf-8")
        result = TeachResult.model_validate_json(text)
    except (OSError, ValidationError, ValueError):
        result = None
    if result is not None:
        state: State = "finished"
    elif is_at_work(folder):
        state = "working"
    else:
        state = "failed" if event is not None and event.stage == "failed" else "stopped"
    return Teaching(folder, request, state, event, result)


def is_at_work(folder: Path) -> bool:
    """Return whether a trainer works in a folder: it holds a lock as long as it lives."""
    lock = folder / LOCK_NAME
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def ask_to_stop(folder: Path) -> None:
    """Ask the trainer of a teaching to stop, whoever started it."""
    (folder / CANCEL_NAME).touch()


def remove_teaching(folder: Path) -> None:
    """Remove a teaching, which nobody may be working at."""
    if not is_at_work(folder):
        shutil.rmtree(folder, ignore_errors=True)


def read_curves(folder: Path) -> dict[str, list[float]]:
    """Return the columns of the log of a teaching's run, by name; empty where there is none."""
    curves: dict[str, list[float]] = {}
    for log in sorted(folder.glob("run-*/log.csv"), key=lambda path: path.stat().st_mtime)[-1:]:
        with log.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                for name, value in row.items():
                    curves.setdefault(name, []).append(float(value))
    curves.pop("epoch", None)
    return curves
