"""``station inspect``: a lot without a window. Parse, plan, drive, print."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import typer

from app.cli.options import parse_choices
from app.cli.run_output import RunOutput, summary_lines
from app.cli.terminal import cancel_on_interrupt, progress_bar, say
from app.folders import backend_cache, model_folders, sessions_folder
from app.leftovers import clear_leftovers
from inspection.config import find_policy
from inspection.console import INTERRUPTED, system_language
from inspection.errors import LotError, SessionError
from inspection.keeping.space import shortage
from inspection.lot.scan import scan_lot
from inspection.messages import Language
from inspection.names import told_name
from inspection.records import Lot
from inspection.report.words import Words
from inspection.results import SYSTEMS
from inspection.run.driver import inspect_into
from inspection.run.lanes import build_lane
from inspection.run.plan import Conditions, plan_rest
from inspection.run.run import LOT_WAIT_SECONDS
from inspection.session.creating import create_session
from inspection.session.files import is_session
from inspection.session.store import SessionStore
from inspection.site import current_site
from inspection.systems.image_choice import SAMPLE_KEY, sample_of
from inspection.systems.lane import resolve_device

NOT_INSPECTED = 1


@dataclass(frozen=True, slots=True)
class InspectOptions:
    """The command's options as typed in."""

    lot: Path
    sessions: Path | None = None
    models: Path | None = None
    systems: str = ",".join(SYSTEMS)
    device: str = "auto"
    battery_ids: tuple[str, ...] = ()
    resume: str | None = None
    pairs: Path | None = None
    operator: str = ""
    station: str = ""
    language: Language | None = None
    sample: int | None = None
    with_new_models: bool = False
    digests: bool = False
    wait_minutes: float = LOT_WAIT_SECONDS / 60
    as_json: bool = False


def inspect_lot(options: InspectOptions) -> int:
    """Inspect and save; return 0, 1 where a battery could not be inspected, 130 on Ctrl-C."""
    systems = parse_choices("--systems", options.systems, SYSTEMS)
    words = Words.of(options.language or system_language())
    # The session records the lot's folder; it has to be found again from any other folder.
    lot = scan_lot(options.lot.resolve(), pairs=options.pairs)
    known = {battery.battery_id for battery in lot.batteries}
    for battery_id in options.battery_ids:
        if battery_id not in known:
            raise LotError("battery_unknown", battery=battery_id, lot=lot.root.name)
    models = model_folders(options.models)
    clear_leftovers(sessions_folder(options.sessions), models)
    conditions = Conditions(
        models,
        systems,
        # The policy was found for the classifier's thresholds, so it lies beside that.
        find_policy(models.with_policy),
        resolve_device(options.device),
        cache_dir=backend_cache(),
        digests=options.digests,
    )
    cancel = threading.Event()
    with _open_session(options, lot, conditions, words) as store:
        for problem in store.problems:
            typer.echo(problem.text(words.language), err=True)
        plan = plan_rest(store, lot, conditions, only=options.battery_ids or None)
        if plan.others and not options.with_new_models:
            raise SessionError(plan.others[0].code, **plan.others[0].params)
        aggregation = plan.settings.inspector.aggregation
        room = shortage(plan.batteries, store.folder.parent, aggregation)
        for message in (*plan.others, *plan.told, *room):
            typer.echo(message.text(words.language), err=True)
        if not plan.batteries:
            folder = store.folder
            nothing = say("inspect_nothing_left", session=folder.name, folder=str(folder.parent))
            typer.echo(nothing, err=True)
        with progress_bar() as bar, cancel_on_interrupt(cancel):
            output = RunOutput(bar, words, store, len(plan.batteries))
            cancelled = inspect_into(
                store,
                lot,
                plan,
                build_lane,
                cancel=cancel,
                on_event=output.take,
                lot_wait=60 * options.wait_minutes,
            )
        resume = _command(options, store)
        if options.as_json:
            typer.echo(store.record.model_dump_json(indent=2))
        else:
            typer.echo("\n".join(summary_lines(store, words, None if cancelled else resume)))
        if cancelled:
            typer.echo(say("inspect_stopped", command=resume), err=True)
            return INTERRUPTED
        rows = store.record.batteries
        failed = any(row.kind == "not_inspected" or row.state != "done" for row in rows)
        return NOT_INSPECTED if failed else 0


def _open_session(
    options: InspectOptions, lot: Lot, conditions: Conditions, words: Words
) -> SessionStore:
    """Make a session, or open one of this very lot: its numbers mean nothing in another."""
    root = sessions_folder(options.sessions)
    if options.resume is None:
        return create_session(
            root,
            lot=lot,
            operator=options.operator,
            station=options.station,
            language=words.language,
            config={**conditions.policy.snapshot(), SAMPLE_KEY: options.sample},
            device=conditions.device,
            battery_ids=options.battery_ids or None,
        )
    folder = root / options.resume
    if not is_session(folder):
        raise SessionError("session_unknown", session=folder.name, folder=str(folder.parent))
    store = SessionStore.open(folder)
    inspected, sample = store.record.lot.path, options.sample
    try:
        # A session rebuilt after damage no longer knows its lot.
        here = told_name(str(lot.root)) == inspected
        if inspected and not here and Path(inspected).resolve() != lot.root:
            raise SessionError(
                "session_other_lot", session=folder.name, lot=inspected, given=str(lot.root)
            )
        if sample is not None and sample != sample_of(store.record.config):
            raise SessionError("session_other_sample", session=folder.name, seed=sample)
    except SessionError:
        # The caller, who would close it, never gets it.
        store.close()
        raise
    return store


def _command(options: InspectOptions, store: SessionStore) -> str:
    """Return the command that goes on with a session, as it is typed in a shell."""
    # Operator, station and sample are in the session.
    parts = ["station", "inspect", str(options.lot), "--resume", store.folder.name]
    if options.systems != ",".join(SYSTEMS):
        parts += ["--systems", options.systems]
    if options.device != "auto":
        parts += ["--device", options.device]
    if options.wait_minutes != LOT_WAIT_SECONDS / 60:
        parts += ["--wait", f"{options.wait_minutes:g}"]
    for option, wanted in (
        ("--with-new-models", options.with_new_models),
        ("--digests", options.digests),
    ):
        parts += [option] if wanted else []
    site = current_site()
    for option, value in (
        ("--site", site.folder if site else None),
        ("--session-dir", options.sessions),
        ("--models", options.models),
        ("--pairs", options.pairs),
        ("--language", options.language),
    ):
        if value is not None:
            parts += [option, str(value)]
    for battery_id in options.battery_ids:
        parts += ["--battery", battery_id]
    return subprocess.list2cmdline(parts) if os.name == "nt" else shlex.join(parts)
