"""``station``: the window, and everything it does without one.

Every command imports what it needs when it runs, so that ``--help`` answers at once and headless
commands work where Qt cannot be loaded.
"""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path
from typing import Annotated

import typer

import inspection

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="Battery inspection station: inspect a lot, decide, report.",
)

ModelsOption = Annotated[
    Path | None, typer.Option("--models", help="Folder of model bundles. [default: the bundled]")
]
SessionsOption = Annotated[
    Path | None,
    typer.Option("--session-dir", help="Where sessions are kept. [default: the user's data]"),
]
LanguageOption = Annotated[
    str | None, typer.Option("--language", help="en or ko. [default: the system's]")
]
models_app = typer.Typer(
    rich_markup_mode=None, help="The models of every slot: list, verify, import, download, remove."
)
app.add_typer(models_app, name="models")


def _use_site(folder: Path | None) -> Path | None:
    if folder is not None:
        from inspection.site import use_site
        from inspection.systems.site_schema import check_site

        use_site(folder)
        check_site()
    return folder


SiteOption = Annotated[
    Path | None,
    typer.Option(
        "--site",
        envvar="STATION_SITE",
        callback=_use_site,
        help="Folder of what this site sets (site.yaml). [default: none]",
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"station {inspection.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def station(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Try out this installation, step by step.")
    ] = False,
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
    lot: Annotated[Path | None, typer.Argument(help="Lot folder to open.")] = None,
    models: ModelsOption = None,
    session_dir: SessionsOption = None,
    site: SiteOption = None,
) -> int:
    """Open the window, with a lot where one is given."""
    from app.cli.window import open_window

    return open_window(lot, models, session_dir)


@app.command()
def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Inspect without a window.")] = False,
    models: ModelsOption = None,
    session_dir: SessionsOption = None,
    site: SiteOption = None,
    language: LanguageOption = None,
    device: DeviceOption = "auto",
) -> int:
    """Make a synthetic lot of 74 batteries once, and inspect it with the bundled demo models."""
    from app.cli.demo import run_demo

    return run_demo(headless, models, session_dir, language, device)


@app.command()
def lot(
    out: Annotated[Path, typer.Argument(help="New folder for the lot.")],
    batteries: Annotated[int, typer.Option(min=1, max=999, help="Number of batteries.")] = 74,
    slices: Annotated[int, typer.Option(min=3, max=3000, help="CT slices per battery.")] = 12,
    views: Annotated[int, typer.Option(min=1, max=999, help="RGB views per battery.")] = 6,
    canvas: Annotated[int, typer.Option(min=128, max=4000, help="CT canvas side, pixels.")] = 512,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same lot.")] = 0,
    defects: Annotated[float, typer.Option(min=0, max=1, help="Share of defective ones.")] = 0.4,
) -> int:
    """Write a labelled synthetic lot in the layout of a real one."""
    from app.cli.lot import write_synthetic_lot

    write_synthetic_lot(
        out,
        batteries=batteries,
        slices=slices,
        views=views,
        canvas=canvas,
        seed=seed,
        defects=defects,
    )
    return 0


@app.command()
def inspect(
    lot: Annotated[Path, typer.Argument(help="Lot folder, or one battery's folder.")],
    session_dir: SessionsOption = None,
    site: SiteOption = None,
    models: ModelsOption = None,
    systems: Annotated[str, typer.Option(help="Comma-separated.")] = "ensemble,vlm,vlg",
    device: DeviceOption = "auto",
    battery: Annotated[list[str] | None, typer.Option(help="Only these; repeatable.")] = None,
    resume: Annotated[str | None, typer.Option(help="Run id of a session to go on with.")] = None,
    pairs: Annotated[Path | None, typer.Option(help="pairs.csv. [default: the lot's own]")] = None,
    operator: Annotated[str, typer.Option(help="Operator's name, recorded.")] = "",
    station_name: Annotated[str, typer.Option("--station", help="Station, recorded.")] = "",
    language: LanguageOption = None,
    sample: Annotated[
        int | None,
        typer.Option(
            min=0, help="Seed: the VLM and the VLG see a random sample, to compare fairly."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the session as JSON.")] = False,
) -> int:
    """Inspect a lot without a window. Exit 1 where a battery could not be inspected."""
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
            as_json=as_json,
        )
    )


