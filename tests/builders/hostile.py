"""Thousands of hostile inputs by seed and number, and what the station makes of each.

`benchmarks/hostile.py` counts 10,000 of them; the tests look at 500.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from builders.hostile_images import ENDLESS, FOLDER, PIPE, hostile_image, look_at_image
from builders.hostile_texts import (
    drawn,
    hostile_label,
    hostile_names,
    hostile_table,
    look_at_label,
    look_at_table,
    say,
)
from builders.hostile_yaml import hostile_yaml, look_at_yaml
from inspection.errors import InspectionError
from inspection.lot.scan import scan_lot

SHARES = {
    "image": 56, "label": 12, "table": 7, "yaml": 12, "lot": 4, "bundle": 3, "zip": 4,
    "battery": 2,
}  # fmt: skip
"""Of a hundred inputs."""


@dataclass(frozen=True)
class HostileInput:
    """One input.

    Parameters
    ----------
    made : how, in a few words
    files : below a folder of its own, by path; a word of `hostile_images` for what is no file
    opened : the file or folder that the station is given
    """

    kind: str
    number: int
    made: str
    files: dict[str, bytes | str] = field(repr=False)
    opened: str

    def write(self, folder: Path) -> Path:
        """Write it into a folder; returns what is opened."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif content == PIPE:
                os.mkfifo(path)
            elif content == ENDLESS:
                path.symlink_to("/dev/zero")
            elif content == FOLDER:
                path.mkdir()
        return folder / self.opened


@dataclass(frozen=True)
class Outcome:
    """What became of an input: ``read``, ``refused`` or ``error``; what was said; seconds."""

    result: str
    said: str
    seconds: float


def numbers_of(count: int) -> dict[str, range]:
    """Return the numbers of so many inputs in all, by kind."""
    return {kind: range(round(count * share / 100)) for kind, share in SHARES.items()}


def make_input(kind: str, number: int, seed: int = 1) -> HostileInput:
    """Return the input of a kind and number; the same seed gives the same."""
    rng = Random(f"{seed} {kind} {number}")
    made, files, opened = "", {}, ""
    pictures: dict[str, bytes | str] = {
        "044/ct/s_1.jpg": b"x", "044/rgb/v_1.png": b"x", "045/ct/s_1.jpg": b"x",
        "045/rgb/v_1.png": b"x",
    }  # fmt: skip
    if kind == "image":
        made, opened, data = hostile_image(rng)
        files = {opened: data}
    elif kind == "label":
        made, label = hostile_label(rng, drawn(kind, number, seed))
        opened = "044/ct/s_1.json"
        files = pictures | {opened: label}
    elif kind == "table":
        made, table = hostile_table(rng, drawn(kind, number, seed))
        opened = rng.choice(("pairs.csv", "named.csv"))
        files = pictures | {opened: table}
    elif kind == "yaml":
        made, opened, data = hostile_yaml(rng, drawn(kind, number, seed))
        files = {opened: data}
        if rng.random() < 0.5:
            files["recipes/night.yaml"] = data
    elif kind == "lot":
        made, files = "names", hostile_names(rng, drawn(kind, number, seed))
    elif kind in ("bundle", "zip"):
        from builders.hostile_models import hostile_bundle, hostile_zip

        if kind == "zip":
            made, data = hostile_zip(rng)
            files, opened = {"model.zip": data}, "model.zip"
        else:
            made, bundle = hostile_bundle(rng)
            files = {f"model/{name}": data for name, data in bundle.items()}
            opened = "model"
    else:
        raise ValueError(kind)
    return HostileInput(kind, number, made, files, opened)


def look_at(found: HostileInput, path: Path, beside: Path) -> Outcome:
    """Give an input to the part of the station that meets it.

    Parameters
    ----------
    path : as `HostileInput.write` returned it
    beside : a folder for what is kept between inputs, such as installed models
    """
    started = time.monotonic()
    result, said = "read", ""
    try:
        if found.kind == "image":
            look_at_image(path, "ct" if found.number % 2 else "rgb")
        elif found.kind == "label":
            look_at_label(path)
        elif found.kind == "table":
            look_at_table(path.parent, path if path.name == "named.csv" else None)
        elif found.kind == "yaml":
            look_at_yaml(path)
        elif found.kind == "lot":
            lot = scan_lot(path)
            say(finding.reason for finding in lot.findings)
        else:
            from builders.hostile_models import look_at_model

            look_at_model(path, beside / "models")
    except InspectionError as error:
        result, said = "refused", error.text("en")
        try:
            say([error.message])
        except Exception as unsaid:  # noqa: BLE001 - counted, never passed over
            result, said = "error", f"cannot be said: {unsaid!r}"
    except Exception as error:  # noqa: BLE001 - what is counted here
        result, said = "error", f"{type(error).__name__}: {str(error)[:300]}"
    return Outcome(result, said, time.monotonic() - started)
