"""Evidence pictures that a site keeps for a time only; verdicts, decisions and chains stay.

Nothing goes without having been told: what the rule takes is announced first, in a file of the
station's, and removed once the notice has run out.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from inspection.atomic import write_atomic
from inspection.config import EvidenceRule, load_keeping
from inspection.errors import InspectionError
from inspection.keeping.space import GIB, folder_size
from inspection.messages import Message
from inspection.paths import data_folder
from inspection.seals.log import StationLog
from inspection.session.files import EVIDENCE_NAME, disk_error, list_sessions
from inspection.session.store import SessionStore

NOTICES_NAME = "retention.json"


@dataclass(frozen=True, slots=True)
class Removal:
    """A session's evidence that the rule takes.

    Parameters
    ----------
    folder : the session's
    size : of its evidence, bytes
    why : ``age``, or ``size`` of all evidence together
    due : when it goes
    """

    folder: Path
    size: int
    why: Literal["age", "size"]
    due: datetime


def plan_removals(
    sessions_dir: Path, rule: EvidenceRule, notices: Path, now: datetime
) -> list[Removal]:
    """Return what the rule takes, oldest first, and announce what was not announced yet.

    A session that is not completed keeps its evidence: somebody has still to look at it.

    Parameters
    ----------
    sessions_dir : folder of sessions
    rule : the site's
    notices : file of what was announced
    now : time, with its zone

    Raises
    ------
    OSError
        If the notices cannot be written: then nothing may be removed.
    """
    sizes: list[tuple[Path, datetime, int]] = []
    for listing in reversed(list_sessions(sessions_dir)):
        if listing.record is None or listing.record.status != "completed":
            continue
        size = folder_size(listing.folder / EVIDENCE_NAME)
        if size:
            sizes.append((listing.folder, listing.record.created_at, size))
    too_much = 0.0
    if rule.max_gib is not None:
        too_much = sum(size for *_, size in sizes) - rule.max_gib * GIB
    taken: dict[Path, tuple[int, Literal["age", "size"]]] = {}
    for folder, created_at, size in sizes:
        old = rule.max_days is not None and created_at < now - timedelta(days=rule.max_days)
        if old or too_much > 0:
            taken[folder] = size, "age" if old else "size"
            too_much -= size
    known = _read_notices(notices)
    told = {str(folder): known.get(str(folder), now) for folder in taken}
    if told != known:
        notices.parent.mkdir(parents=True, exist_ok=True)
        written = {folder: at.isoformat() for folder, at in told.items()}
        write_atomic(notices, json.dumps(written, ensure_ascii=False, indent=2))
    notice = timedelta(days=rule.notice_days)
    return [
        Removal(folder, size, why, told[str(folder)] + notice)
        for folder, (size, why) in taken.items()
    ]


def remove_evidence(removal: Removal) -> None:
    """Remove a session's evidence; the session's chain tells of it first.

    Raises
    ------
    SessionError
        If another program writes the session, or the disk refuses.
    """
    with SessionStore.open(removal.folder) as store:
        store.note_evidence_removed(removal.size, removal.why)
        try:
            for path in store.evidence_dir.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            raise disk_error("session_write_failed", removal.folder, error) from error
    StationLog().append("retention", run_id=removal.folder.name, bytes=removal.size)


@dataclass(frozen=True, slots=True)
class Kept:
    """What keeping the rule came to.

    Parameters
    ----------
    removed, coming : whose evidence went, and whose goes later
    problems : why other evidence that was due is still there
    """

    removed: tuple[Removal, ...]
    coming: tuple[Removal, ...]
    problems: tuple[Message, ...]


def keep_rule(sessions_dir: Path, *, dry_run: bool = False) -> Kept:
    """Announce and remove what the site's rule takes by now.

    Raises
    ------
    OSError
        If what is announced cannot be written down.
    """
    rule, now = load_keeping().evidence, datetime.now().astimezone()
    planned = plan_removals(sessions_dir, rule, data_folder() / NOTICES_NAME, now)
    removed, problems = [], []
    for removal in planned:
        if removal.due > now or dry_run:
            continue
        try:
            remove_evidence(removal)
        except InspectionError as error:
            params = {"session": removal.folder.name, "problem": error.message.text("en")}
            problems.append(Message(code="retention_failed", params={**params}))
        else:
            removed.append(removal)
    coming = tuple(r for r in planned if dry_run or r.due > now)
    return Kept(tuple(removed), coming, tuple(problems))


def _read_notices(path: Path) -> Mapping[str, datetime]:
    try:
        content = json.loads(path.read_bytes())
        return {
            str(folder): datetime.fromisoformat(at).astimezone() for folder, at in content.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        # Without notices everything is announced anew, which only puts the removal off.
        return {}
