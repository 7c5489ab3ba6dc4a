"""A PIN is given over the window: to take it over, to confirm a decision, or for a new PIN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.dialogs.frame import DialogFrame
from app.people.people import People
from app.widgets.sign_in_form import SignInForm
from inspection.people.person import Person

Purpose = Literal["hand_over", "second", "own_pin"]


class SignInDialog(DialogFrame):
    """Asks for name and PIN; whoever is at the station stays until they hold.

    Parameters
    ----------
    names : who can be chosen
    purpose : to take the station over, to confirm a decision, or to choose another PIN
    """

    confirmed = Signal(object)
    """The second person, or whose PIN is another now."""

    def __init__(
        self, parent: QWidget, people: People, names: Sequence[str], purpose: Purpose
    ) -> None:
        super().__init__(parent, width=400)
        self._people = people
        self._purpose = purpose
        title, text, does = {
            "hand_over": (
                self.tr("Hand over"),
                self.tr("The session stays open, and what runs goes on. Who takes over?"),
                self.tr("Sign in"),
            ),
            "second": (
                self.tr("Second person"),
                self.tr("A critical defect is overridden: a second person has to confirm it."),
                self.tr("Confirm"),
            ),
            "own_pin": (
                self.tr("Change my PIN"),
                self.tr("First the present PIN, then twice the one that takes its place."),
                self.tr("Change my PIN"),
            ),
        }[purpose]
        self.setWindowTitle(title)
        self.add_text(text)
        self.form = SignInForm(does)
        self.form.offer(names)
        if purpose == "own_pin":
            self.form.show_mode("renew")
        self.form.tried.connect(self._on_tried)
        self.body.addWidget(self.form)
        self.cancel = self.add_button(self.tr("Cancel"), self.reject)
        self.form.to_first_field()

    def reject(self) -> None:
        """Qt: the dialog is to close; not while the PIN is looked at, whose answer comes here."""
        if self.form.isEnabled():
            super().reject()

    def _on_tried(self, name: str, secret: str, new: str) -> None:
        if self._purpose == "own_pin":
            self._people.change_pin(secret, new, self._on_confirmed, self.form.refuse)
        elif self._purpose == "second":
            self._people.confirm(name, secret, new, self._on_confirmed, self.form.refuse)
        else:
            self._people.changed.connect(self.accept)
            self._people.sign_in(name, secret, new, self.form.refuse)

    def _on_confirmed(self, person: Person) -> None:
        self.accept()
        self.confirmed.emit(person)
