"""A person as the records name them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from inspection.record_base import Record

Role = Literal["operator", "engineer", "quality", "administrator"]


class Person(Record):
    """Who did something; ``role`` is None where the station has no sign-in."""

    name: str = Field(min_length=1)
    role: Role | None = None
