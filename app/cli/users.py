"""``station users``: who is known to the station; each change in an administrator's name."""

from __future__ import annotations

import json
from typing import Literal

import typer

from app.cli.terminal import print_table, say
from inspection.console import ask_secret, system_language
from inspection.errors import PeopleError
from inspection.people.person import Person, Role
from inspection.people.roles import load_people
from inspection.people.users import UserStore
from inspection.people.users_file import User
from inspection.seals.log import StationLog

Change = Literal["user_removed", "user_changed", "user_unlocked"]


def list_users(*, as_json: bool) -> None:
    """Print everybody, as a table or as JSON, without their PINs."""
    users = _store()
    if (problem := users.problem()) is not None:
        typer.echo(problem.text_with_hint(system_language()), err=True)
    known = users.users()
    if as_json:
        documents = [user.model_dump(mode="json", exclude={"secret"}) for user in known]
        typer.echo(json.dumps(documents, indent=2, ensure_ascii=False))
        return
    rows = [(user.name, say(f"role_{user.role}"), _state(user)) for user in known]
    print_table([say(f"user_column_{name}") for name in ("name", "role", "state")], rows)


def add_user(name: str, role: Role, by: str) -> None:
    """Add a user with a temporary PIN; the first one is the administrator, with their own."""
    users = _store()
    if not users.users():
        users.add_first(name, _new_secret("ask_own_pin", name))
        role = "administrator"
    else:
        person = _administrator(users, by)
        users.add(name, role, _new_secret("ask_temporary_pin", name), person)
    typer.echo(say("user_added", name=name, role=say(f"role_{role}")))


def reset_user(name: str, by: str) -> None:
    """Give a user a temporary PIN."""
    users = _store()
    person = _administrator(users, by)
    users.reset(name, _new_secret("ask_temporary_pin", name), person)
    typer.echo(say("user_reset", name=name))


def change_user(change: Change, name: str, by: str, role: Role | None = None) -> None:
    """Remove a user, give another role, or end a lock-out."""
    users = _store()
    person = _administrator(users, by)
    if change == "user_removed":
        users.remove(name, person)
    elif role is not None:
        users.set_role(name, role, person)
    else:
        users.unlock(name, person)
    told = say(f"role_{role}") if role else ""
    typer.echo(say(change, name=name, role=told))


def _store() -> UserStore:
    return UserStore(load_people(), StationLog())


def _administrator(users: UserStore, by: str) -> Person:
    """Return who changes users, once they have shown that it is them."""
    able = [user.name for user in users.users() if users.may_manage(user)]
    if not by and len(able) == 1:
        by = able[0]
    if not by:
        raise PeopleError("users_by", names=", ".join(able))
    secret = _ask("ask_pin", by)
    try:
        return users.sign_in(by, secret, purpose="command")
    except PeopleError as error:
        if error.message.code != "sign_in_renew":
            raise
        typer.echo(error.text(system_language()), err=True)
    return users.sign_in(by, secret, _new_secret("ask_own_pin", by), purpose="command")


def _new_secret(code: str, name: str) -> str:
    secret = _ask(code, name)
    if _ask("ask_pin_again", name) != secret:
        raise PeopleError("secret_twice")
    return secret


def _ask(code: str, name: str) -> str:
    return ask_secret(say(code, name=name) + " ")


def _state(user: User) -> str:
    if user.locked_out:
        return say("user_state_locked_out")
    return say("user_state_temporary") if user.temporary else ""
