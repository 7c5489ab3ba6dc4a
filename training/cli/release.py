"""``trainer release`` and ``trainer rollback``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inspection.commands import DeviceOption, JsonOption, LanguageOption, SiteOption
from training.cli.options import DataOption, NormalOption, PartOption, SplitOption

if TYPE_CHECKING:
    from inspection.modelstore.folders import ModelFolders
    from inspection.modelstore.release_records import ReleaseConfig
    from inspection.people.person import Person
    from training.release.units import HeldOutUnits

REFUSED = 1
SlotName = Literal["ct_cnn", "rgb_ae", "ct_ae"]
ModelsOption = Annotated[Path, typer.Option("--models", metavar="FOLDER")]
SignedOption = Annotated[str | None, typer.Option("--signed-by", metavar="NAME")]


def release(
    run: Path,
    models: ModelsOption,
    data: DataOption = None,
    split: SplitOption = None,
    part: PartOption = "test",
    normal: NormalOption = None,
    teaching: Annotated[bool, typer.Option("--teaching")] = False,
    golden: Annotated[list[Path] | None, typer.Option("--golden", metavar="LOT")] = None,
    slot: Annotated[SlotName | None, typer.Option("--slot")] = None,
    margin: Annotated[float | None, typer.Option("--margin", min=0.0, max=1.0)] = None,
    signed_by: SignedOption = None,
    compare_only: Annotated[bool, typer.Option("--compare-only")] = False,
    site: SiteOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> int:
    """Compare a trained model with the one in use, and let it judge from now on."""
    import getpass
    import json

    from inspection.console import system_language
    from inspection.errors import ConfigError
    from inspection.modelstore.releasing import release_model
    from inspection.systems.lane import resolve_device
    from inspection.systems.trial import try_model
    from training.evaluation.evaluate import Data
    from training.release.compare import compare, find_challenger
    from training.release.taught import read_taught_units
    from training.release.text import lines_of
    from training.release.units import read_units

    config, folders = _config(margin), _folders(models)
    challenger = find_challenger(run, slot)
    modality = challenger.manifest.preprocess.modality
    if teaching:
        if data or split or normal is not None:
            raise ConfigError("release_teaching_alone")
        held_out = read_taught_units(run)
    else:
        held_out = _held_out(data or [], split, part, normal, modality)
    gold = read_units(Data(tuple(golden)), modality) if golden else None
    comparison = compare(run, challenger, folders, held_out, gold, config, resolve_device(device))
    language_of = system_language()
    refused = bool(comparison.reservations) and signed_by is None
    if not as_json:
        typer.echo("\n".join(lines_of(comparison, language_of)))
    released = None
    if not (compare_only or refused):
        person = _sign(signed_by) if signed_by else None
        by = person.name if person else getpass.getuser()
        released = release_model(run, folders, comparison, by=by, trial=try_model, signed_by=person)
        _tell_log(person, comparison.slot)
    if as_json:
        document = {
            "comparison": comparison.model_dump(mode="json"),
            "released": released is not None,
            "reasons": [message.text(language_of) for message in comparison.reservations],
        }
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
    if released is not None:
        params = {"slot": released.slot, "name": released.name}
        _say("release_done", **params)
    elif refused:
        _say("release_refused")
    return REFUSED if refused else 0


def rollback(
    slot: SlotName,
    models: ModelsOption,
    signed_by: SignedOption = None,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Bring the model back that the last release has replaced."""
    import getpass

    from inspection.modelstore.releasing import roll_back
    from inspection.systems.trial import try_model

    person = _sign(signed_by) if signed_by else None
    by = person.name if person else getpass.getuser()
    done = roll_back(_folders(models), slot, by=by, trial=try_model, signed_by=person)
    _tell_log(person, slot)
    _say("rollback_done", slot=slot, name=done.name, sha256=done.sha256[:12])
    return 0


def _config(margin: float | None) -> ReleaseConfig:
    from inspection.errors import ConfigError
    from inspection.modelstore.release_records import load_release

    config = load_release()
    if margin is None:
        return config
    # What the site allows is not for whoever gives the command to change.
    if not 0 < margin <= config.margin:
        raise ConfigError("release_margin", margin=margin, most=config.margin)
    return config.model_copy(update={"margin": margin})


def _folders(models: Path) -> ModelFolders:
    """Return where the station finds its models: behind its own folder, the bundled ones."""
    import platformdirs

    from inspection.modelstore.folders import ModelFolders
    from inspection.paths import resource_path

    own = platformdirs.user_data_path("battery-station", appauthor=False) / "models"
    bundled = (resource_path("models"),) if models.resolve() == own.resolve() else ()
    return ModelFolders((models, *bundled))


def _held_out(
    data: list[Path], split: Path | None, part: str, normal: str | None, modality: str
) -> HeldOutUnits:
    from inspection.errors import ConfigError
    from training.evaluation.evaluate import select_data
    from training.release.units import read_plain_units, read_units

    if normal is None:
        return read_units(select_data(data, split, part), modality)
    if split is not None or len(data) != 1 or modality != "rgb":
        raise ConfigError("release_plain")
    return read_plain_units(data[0], normal)


def _sign(name: str) -> Person:
    """Return who signs, once they have shown that it is them and that they may."""
    from inspection.console import ask_secret, system_language
    from inspection.errors import PeopleError
    from inspection.messages import Message
    from inspection.people.roles import load_people
    from inspection.people.users import UserStore
    from inspection.seals.log import StationLog

    config = load_people()
    users = UserStore(config, StationLog())
    roles = config.roles_of("release")
    if not any(user.role in roles for user in users.users()):
        raise PeopleError("release_no_signer", roles=", ".join(roles))
    prompt = Message(code="ask_pin", params={"name": name}).text(system_language())
    person = users.sign_in(name, ask_secret(f"{prompt} "), purpose="release")
    if person.role not in roles:
        raise PeopleError("release_not_allowed", name=person.name, roles=", ".join(roles))
    return person


def _tell_log(person: Person | None, slot: str) -> None:
    """Tell the station's log; what was released stays so where that cannot be written."""
    import getpass

    from inspection.console import system_language
    from inspection.errors import SealError
    from inspection.seals.log import StationLog

    try:
        StationLog().append("models_changed", person, account=getpass.getuser(), installed=[slot])
    except SealError as error:
        typer.echo(error.text(system_language()), err=True)


def _say(code: str, **params: str | int | float) -> None:
    from inspection.console import system_language
    from inspection.messages import Message

    typer.echo(Message(code=code, params=params).text(system_language()), err=True)
