"""``station``: the window, and everything it does without one.

Every command imports what it needs when it runs, so that ``--help`` answers at once and headless
commands work where Qt cannot be loaded. What the help says is in ``configs/messages/help.yaml``.
"""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.cli.audit_commands import audit_app
from app.cli.keeping_commands import archive, backup, keep, restore
from app.cli.options import (
    BatteryOption,
    InstallOption,
    ModelsOption,
    SessionsOption,
)
from app.cli.people_commands import show_log, users_app
from inspection.commands import (
    DeviceOption,
    JsonOption,
    LanguageOption,
    SiteOption,
    VersionOption,
    new_program,
)

app = new_program()
models_app = typer.Typer(rich_markup_mode=None)
app.add_typer(models_app, name="models")
app.add_typer(audit_app, name="audit")
app.add_typer(users_app, name="users")


@app.callback(invoke_without_command=True)
def station(
    context: typer.Context,
    version: VersionOption = False,
    self_test: Annotated[bool, typer.Option("--self-test")] = False,
) -> int:
    """Open the window where no command is given."""
    if self_test:
        from app.cli.self_test import run_self_test

        raise typer.Exit(run_self_test())
    if context.invoked_subcommand is None:
        return gui()
    return 0


@app.command()
def gui(
    lot: Annotated[Path | None, typer.Argument()] = None,
    models: ModelsOption = None,
    session_dir: SessionsOption = None,
    site: SiteOption = None,
) -> int:
    """Open the window, with a lot where one is given."""
    from app.cli.window import open_window

    return open_window(lot, models, session_dir)


@app.command()
def demo(
    headless: Annotated[bool, typer.Option("--headless")] = False,
    models: ModelsOption = None,
    session_dir: SessionsOption = None,
    site: SiteOption = None,
    language: LanguageOption = None,
    device: DeviceOption = "auto",
) -> int:
    """Inspect a synthetic lot, which is made once."""
    from app.cli.demo import run_demo

    return run_demo(headless, models, session_dir, language, device)


@app.command()
def lot(
    out: Path,
    batteries: Annotated[int, typer.Option(min=1, max=999)] = 74,
    slices: Annotated[int, typer.Option(min=3, max=3000)] = 12,
    views: Annotated[int, typer.Option(min=1, max=999)] = 6,
    canvas: Annotated[int, typer.Option(min=128, max=4000)] = 512,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    defects: Annotated[float, typer.Option(min=0, max=1)] = 0.4,
    form: Annotated[
        Literal["slices", "jpeg", "tiff-stack", "dicom", "raw"], typer.Option("--as")
    ] = "slices",
    bits: Annotated[Literal["8", "12", "16"], typer.Option()] = "16",
    style: Annotated[int | None, typer.Option(min=0, metavar="SEED")] = None,
    language: LanguageOption = None,
) -> int:
    """Write a labelled synthetic lot."""
    from app.cli.lot import write_synthetic_lot
    from inspection.synthetic import SyntheticLot

    spec = SyntheticLot(
        batteries=batteries,
        slices=slices,
        views=views,
        canvas=canvas,
        seed=seed,
        defects=defects,
        form=form,
        bits=bits,
        style=style,
    )
    write_synthetic_lot(out, spec)
    return 0


@app.command()
def inspect(
    lot: Path,
    session_dir: SessionsOption = None,
    site: SiteOption = None,
    models: ModelsOption = None,
    systems: Annotated[str, typer.Option(metavar="NAMES")] = "ensemble,vlm,vlg",
    device: DeviceOption = "auto",
    battery: BatteryOption = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN")] = None,
    pairs: Path | None = None,
    operator: Annotated[str, typer.Option(metavar="NAME")] = "",
    station_name: Annotated[str, typer.Option("--station", metavar="NAME")] = "",
    language: LanguageOption = None,
    sample: Annotated[int | None, typer.Option(metavar="SEED", min=0)] = None,
    with_new_models: Annotated[bool, typer.Option("--with-new-models")] = False,
    digests: Annotated[bool, typer.Option("--digests")] = False,
    wait: Annotated[float, typer.Option(metavar="MINUTES", min=0)] = 10,
    as_json: JsonOption = False,
) -> int:
    """Inspect a lot without a window."""
    from app.cli.inspect import InspectOptions, inspect_lot

    return inspect_lot(
        InspectOptions(
            lot=lot,
            sessions=session_dir,
            models=models,
            systems=systems,
            device=device,
            battery_ids=tuple(battery or ()),
            resume=resume,
            pairs=pairs,
            operator=operator,
            station=station_name,
            language=language,
            sample=sample,
            with_new_models=with_new_models,
            digests=digests,
            wait_minutes=wait,
            as_json=as_json,
        )
    )


