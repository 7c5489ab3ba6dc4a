"""How much of the disk an inspection will take, told before it starts."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from inspection.atomic import battery_file_name
from inspection.config import Aggregation
from inspection.errors import SessionError
from inspection.messages import Message
from inspection.records import Battery
from inspection.session.files import BATTERIES_NAME, EVIDENCE_NAME, is_session, read_battery

GIB = 1 << 30
RESERVE = 256 << 20
"""Left free for everything else on the disk, bytes."""
IMAGE_BYTES = 6_000
"""An image's results and small heat-map, where no earlier session tells."""
PICTURE_BYTES = 300_000
"""The four pictures of an image that is kept as evidence, where no earlier session tells."""
SESSIONS_ASKED = 3
BATTERIES_ASKED = 10


@dataclass(frozen=True, slots=True)
class SpaceEstimate:
    """What an inspection needs of the disk on which its session lies.

    Parameters
    ----------
    needed : bytes, about
    free : bytes
    """

    needed: int
    free: int

    @property
    def enough(self) -> bool:
        """True where the session fits, with something left for everything else."""
        return self.needed + RESERVE <= self.free

    @property
    def shortage(self) -> Message:
        """What is needed and what there is, for a session that does not fit."""
        sizes = {"needed": f"{self.needed / GIB:.1f}", "free": f"{self.free / GIB:.1f}"}
        return Message(code="space_short", params={**sizes})


def shortage(
    batteries: Sequence[Battery], sessions_dir: Path, aggregation: Aggregation
) -> tuple[Message, ...]:
    """Return what has to be told of the disk before an inspection; nothing where there is room.

    A disk that cannot be asked is no reason not to inspect: a full one is told when it is full.
    """
    try:
        estimate = estimate_space(batteries, sessions_dir, aggregation)
    except OSError:
        return ()
    return () if estimate.enough else (estimate.shortage,)


def estimate_space(
    batteries: Sequence[Battery], sessions_dir: Path, aggregation: Aggregation
) -> SpaceEstimate:
    """Estimate what a session about some batteries will take.

    From what the newest sessions of the folder took an image, since that is how this station's
    pictures compress; from usual sizes where there are none.

    Raises
    ------
    OSError
        If the disk cannot be asked for its free space.
    """
    images = sum(len(battery.ct) + len(battery.rgb) for battery in batteries)
    known = _bytes_an_image(sessions_dir)
    if known is None:
        kept = sum(
            min(len(battery.ct), aggregation.evidence_slices)
            + min(len(battery.rgb), aggregation.evidence_views)
            for battery in batteries
        )
        needed = images * IMAGE_BYTES + kept * PICTURE_BYTES
    else:
        needed = round(images * known)
    # The folder of sessions may be made by the first one.
    existing = next(part for part in (sessions_dir, *sessions_dir.parents) if part.is_dir())
    return SpaceEstimate(needed, shutil.disk_usage(existing).free)


def _bytes_an_image(sessions_dir: Path) -> float | None:
    images = taken = 0
    folders = sorted(sessions_dir.iterdir(), reverse=True) if sessions_dir.is_dir() else []
    for folder in islice(filter(is_session, folders), SESSIONS_ASKED):
        for path in islice((folder / BATTERIES_NAME).glob("[!.]*.json"), BATTERIES_ASKED):
            try:
                result = read_battery(path)
            except SessionError:
                continue
            evidence = folder / EVIDENCE_NAME / battery_file_name(result.battery_id)
            size = folder_size(evidence)
            # Pictures that retention has removed say nothing of what new ones will take.
            if size and result.images:
                taken += path.stat().st_size + size
                images += len(result.images)
    return taken / images if images else None


def folder_size(folder: Path) -> int:
    """Return the bytes of all files under a folder; 0 where there is none."""
    size = 0
    for path in folder.rglob("*"):
        # A running inspection renames its files meanwhile.
        with suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size
