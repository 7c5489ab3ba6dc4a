"""How a session begins: its folder, with every battery queued."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from inspection import __version__
from inspection.atomic import (
    make_folder,
    open_to_group,
    sync_folder,
)
from inspection.config import load_keeping
from inspection.errors import ConfigError
from inspection.messages import Language
from inspection.names import told_name
from inspection.records import Lot
from inspection.results import ModelProvenance
from inspection.session.files import (
    BATTERIES_NAME,
    EVIDENCE_NAME,
    RUN_ID_FORMAT,
    disk_error,
)
from inspection.session.journal import Journal
from inspection.session.lock import SessionLock
from inspection.session.record import (
    BatterySummary,
    LotRecord,
    SessionRecord,
)
from inspection.session.store import SessionStore
from inspection.session.verify import examine


def create_session(
    root: Path,
    *,
    lot: Lot,
    language: Language,
    config: dict[str, Any],
    device: str,
    operator: str = "",
    station: str = "",
    models: Sequence[ModelProvenance] = (),
    version: str = __version__,
    battery_ids: Collection[str] | None = None,
    now: datetime | None = None,
) -> SessionStore:
    """Make a new session folder under ``root``, with every battery queued.

    Parameters
    ----------
    root : folder of sessions; made where it is missing
    lot : the lot that will be inspected
    operator, station, language : who, where, and the language of sentences
    config : snapshot of the configuration
    device, models, version : what judges; models may come later by `set_models`
    battery_ids : the batteries that will be inspected; all of the lot by default
    now : time of the start, for the run's id

    Raises
    ------
    SessionError
        If the folder cannot be written.
    ConfigError
        If the site names a group that may read it, and there is none.
    """
    started = (now or datetime.now()).astimezone()
    chosen = [b for b in lot.batteries if battery_ids is None or b.battery_id in battery_ids]
    try:
        folder = claim_folder(root, started, load_keeping().group)
        record = SessionRecord(
            run_id=folder.name,
            status="pending",
            created_at=started,
            updated_at=started,
            total_images=sum(len(b.ct) + len(b.rgb) for b in chosen),
            processed_images=0,
            progress_percent=0.0,
            lot=lot_record(lot, language),
            operator=operator,
            station=station,
            language=language,
            version=version,
            device=device,
            config=to_jsonable_python(config),
            models=list(models),
            batteries=[
                BatterySummary(
                    battery_id=battery.battery_id,
                    ct_id=battery.ct_id,
                    rgb_id=battery.rgb_id,
                    state="queued",
                    kind="not_inspected",
                )
                for battery in chosen
            ],
        )
        lock = SessionLock(folder)
        try:
            journal = Journal.begin(folder, lock, record)
        except BaseException:
            lock.release()
            raise
    except OSError as error:
        raise disk_error("session_write_failed", root, error) from error
    return SessionStore(folder, examine(folder), journal)


def claim_folder(root: Path, started: datetime, group: str | None) -> Path:
    """Make a folder that no other program has; mkdir is what decides.

    Parameters
    ----------
    group : whose members may read it, beside this account
    """
    root.mkdir(parents=True, exist_ok=True)
    name = started.strftime(RUN_ID_FORMAT)
    for suffix in itertools.chain([""], (f"_{n:02d}" for n in itertools.count(2))):
        folder = root / f"{name}{suffix}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        try:
            open_to_group(folder, group)
        except ConfigError:
            folder.rmdir()
            raise
        make_folder(folder / BATTERIES_NAME)
        make_folder(folder / EVIDENCE_NAME)
        sync_folder(root)
        return folder
    raise AssertionError("the counter has no end")


def lot_record(lot: Lot, language: Language) -> LotRecord:
    """Return what a session keeps of its lot; every finding names its file."""
    findings = []
    for finding in lot.findings:
        reason = finding.reason.text(language)
        if told_name(finding.path.name) not in reason:
            inside = finding.path.is_relative_to(lot.root)
            path = finding.path.relative_to(lot.root) if inside else finding.path
            reason = f"{told_name(path.as_posix())}: {reason}"
        findings.append(reason)
    return LotRecord(
        path=told_name(str(lot.root)),
        name=told_name(lot.root.name),
        batteries=len(lot.batteries),
        pairs=len(lot.pairs),
        findings=findings,
    )
