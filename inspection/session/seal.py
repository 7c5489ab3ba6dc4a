"""What can be vouched for of a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from inspection.messages import Message

SealState = Literal["sealed", "unknown_key", "unsealed", "altered"]


@dataclass(frozen=True, slots=True)
class SealReport:
    """Whether a session is as the station wrote it.

    Parameters
    ----------
    state : ``sealed``: by a key that counts; ``unknown_key``: by one that does not;
        ``unsealed``: some of it is from before sessions were sealed; ``altered``: see ``problems``
    problems : what was found, each with its place, the first broken place first
    keys : fingerprints of the keys that sealed it
    lines : of its chain
    since : when an unsealed session was sealed after all
    """

    state: SealState
    problems: tuple[Message, ...] = ()
    keys: tuple[str, ...] = ()
    lines: int = 0
    since: datetime | None = None

    @property
    def message(self) -> Message:
        """The state in one sentence, without the places."""
        keys = ", ".join(self.keys)
        params: dict[str, str | int | float] = {"keys": keys, "lines": self.lines}
        return Message(code=f"seal_state_{self.state}", params=params)
