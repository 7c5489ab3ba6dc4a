"""``configs/people.yaml``: whether people sign in, and which roles may do what."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from inspection.config import Config, load_section
from inspection.paths import config_path
from inspection.people.person import Person, Role

SECTION = "people"

Deed = Literal[
    "decide",
    "change_decision",
    "undo",
    "confirm",
    "sign",
    "start",
    "settings",
    "models",
    "users",
    "export",
    "keeping",
    "release",
]
"""What a role may or may not do."""


class Throttle(Config):
    """What wrong PINs cost."""

    attempts: int = Field(ge=1, le=100)
    wait_seconds: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)]
    lock_minutes: Annotated[float, Field(gt=0, le=60 * 24 * 7, allow_inf_nan=False)]


class PeopleConfig(Config):
    """How the station knows people, and which roles may do what.

    Parameters
    ----------
    sign_in : False where the operator is only named
    auto_lock_minutes : until the screen is locked by itself; 0 for never
    second_person : a critical defect overridden to normal needs a second one
    may : roles by deed
    """

    sign_in: bool
    auto_lock_minutes: Annotated[float, Field(ge=0, le=60 * 24, allow_inf_nan=False)]
    shortest_secret: int = Field(ge=4, le=64)
    throttle: Throttle
    second_person: bool
    may: dict[Deed, list[Role]]

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        if self.second_person and not self.sign_in:
            raise ValueError("second_person needs sign_in: true")
        if self.sign_in and not self.may.get("users"):
            raise ValueError("may.users needs a role, or nobody could add a user")
        return self

    def roles_of(self, deed: Deed) -> list[Role]:
        """Return the roles that may do something where people sign in."""
        return self.may.get(deed, [])

    def allows(self, person: Person | None, deed: Deed) -> bool:
        """Return whether a person may do something; without sign-in everybody may."""
        if not self.sign_in:
            return True
        return person is not None and person.role in self.roles_of(deed)


def load_people() -> PeopleConfig:
    """Return the installed table of people, and what the site sets.

    Raises
    ------
    ConfigError
        If it is malformed, or asks for a second person where nobody signs in.
    """
    return load_section(config_path(f"{SECTION}.yaml"), PeopleConfig, SECTION, with_site=True)
