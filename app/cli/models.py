"""``station models``: what is installed for every slot; import, download, verify, remove."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from app.cli.log import record
from app.cli.options import parse_choices
from app.cli.terminal import cancel_on_interrupt, print_table, say
from app.folders import model_folders
from inspection.console import INTERRUPTED, system_language
from inspection.errors import BundleError, ConfigError, ModelMissingError
from inspection.modelstore.catalogue import find_entry, load_catalogue
from inspection.modelstore.download import discard_unfinished, download_model
from inspection.modelstore.folders import ModelFolders
from inspection.modelstore.install import (
    Installed,
    OnProgress,
    Origin,
    import_models,
    remove_model,
)
from inspection.modelstore.install import InstallProgress as Step
from inspection.modelstore.listing import (
    ALL_SLOTS,
    SlotState,
    list_slots,
    slot_state,
    total_size,
)
from inspection.systems.trial import try_model, verified_words, verify_model

ALTERED = 1
DASH = "–"
DIGEST_SHOWN = 12


def list_models(models: Path | None, *, as_json: bool) -> None:
    """Print every slot and its model, as a table or as JSON."""
    states = list_slots(model_folders(models))
    if as_json:
        document = [state.as_json() for state in states]
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    rows = []
    for state in states:
        row = [state.slot, say(f"model_state_{state.condition}"), *[DASH] * 6]
        if state.condition == "installed":
            row[1] += f" ({say('model_demo')})" if state.demo else ""
            digest = state.sha256[:DIGEST_SHOWN]
            row[2:] = [
                part or DASH
                for part in (
                    state.name,
                    _size(state.size),
                    state.licence,
                    digest,
                    _released(state),
                    state.source,
                )
            ]
        rows.append(row)
    columns = ("slot", "state", "name", "size", "licence", "sha256", "released", "source")
    _print_columns(columns, rows)
    for state in states:
        if state.problem is not None:
            typer.echo(_problem(state))
        if state.unrecorded is not None:
            typer.echo(state.unrecorded.text_with_hint(system_language()))
    if any(state.demo for state in states):
        typer.echo(f"({say('model_demo')}): {say('model_demo_note')}")


def verify_models(models: Path | None, slots: Sequence[str]) -> int:
    """Hash every byte of the installed models and try them out; return 1 where one is unusable.

    Raises
    ------
    ModelMissingError
        If a slot is named that has no model.
    """
    folders = model_folders(models)
    chosen = _slots(slots)
    states = [slot_state(folders, slot) for slot in chosen or ALL_SLOTS]
    missing = [state.slot for state in states if state.condition == "not_installed"]
    if chosen and missing:
        raise ModelMissingError("model_not_installed", system=missing[0])
    states = [state for state in states if state.condition != "not_installed"]
    if not states:
        typer.echo(say("model_none_installed"))
        return 0
    cancel = threading.Event()
    total, done = total_size(states), 0
    with cancel_on_interrupt(cancel), _progress() as tell:

        def add(count: int) -> None:
            nonlocal done
            done += count
            tell(Step("check", done, total))

        try:
            verified = [verify_model(folders, state.slot, add, cancel) for state in states]
        except InterruptedError:
            return INTERRUPTED
    for state in verified:
        said = (message.text(system_language()) for message in verified_words(state))
        typer.echo(_problem(state) or " ".join(said))
        if state.unrecorded is not None:
            typer.echo(state.unrecorded.text_with_hint(system_language()))
    return ALTERED if any(state.problem or state.unrecorded for state in verified) else 0


def import_model(
    path: Path, models: Path | None, *, slot: str | None, name: str, source: str, licence: str
) -> int:
    """Install the models of a folder or a zip."""
    if slot is not None:
        (slot,) = _slots([slot])
    folders = model_folders(models)
    origin = Origin(name, source, licence)
    return _install(
        partial(import_models, path, folders.install, trial=try_model, slot=slot, origin=origin),
        "model_cancelled",
        folders,
    )


def download(name: str | None, models: Path | None) -> int:
    """Download a model of the catalogue, or of any repository, and install it."""
    if name is None:
        raise ConfigError("usage_either", first="NAME", second="--list")
    entry = find_entry(name)
    if not entry.commercial:
        limits = say("model_licence_limits", name=entry.name, licence=entry.licence)
        typer.echo(limits, err=True)
    folder = model_folders(models).install
    fetch = partial(download_model, entry, folder, trial=try_model)
    return _install(fetch, "model_download_cancelled", model_folders(models))


def _install(install: Callable[..., Installed], stopped: str, folders: ModelFolders) -> int:
    """Install with a progress bar; Ctrl-C ends it properly, with the message of a code."""
    cancel = threading.Event()
    try:
        with cancel_on_interrupt(cancel), _progress() as tell:
            installed = install(on_progress=tell, cancel=cancel)
    except InterruptedError:
        typer.echo(say(stopped), err=True)
        return INTERRUPTED
    record("models_changed", installed=list(installed.slots))
    typer.echo(say("model_installed", slots=", ".join(installed.slots)))
    if installed.left_out:
        typer.echo(say("model_left_out", files=", ".join(installed.left_out)))
    for slot in installed.slots:
        if (told := slot_state(folders, slot).unrecorded) is not None:
            # It has taken the place of a released one.
            typer.echo(told.text_with_hint(system_language()), err=True)
    return 0


def list_catalogue() -> None:
    """Print the models that `download` knows by name."""
    columns = ("name", "slot", "size", "licence", "use", "repository")
    _print_columns(
        columns,
        [
            (
                entry.name,
                entry.slot or DASH,
                f"{entry.gigabytes:.1f} GB" if entry.gigabytes else DASH,
                entry.licence or DASH,
                say("model_use_commercial" if entry.commercial else "model_use_research"),
                entry.repository,
            )
            for entry in load_catalogue()
        ],
    )


def remove(slot: str | None, models: Path | None, *, unfinished: bool) -> None:
    """Remove the model that was installed for a slot, or what unfinished downloads have left.

    Raises
    ------
    BundleError
        If the slot has no model, or its model came with the program.
    """
    if slot is None and not unfinished:
        raise ConfigError("usage_either", first="SLOT", second="--unfinished")
    folders = model_folders(models)
    if slot is not None:
        (slot,) = _slots([slot])
        state = slot_state(folders, slot)
        if state.condition != "not_installed" and not state.removable:
            raise BundleError("model_bundled", slot=slot)
        remove_model(folders.install, slot)
        record("models_changed", removed=[slot])
        typer.echo(say("model_removed", slot=slot))
    if unfinished:
        freed = discard_unfinished(folders.install)
        typer.echo(say("model_unfinished_removed", size=_size(freed)))


def _print_columns(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print_table([say(f"model_column_{column}") for column in columns], rows)


def _slots(names: Sequence[str]) -> tuple[str, ...]:
    return parse_choices("SLOT", ",".join(names), ALL_SLOTS) if names else ()


def _problem(state: SlotState) -> str:
    if state.problem is None:
        return ""
    return f"{state.slot}: {state.problem.text_with_hint(system_language())}"


def _released(state: SlotState) -> str:
    """Return by whom and when a model was released, empty where it was not."""
    if state.release is None:
        return ""
    who = state.release.signed_by or state.release.by
    return f"{state.release.released_at.astimezone():%Y-%m-%d} {who}"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """A bar on stderr for each phase: copying, downloading, checking."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    tasks: dict[str, TaskID] = {}

    def tell(step: Step) -> None:
        if step.phase not in tasks:
            # Not before there is something to tell: what is refused at once is one line.
            bar.start()
            tasks[step.phase] = bar.add_task(say(f"model_phase_{step.phase}"))
        bar.update(tasks[step.phase], completed=step.done, total=step.total)

    try:
        yield tell
    finally:
        if tasks:
            bar.stop()
