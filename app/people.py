"""Who is at the station, what they may do, and what waits until somebody is."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from inspection.people.person import Person
from inspection.people.roles import Deed, PeopleConfig


class People(QObject):
    """The person at the station.

    Parameters
    ----------
    config : whether people sign in, and which roles may do what
    name : of the operator, where nobody signs in; empty where it is not known yet
    """

    changed = Signal()
    """Another person, or none."""
    needed = Signal()
    """Something waits for the operator's name."""
    named = Signal(str)

    def __init__(self, config: PeopleConfig, name: str, parent: QObject) -> None:
        super().__init__(parent)
        self.config = config
        self._current = Person(name=name) if name and not config.sign_in else None
        self._waiting: Callable[[], None] | None = None

    @property
    def current(self) -> Person | None:
        """Who decides; None where nobody is named or signed in."""
        return self._current

    def may(self, deed: Deed) -> bool:
        """Return whether the person at the station may do something."""
        return self.config.allows(self._current, deed)

    def with_person(self, then: Callable[[], None]) -> None:
        """Go on with ``then`` once it is known who decides; dropped where no name is given."""
        if self._current is not None:
            then()
            return
        self._waiting = then
        self.needed.emit()

    def name(self, name: str) -> None:
        """Name the operator, then go on with what waited for it."""
        self._current = Person(name=name.strip())
        self.named.emit(self._current.name)
        self.changed.emit()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting()

    def forget(self) -> None:
        """Drop what waited for the operator's name."""
        self._waiting = None
