"""Somebody signs in over the window: to take it over, or as the second person of a decision."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.dialogs.frame import DialogFrame
from app.people import People
from app.widgets.sign_in_form import SignInForm
from inspection.people.person import Person


class SignInDialog(DialogFrame):
    """Asks for name and PIN; whoever is at the station stays until they hold.

    Parameters
    ----------
    names : who can be chosen
    second : True to confirm a decision, False to take the station over
    """

    confirmed = Signal(object)
    """The second person."""

    def __init__(
        self, parent: QWidget, people: People, names: Sequence[str], *, second: bool
    ) -> None:
        super().__init__(parent, width=400)
        self._people = people
        self._second = second
        if second:
            self.setWindowTitle(self.tr("Second person"))
            self.add_text(
                self.tr("A critical defect is overridden: a second person has to confirm it.")
            )
        else:
            self.setWindowTitle(self.tr("Hand over"))
            self.add_text(self.tr("The session stays open, and what runs goes on. Who takes over?"))
        self.form = SignInForm()
        self.form.offer(names)
        self.form.tried.connect(self._on_tried)
        self.body.addWidget(self.form)
        self.cancel = self.add_button(self.tr("Cancel"), self.reject)
        self.form.to_first_field()

    def reject(self) -> None:
        """Qt: the dialog is to close; not while the PIN is looked at, whose answer comes here."""
        if self.form.isEnabled():
            super().reject()

    def _on_tried(self, name: str, secret: str, new: str) -> None:
        if self._second:
            self._people.confirm(name, secret, new, self._on_confirmed, self.form.refuse)
        else:
            self._people.changed.connect(self.accept)
            self._people.sign_in(name, secret, new, self.form.refuse)

    def _on_confirmed(self, person: Person) -> None:
        self.accept()
        self.confirmed.emit(person)
