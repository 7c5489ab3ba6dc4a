"""The batteries' files as they are, beside what the chain knows of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from inspection.atomic import TEMPORARY
from inspection.messages import Message
from inspection.session.files import BATTERIES_NAME
from inspection.session.story import SessionStory


def compare_files(
    folder: Path, story: SessionStory, digests: dict[Path, str]
) -> tuple[dict[Path, Path], list[str], list[Message]]:
    """Compare the batteries' files with the chain.

    Returns the files that a kill kept from their place, the batteries whose file is not the
    station's, and what is to be said of them.

    Parameters
    ----------
    digests : from `battery_digests`, before the chain was read
    """
    staged: dict[Path, Path] = {}
    foreign: list[str] = []
    problems: list[Message] = []
    batteries = folder / BATTERIES_NAME
    sealed = {}
    for battery_id, file in story.files.items():
        path = batteries / f"{file.name}.json"
        sealed[path] = battery_id
        # Read again where it is another: it may have been put in its place meanwhile.
        if file.digest == digests.get(path) or file.digest == _digest(path):
            continue
        waiting = batteries.glob(f".{file.name}.json.*{TEMPORARY}")
        late = next((other for other in waiting if digests.get(other) == file.digest), None)
        if late is not None:
            staged[path] = late
            continue
        foreign.append(battery_id)
        code = "seal_battery_altered" if path in digests else "seal_battery_gone"
        params: dict[str, str | int | float] = {"name": path.name, "battery": battery_id}
        problems.append(Message(code=code, params=params))
    for path, digest in digests.items():
        if path.suffix == ".json" and path not in sealed and digest not in story.set_aside:
            problems.append(Message(code="seal_battery_unknown", params={"name": path.name}))
    return staged, foreign, problems


def battery_digests(folder: Path) -> dict[Path, str]:
    """Return the digest of each file of a battery, an empty one where it cannot be read."""
    found = {}
    for path in sorted((folder / BATTERIES_NAME).glob("*")):
        digest = _digest(path) if path.is_file() else None
        if digest is not None:
            found[path] = digest
    return found


def _digest(path: Path) -> str | None:
    """Return a file's digest, an empty one where it cannot be read, None where it is gone."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except OSError:
        return ""
