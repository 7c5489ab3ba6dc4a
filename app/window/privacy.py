"""Every window of the program besides the main one follows the person: put away, or closed."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QDialog, QWidget
from shiboken6 import isValid

from app.people.people import People
from inspection.people.person import Person


class Privacy(QObject):
    """Hides docks that float and dialogs while the screen is locked.

    Whoever was there before finds them again as they were, half-filled ones too. For somebody
    else dialogs are closed: what the one had begun to decide must not be the other's word.
    """

    def __init__(self, window: QWidget, people: People) -> None:
        super().__init__(window)
        self._window = window
        self._people = people
        self._hidden: list[QWidget] = []
        self._person: Person | None = people.current
        people.changed.connect(self._on_people)

    def _on_people(self) -> None:
        if not self._people.config.sign_in:
            # There is no lock, and a name is no proof of another person.
            return
        current = self._people.current
        if current is None:
            self._hidden = [one for one in self._others() if one.isVisible()]
            for one in self._hidden:
                one.hide()
            return
        before, self._person = self._person, current
        hidden, self._hidden = [one for one in self._hidden if isValid(one)], []
        own = before is None or before.name == current.name
        for one in hidden:
            if own or not isinstance(one, QDialog):
                one.show()
            else:
                one.reject()
        if not own and not hidden:
            for one in self._others():
                if isValid(one) and isinstance(one, QDialog):
                    one.reject()

    def _others(self) -> list[QWidget]:
        """Return the other windows of the program, those over others first."""
        return [one for one in reversed(QApplication.topLevelWidgets()) if self._is_ours(one)]

    def _is_ours(self, one: QWidget) -> bool:
        # Not `isAncestorOf`, which does not look beyond a window.
        above = one.parentWidget()
        while above is not None and above is not self._window:
            above = above.parentWidget()
        return above is not None
