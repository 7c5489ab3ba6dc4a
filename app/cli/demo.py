"""``station demo``: a synthetic lot, made once, then inspected."""

from __future__ import annotations

from pathlib import Path

import typer

from app.cli.inspect import InspectOptions, inspect_lot
from app.cli.lot import write_synthetic_lot
from app.cli.options import parse_language
from app.cli.window import open_window
from app.folders import demo_lot_folder
from app.platform_check import DisplayError, require_display
from inspection.console import system_language
from inspection.synthetic import GENERATOR_VERSION

DEMO_SEED = 74
BATTERIES = 74


def run_demo(
    headless: bool, models: Path | None, sessions: Path | None, language: str | None, device: str
) -> int:
    """Make the lot where needed, then open the window or go on without one."""
    chosen = None if language is None else parse_language(language)
    lot = prepare_demo_lot()
    if not headless:
        try:
            require_display()
        except DisplayError as error:
            typer.echo(f"station: {error.text(chosen or system_language())}", err=True)
            headless = True
    if headless:
        options = InspectOptions(
            lot=lot, sessions=sessions, models=models, language=language, device=device
        )
        return inspect_lot(options)
    return open_window(lot, models, sessions, autostart=True, language=chosen)


def prepare_demo_lot() -> Path:
    """Return the demo lot, making it on first use; an older generator's lot is not reused."""
    lot = demo_lot_folder(GENERATOR_VERSION)
    if not lot.is_dir():
        write_synthetic_lot(
            lot, batteries=BATTERIES, slices=12, views=6, canvas=512, seed=DEMO_SEED, defects=0.4
        )
    return lot
