"""``station demo``: a synthetic lot, made once, then inspected."""

from __future__ import annotations

from pathlib import Path

import typer

from app.cli.inspect import InspectOptions, inspect_lot
from app.cli.lot import write_synthetic_lot
from app.cli.terminal import say
from app.cli.window import open_window
from app.folders import demo_lot_folder
from app.platform_check import DisplayError, require_display
from inspection.console import system_language
from inspection.messages import Language
from inspection.synthetic import GENERATOR_VERSION, SyntheticLot

DEMO_LOT = SyntheticLot(batteries=74, slices=12, views=6, canvas=512, seed=74, defects=0.4)


def run_demo(
    headless: bool,
    models: Path | None,
    sessions: Path | None,
    language: Language | None,
    device: str,
) -> int:
    """Make the lot where needed, then open the window or go on without one.

    Raises
    ------
    DisplayError
        If there is a display, and a library is missing that Qt needs to use it.
    """
    if not headless:
        try:
            require_display()
        except DisplayError as error:
            if error.message.code == "qt_library_missing":
                raise
            problem = error.message.text(system_language())
            typer.echo(f"station: {say('demo_without_window', problem=problem)}", err=True)
            headless = True
    lot = prepare_demo_lot()
    if headless:
        options = InspectOptions(
            lot=lot, sessions=sessions, models=models, language=language, device=device
        )
        return inspect_lot(options)
    return open_window(lot, models, sessions, autostart=True, language=language)


def prepare_demo_lot() -> Path:
    """Return the demo lot, making it on first use; an older generator's lot is not reused."""
    lot = demo_lot_folder(GENERATOR_VERSION)
    return lot if lot.is_dir() else write_synthetic_lot(lot, DEMO_LOT)