@app.command()
def report(
    session: Annotated[Path, typer.Argument(help="Session folder.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the report.")],
    formats: Annotated[str, typer.Option(help="Comma-separated.")] = "pdf,html,csv,json",
    battery: Annotated[list[str] | None, typer.Option(help="Only these; repeatable.")] = None,
    language: LanguageOption = None,
    site: SiteOption = None,
) -> int:
    """Export a session as PDF, HTML, CSV and JSON."""
    from app.cli.report import export_report

    export_report(session, formats, out, language, tuple(battery or ()))
    return 0


@app.command()
def compare(
    sessions: Annotated[list[Path], typer.Argument(help="Session folders.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print as one JSON document.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for comparison.json and the CSV files.")
    ] = None,
    language: LanguageOption = None,
    site: SiteOption = None,
) -> int:
    """Compare the systems of a session; of two or more, also what changed."""
    from app.cli.compare import compare as compare_sessions

    compare_sessions(sessions, as_json=as_json, out=out, language=language)
    return 0


@app.command()
def doctor(
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", help="Zip for the support: this, settings and logs; no images."),
    ] = None,
    models: ModelsOption = None,
    session_dir: SessionsOption = None,
    site: SiteOption = None,
) -> int:
    """Show versions, devices, models, disk and folders. Exit 1 where something is wrong."""
    from app.cli.doctor import examine

    return examine(models, session_dir, bundle)


@models_app.command("list")
def list_models(
    models: ModelsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Show every slot: its model, size, source, licence and SHA-256."""
    from app.cli.models import list_models

    list_models(models, as_json=as_json)
    return 0


@models_app.command("verify")
def verify_models(
    slots: Annotated[list[str] | None, typer.Argument(help="[default: all]")] = None,
    models: ModelsOption = None,
) -> int:
    """Hash every byte of the installed models. Exit 1 where one is altered."""
    from app.cli.models import verify_models

    return verify_models(models, slots or ())


@models_app.command("import")
def import_model(
    path: Annotated[Path, typer.Argument(help="Folder or zip of models, or a checkpoint.")],
    models: ModelsOption = None,
    slot: Annotated[str | None, typer.Option(help="Only the model for this slot.")] = None,
    name: Annotated[str, typer.Option(help="Name to record. [default: the folder's]")] = "",
    source: Annotated[str, typer.Option(help="Source to record. [default: PATH]")] = "",
    licence: Annotated[str, typer.Option(help="Licence to record.")] = "",
) -> int:
    """Install models from a folder or a zip, without network."""
    from app.cli.models import import_model

    return import_model(path, models, slot=slot, name=name, source=source, licence=licence)


@models_app.command("download")
def download_model(
    name: Annotated[str | None, typer.Argument(help="Name in the list, or owner/repo.")] = None,
    models: ModelsOption = None,
    show: Annotated[bool, typer.Option("--list", help="Show the known models.")] = False,
) -> int:
    """Download a model and install it. Ctrl-C stops; the same command goes on from there."""
    from app.cli.models import download, list_catalogue

    if show:
        list_catalogue()
        return 0
    if name is None:
        raise typer.BadParameter("Give the name of a model, or --list.")
    return download(name, models)


@models_app.command("remove")
def remove_model(
    slot: Annotated[str | None, typer.Argument(help="Slot to empty.")] = None,
    models: ModelsOption = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Remove unfinished downloads.")
    ] = False,
) -> int:
    """Remove an installed model, or what unfinished downloads have left."""
    from app.cli.models import remove, remove_unfinished

    if slot is None and not unfinished:
        raise typer.BadParameter("Give a slot, or --unfinished.")
    if slot is not None:
        remove(slot, models)
    if unfinished:
        remove_unfinished(models)
    return 0


def main() -> None:
    """Entry point of ``station``."""
    # In a frozen program the worker processes of `station lot` start here again.
    multiprocessing.freeze_support()
    from inspection.console import run

    sys.exit(run(app, "station"))


if __name__ == "__main__":
    main()
