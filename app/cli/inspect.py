"""``station inspect``: a lot, headless, with a progress bar on stderr."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.progress import Progress

from app.cli.interrupt import cancel_on_interrupt
from app.cli.lot import progress_bar
from app.cli.options import parse_choices, parse_language
from app.folders import backend_cache, model_folders, sessions_folder
from inspection import __version__
from inspection.config import Policy, find_policy, policy_of
from inspection.console import INTERRUPTED
from inspection.errors import LotError, SessionError
from inspection.lot.scan import scan_lot
from inspection.messages import Message
from inspection.records import Battery, Lot
from inspection.results import SYSTEMS, BatteryResult, SystemName
from inspection.run.assemble import said_before
from inspection.run.driver import inspect_batteries
from inspection.run.lanes import LaneSettings, build_lane, resolve_device
from inspection.run.said import Spoken
from inspection.session.store import SessionStore
from inspection.systems.image_choice import SAMPLE_KEY, ImageChooser, sample_of

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
    language: str | None = None
    sample: int | None = None
    as_json: bool = False


def inspect_lot(options: InspectOptions) -> int:
    """Inspect and save; return 0, 1 where a battery could not be inspected, 130 on Ctrl-C."""
    systems = parse_choices("--systems", options.systems, SYSTEMS)
    parse_choices("--device", options.device, ("auto", "cpu", "cuda"))
    # The session records the lot's folder; it has to be found again from any other folder.
    lot = scan_lot(options.lot.resolve(), pairs=options.pairs)
    batteries = _chosen(lot, options.battery_ids)
    models = model_folders(options.models)
    # The policy was found for the classifier's thresholds, so it lies beside that.
    policy = find_policy(models.holding("ct_cnn"))
    device = resolve_device(options.device)
    with _open_session(options, lot, batteries, policy, device) as store:
        # A resumed session goes on as it was begun.
        policy, sample = policy_of(store.record.config, policy), sample_of(store.record.config)
        before = _said_before(store)
        remaining = set(store.remaining(lot))
        in_session = {row.battery_id for row in store.record.batteries} | remaining
        todo = [
            battery
            for battery in batteries
            if battery.battery_id in in_session
            and (
                battery.battery_id in remaining
                or set(systems).difference(before.get(battery.battery_id, ()))
            )
        ]
        settings = LaneSettings(
            models=models,
            lot_root=lot.root,
            inspector=policy.inspector,
            chooser=ImageChooser(
                policy.inspector.sampling,
                lot.root,
                with_ensemble="ensemble" in systems,
                seed=sample,
            ),
            device=device,
            evidence_dir=store.evidence_dir,
            language=store.record.language,
            cache_dir=backend_cache(),
        )
        cancelled = _run(todo, before, systems, settings, store, device)
        _close(store, lot, cancelled)
        _print(store, as_json=options.as_json)
        if cancelled:
            return INTERRUPTED
        rows = store.record.batteries
        failed = any(row.kind == "not_inspected" or row.state != "done" for row in rows)
        return NOT_INSPECTED if failed else 0


def _chosen(lot: Lot, battery_ids: tuple[str, ...]) -> list[Battery]:
    if not battery_ids:
        return list(lot.batteries)
    by_id = {battery.battery_id: battery for battery in lot.batteries}
    for battery_id in battery_ids:
        if battery_id not in by_id:
            raise LotError("battery_unknown", battery=battery_id, lot=lot.root.name)
    return [by_id[battery_id] for battery_id in dict.fromkeys(battery_ids)]


def _open_session(
    options: InspectOptions,
    lot: Lot,
    batteries: list[Battery],
    policy: Policy,
    device: str,
) -> SessionStore:
    root = sessions_folder(options.sessions)
    if options.resume is not None:
        return _resumed(root / options.resume, lot, options.sample)
    return SessionStore.create(
        root,
        lot=lot,
        operator=options.operator,
        station=options.station,
        language=parse_language(options.language),
        config={**policy.snapshot(), SAMPLE_KEY: options.sample},
        device=device,
        models=[],
        version=__version__,
        battery_ids=[battery.battery_id for battery in batteries],
    )


def _resumed(folder: Path, lot: Lot, sample: int | None) -> SessionStore:
    """Open a session of this very lot: battery numbers mean nothing in another one."""
    store = SessionStore.open(folder)
    try:
        _check_resumed(store, lot, sample)
    except SessionError:
        store.close()
        raise
    return store


def _check_resumed(store: SessionStore, lot: Lot, sample: int | None) -> None:
    inspected, session = store.record.lot, store.folder.name
    # A session rebuilt after damage no longer knows its lot.
    if inspected.path and Path(inspected.path).resolve() != lot.root:
        raise SessionError(
            "session_other_lot", session=session, lot=inspected.path, given=str(lot.root)
        )
    if sample is not None and sample != sample_of(store.record.config):
        raise SessionError("session_other_sample", session=session, seed=sample)


def _said_before(store: SessionStore) -> dict[str, Spoken]:
    """Return what a resumed session holds already."""
    results = (store.load_battery(row.battery_id) for row in store.record.batteries)
    return {
        result.battery_id: Spoken(said_before(result)) for result in results if result is not None
    }


def _run(
    todo: list[Battery],
    before: dict[str, Spoken],
    systems: tuple[SystemName, ...],
    settings: LaneSettings,
    store: SessionStore,
    device: str,
) -> bool:
    lanes = [build_lane(system, settings) for system in systems]
    cancel = threading.Event()
    with progress_bar() as bar, cancel_on_interrupt(cancel):
        task = bar.add_task("Inspecting", total=len(todo))

        def show(result: BatteryResult) -> None:
            _show(bar, result)
            bar.advance(task)

        store.mark("processing")
        inspect_batteries(todo, lanes, store, device, cancel=cancel, on_battery=show, before=before)
    return cancel.is_set()


def _show(bar: Progress, result: BatteryResult) -> None:
    if result.verdict.kind != "normal":
        name = result.verdict.defect_type or ""
        bar.console.print(f"{result.battery_id}  {result.verdict.kind}  {name}", highlight=False)


def _close(store: SessionStore, lot: Lot, cancelled: bool) -> None:
    open_ids = store.remaining(lot)
    if cancelled:
        store.mark("cancelled")
    elif open_ids:
        reason = Message(code="batteries_not_inspected", params={"count": len(open_ids)})
        store.mark("failed", reason.text(store.record.language))
    else:
        store.mark("completed")


def _print(store: SessionStore, *, as_json: bool) -> None:
    if as_json:
        typer.echo(store.record.model_dump_json(indent=2))
        return
    counts = Counter(row.kind for row in store.record.batteries)
    typer.echo(", ".join(f"{kind}: {count}" for kind, count in sorted(counts.items())))
    typer.echo(str(store.folder))
