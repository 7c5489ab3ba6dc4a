"""``station users`` and ``station log``: the commands as typer sees them."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from inspection.commands import JsonOption, LanguageOption, SiteOption

users_app = typer.Typer(rich_markup_mode=None)
# As `Role` of the records, which would bring pydantic along.
RoleName = Literal["operator", "engineer", "quality", "administrator"]
ByOption = Annotated[str, typer.Option("--by", metavar="NAME")]


@users_app.command("list")
def list_users(
    as_json: JsonOption = False, site: SiteOption = None, language: LanguageOption = None
) -> int:
    """Show who is known to the station."""
    from app.cli.users import list_users

    list_users(as_json=as_json)
    return 0


@users_app.command("add")
def add_user(
    name: str,
    role: Annotated[RoleName, typer.Option("--role")] = "operator",
    by: ByOption = "",
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Add a user; the first one is the administrator."""
    from app.cli.users import add_user

    add_user(name, role, by)
    return 0


@users_app.command("remove")
def remove_user(
    name: str, by: ByOption = "", site: SiteOption = None, language: LanguageOption = None
) -> int:
    """Remove a user."""
    from app.cli.users import change_user

    change_user("user_removed", name, by)
    return 0


@users_app.command("role")
def set_role(
    name: str,
    role: RoleName,
    by: ByOption = "",
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Give a user another role."""
    from app.cli.users import change_user

    change_user("user_changed", name, by, role)
    return 0


@users_app.command("reset")
def reset_user(
    name: str, by: ByOption = "", site: SiteOption = None, language: LanguageOption = None
) -> int:
    """Give a user a temporary PIN."""
    from app.cli.users import reset_user

    reset_user(name, by)
    return 0


@users_app.command("unlock")
def unlock_user(
    name: str, by: ByOption = "", site: SiteOption = None, language: LanguageOption = None
) -> int:
    """End a user's lock-out."""
    from app.cli.users import change_user

    change_user("user_unlocked", name, by)
    return 0


def show_log(
    last: Annotated[int | None, typer.Option("--last", metavar="N", min=1)] = None,
    as_json: JsonOption = False,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Show the station's log."""
    from app.cli.log import show_log

    return show_log(last, as_json=as_json)
