"""``station --self-test``: tries out an installation, from its libraries to the window.

Takes the bundled models and a temporary folder; the user's models, sessions and settings are left
alone. The window's part is in `app.cli.self_test_window`, which is the only one that imports Qt.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from app.cli.terminal import say
from inspection.console import system_language
from inspection.errors import InspectionError
from inspection.modelstore.folders import ModelFolders
from inspection.paths import resource_path
from inspection.results import SYSTEMS, SystemName

FAILED = 1
BATTERIES = 2
LOT_SEED = 6


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the steps work.

    Parameters
    ----------
    folder : empty; each step leaves in it what the next one needs
    models : the models to test
    """

    folder: Path
    models: ModelFolders

    @property
    def lot(self) -> Path:
        """The lot that is made."""
        return self.folder / "lot"

    @property
    def sessions(self) -> Path:
        """Holds the one session."""
        return self.folder / "sessions"

    def systems(self) -> tuple[SystemName, ...]:
        """Return the ensemble, and the other systems that have a model to test."""
        return tuple(
            name
            for name in SYSTEMS
            if name == "ensemble" or (self.models.holding(name) / name).is_dir()
        )

    def session(self) -> Path:
        """Return the folder of the session."""
        (folder,) = self.sessions.iterdir()
        return folder


Step = Callable[[Bench], None]
"""What is tried; the words for it are the message ``self_test_`` and its name."""


def run_self_test() -> int:
    """Take every step in turn and print a line for each; return 0, or 1 at the first that fails."""
    bundled = ModelFolders((resource_path("models"),))
    with tempfile.TemporaryDirectory(prefix="station-", ignore_cleanup_errors=True) as folder:
        return take_steps(STEPS, Bench(Path(folder), bundled))


def take_steps(steps: Sequence[Step], bench: Bench) -> int:
    """Take steps until one fails."""
    for take in steps:
        words = say(f"self_test_{take.__name__}")
        started = time.monotonic()
        try:
            take(bench)
        except InspectionError as error:
            return _failed(words, error.text(system_language()))
        except Exception as error:  # noqa: BLE001 - shown in full
            # Nobody foresaw it: the maker needs all of it.
            typer.echo("".join(traceback.format_exception(error)), err=True)
            return _failed(words, f"{type(error).__name__}: {error}")
        typer.echo(say("self_test_passed", step=words, seconds=time.monotonic() - started))
    typer.echo(say("self_test_all_passed"))
    return 0


def _failed(step: str, problem: str) -> int:
    typer.echo(say("self_test_failed", step=step, problem=" ".join(problem.split())))
    return FAILED


def libraries(bench: Bench) -> None:
    """Import what the systems need."""
    from inspection.self_check import import_libraries

    import_libraries()


def models(bench: Bench) -> None:
    """Try out the ensemble's models; hash those of the other systems."""
    from inspection.modelstore.listing import verify_slot
    from inspection.systems.trial import try_installed

    try_installed(bench.models)
    for system in bench.systems():
        problem = verify_slot(bench.models, system).problem if system != "ensemble" else None
        if problem is not None:
            raise InspectionError(problem.code, **problem.params)


def lot(bench: Bench) -> None:
    """Make a small lot."""
    from inspection.synthetic import SyntheticLot, write_lot

    spec = SyntheticLot(batteries=BATTERIES, slices=6, views=2, seed=LOT_SEED, defects=0.5)
    # Two processes: a frozen program must be able to start itself again.
    write_lot(bench.lot, spec, workers=2)


def inspection(bench: Bench) -> None:
    """Inspect the lot with every system that has a model, and save the session."""
    from inspection.config import find_policy
    from inspection.lot.scan import scan_lot
    from inspection.run.driver import inspect_into
    from inspection.run.lanes import build_lane
    from inspection.run.plan import Conditions, plan_rest
    from inspection.session.creating import create_session
    from inspection.systems.lane import resolve_device

    lot = scan_lot(bench.lot)
    policy = find_policy(bench.models.with_policy)
    # A slice and a view show that a VLM and a VLG run; a small computer is not to be held up.
    sampling = policy.inspector.sampling.model_copy(update={"images_per_battery": 2})
    inspector = policy.inspector.model_copy(update={"sampling": sampling})
    policy = replace(policy, inspector=inspector)
    device = resolve_device("auto")
    with create_session(
        bench.sessions,
        lot=lot,
        language=system_language(),
        config=policy.snapshot(),
        device=device,
    ) as store:
        # What was found on this computer before is not relied on.
        cache = bench.folder / "backends"
        conditions = Conditions(bench.models, bench.systems(), policy, device, cache_dir=cache)
        plan = plan_rest(store, lot, conditions)
        inspect_into(
            store, lot, plan, build_lane, cancel=threading.Event(), on_event=lambda _event: None
        )


def session(bench: Bench) -> None:
    """Open the session again; every battery must be in it, with what every system said."""
    from inspection.session.store import SessionStore

    with SessionStore.open(bench.session()) as store:
        rows = store.record.batteries
        if len(rows) != BATTERIES or store.problems:
            raise InspectionError("self_test_session_incomplete", session=store.folder.name)
        for row in rows:
            result = store.load_battery(row.battery_id)
            if row.kind == "not_inspected" or result is None:
                raise _not_inspected(row.battery_id, " ".join(row.reasons))
            for system in bench.systems():
                if result.systems[system] != "done":
                    message = result.system_messages.get(system)
                    problem = message.text(store.record.language) if message else ""
                    raise _not_inspected(row.battery_id, f"{system}: {problem}")


def _not_inspected(battery: str, problem: str) -> InspectionError:
    return InspectionError("self_test_not_inspected", battery=battery, problem=problem)


def reports(bench: Bench) -> None:
    """Write the report in both languages."""
    from inspection.report import write_report

    for language in ("en", "ko"):
        out = bench.folder / f"report-{language}"
        for file in write_report(bench.session(), ("pdf", "html"), out, language):
            if file.stat().st_size == 0:
                raise InspectionError("self_test_report_empty", file=file.name)


def window(bench: Bench) -> None:
    """Open, paint and close the window."""
    from app.platform_check import DisplayError, require_display

    try:
        require_display()
    except DisplayError as error:
        if error.message.code != "display_missing":
            raise
        # Painted into memory: the rest of the window is the same.
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        require_display()
    from app.cli.self_test_window import paint_window

    paint_window(bench.models, bench.session(), bench.folder / "settings.json")


STEPS: tuple[Step, ...] = (libraries, models, lot, inspection, session, reports, window)
