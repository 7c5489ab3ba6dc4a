"""What people say of single images: that one shows nothing wrong, or that word taken back.

A decision is about a battery and says nothing of one of its slices; this does. It is a line of the
session's chain and of nothing else, so that stations from before it open the session as ever.
"""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import Field

from inspection.people.person import Person, Role
from inspection.record_base import Record

IMAGE_CONFIRMED = "image_confirmed"
"""The event of its line."""


class ImageWord(Record):
    """A person's word on one image of a battery.

    ``normal`` is False where the word is taken back. ``image`` is named as in results, ``shown``
    is the SHA-256 of the battery's file as it was then; None where it had none.
    """

    battery_id: str
    image: str = Field(min_length=1)
    normal: bool
    operator: str = Field(min_length=1)
    role: Role | None = None
    said_at: datetime
    shown: str | None = None

    @classmethod
    def of(
        cls, battery_id: str, image: str, person: Person, *, normal: bool, shown: str | None
    ) -> Self:
        """Return what a person says now."""
        return cls(
            battery_id=battery_id,
            image=image,
            normal=normal,
            operator=person.name,
            role=person.role,
            said_at=datetime.now().astimezone(),
            shown=shown,
        )