@app.command()
def report(
    session: Path,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER")],
    formats: Annotated[str, typer.Option(metavar="NAMES")] = "pdf,html,csv,json",
    battery: BatteryOption = None,
    language: LanguageOption = None,
    site: SiteOption = None,
) -> int:
    """Export a session as PDF, HTML, CSV and JSON."""
    from app.cli.log import record
    from app.cli.options import parse_choices
    from app.folders import session_given
    from inspection.console import system_language
    from inspection.report import FORMATS, write_report

    wanted = parse_choices("--formats", formats, FORMATS)
    spoken = language or system_language()
    session = session_given(session)
    files = write_report(session, wanted, out, spoken, battery or None)
    record(
        "exported",
        run_id=session.resolve().name,
        files=[file.name for file in files],
        folder=str(out),
    )
    for file in files:
        typer.echo(str(file))
    return 0


@app.command()
def compare(
    sessions: Annotated[list[Path], typer.Argument(show_default=False)],
    as_json: JsonOption = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER")] = None,
    language: LanguageOption = None,
    site: SiteOption = None,
) -> int:
    """Compare the systems of a session; of two or more, also what changed."""
    from app.cli.compare import compare as compare_sessions

    compare_sessions(sessions, as_json=as_json, out=out, language=language)
    return 0


@app.command()
def doctor(
    bundle: Annotated[Path | None, typer.Option("--bundle", metavar="FILE")] = None,
    models: ModelsOption = None,
    session_dir: SessionsOption = None,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Show what this installation consists of, and what is wrong with it."""
    from app.cli.doctor import examine

    return examine(models, session_dir, bundle)


for command in (archive, backup, restore, keep):
    app.command()(command)
app.command("log")(show_log)


@models_app.command("list")
def list_models(
    models: ModelsOption = None, as_json: JsonOption = False, language: LanguageOption = None
) -> int:
    """Show every slot and its model."""
    from app.cli.models import list_models

    list_models(models, as_json=as_json)
    return 0


@models_app.command("verify")
def verify_models(
    slots: Annotated[list[str] | None, typer.Argument()] = None,
    models: ModelsOption = None,
    language: LanguageOption = None,
) -> int:
    """Hash every byte of the installed models."""
    from app.cli.models import verify_models

    return verify_models(models, slots or ())


@models_app.command("import")
def import_model(
    path: Path,
    models: InstallOption = None,
    slot: Annotated[str | None, typer.Option(metavar="SLOT")] = None,
    name: Annotated[str, typer.Option(metavar="NAME")] = "",
    source: str = "",
    licence: str = "",
    language: LanguageOption = None,
) -> int:
    """Install models from a folder or a zip, without network."""
    from app.cli.models import import_model

    return import_model(path, models, slot=slot, name=name, source=source, licence=licence)


@models_app.command("download")
def download_model(
    name: Annotated[str | None, typer.Argument()] = None,
    models: InstallOption = None,
    show: Annotated[bool, typer.Option("--list")] = False,
    language: LanguageOption = None,
) -> int:
    """Download a model and install it, or show the known ones."""
    from app.cli.models import download, list_catalogue

    if show:
        list_catalogue()
        return 0
    return download(name, models)


@models_app.command("remove")
def remove_model(
    slot: Annotated[str | None, typer.Argument()] = None,
    models: ModelsOption = None,
    unfinished: Annotated[bool, typer.Option("--unfinished")] = False,
    language: LanguageOption = None,
) -> int:
    """Remove an installed model, or what unfinished downloads have left."""
    from app.cli.models import remove

    remove(slot, models, unfinished=unfinished)
    return 0


def main() -> None:
    """Entry point of ``station``."""
    # In a frozen program the worker processes of `station lot` start here again.
    multiprocessing.freeze_support()
    from inspection.console import run

    sys.exit(run(app, "station"))


if __name__ == "__main__":
    main()
