"""Name and PIN: to sign in, to choose a PIN of one's own, or to be the first administrator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLineEdit

from app.widgets.panel import Panel, button, column, dress, label
from app.wording import error_text, message_text
from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.people.pins import LONGEST_SECRET
from inspection.people.users_file import LONGEST_NAME

Mode = Literal["known", "renew", "first"]


class SignInForm(Panel):
    """Asks who somebody is; whoever shows it says whether the answer holds.

    Parameters
    ----------
    does : what the button does for somebody who is known, where that is not to sign in
    """

    tried = Signal(str, str, str)
    """Name, PIN, and the new PIN where one has to be chosen."""
    first = Signal(str, str)
    """Name and PIN of the first administrator."""

    def __init__(self, does: str = "") -> None:
        super().__init__()
        self.setProperty("role", "")
        self._does = does
        self._mode: Mode = "known"
        self._refused = False
        self.name = QComboBox()
        self.own_name = QLineEdit()
        self.own_name.setMaxLength(LONGEST_NAME)
        self.secret, self.fresh, self.again = (QLineEdit() for _ in range(3))
        for field in (self.secret, self.fresh, self.again):
            field.setEchoMode(QLineEdit.EchoMode.Password)
            field.setMaxLength(LONGEST_SECRET)
            field.returnPressed.connect(self._try)
        self.said = label(wrap=True)
        self.go = button("primary")
        self.go.clicked.connect(self._try)
        parts = (self.name, self.own_name, self.secret, self.fresh, self.again, self.said, self.go)
        column(self, *parts, margin=0)
        self.name.currentIndexChanged.connect(self._on_other_name)
        self.show_mode("known")

    def offer(self, names: Sequence[str], chosen: str = "") -> None:
        """Offer the names of the users; the one that was chosen stays, where it is there."""
        wanted = chosen or self.name.currentText()
        self.name.clear()
        self.name.addItems(list(names))
        self.name.setCurrentIndex(max(0, self.name.findText(wanted)))
        self.show_mode("known")

    def show_mode(self, mode: Mode) -> None:
        """Show the fields of a mode, empty."""
        self._mode = mode
        self.name.setVisible(mode != "first")
        self.own_name.setVisible(mode == "first")
        self.secret.setVisible(mode != "first")
        self.fresh.setVisible(mode != "known")
        self.again.setVisible(mode != "known")
        for field in (self.secret, self.fresh, self.again):
            field.clear()
        self.tell("")
        self.retranslate()
        self.to_first_field()

    def to_first_field(self) -> None:
        """Put the focus where the first thing is to be typed."""
        (self.own_name if self._mode == "first" else self.secret).setFocus()

    def refuse(self, error: Exception) -> None:
        """Tell why an answer does not hold, and have it given again."""
        code = error.message.code if isinstance(error, InspectionError) else ""
        if code == "sign_in_renew":
            given = self.secret.text()
            self.show_mode("renew")
            self.secret.setText(given)
        new = code == "sign_in_renew" or code.startswith("secret_")
        new = new or self._mode == "first"
        again = (self.fresh, self.again) if new else (self.secret,)
        self.setEnabled(True)
        for field in again:
            field.clear()
        told = error_text(error) if isinstance(error, InspectionError) else str(error)
        self.tell(told, "" if code == "sign_in_renew" else "critical")
        self._refused = True
        # Not on a name that was given: what is typed next is a PIN, which would be read there.
        (self.own_name if code == "user_name_wrong" else again[0]).setFocus()

    def tell(self, text: str, role: str = "") -> None:
        """Say something under the fields."""
        self._refused = False
        dress(self.said, text, role)
        self.said.setVisible(bool(text))

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        self.own_name.setPlaceholderText(self.tr("Your name"))
        self.secret.setPlaceholderText(self.tr("PIN or password"))
        self.fresh.setPlaceholderText(self.tr("New PIN or password"))
        self.again.setPlaceholderText(self.tr("Once more"))
        first = self._mode == "first"
        known = self._does or self.tr("Sign in")
        self.go.setText(self.tr("Be the administrator") if first else known)

    def _on_other_name(self) -> None:
        if self._mode == "renew":
            self.show_mode("known")
        elif self._refused:
            # It was said of another's PIN.
            self.tell("")

    def _try(self) -> None:
        needed = {
            "known": (self.secret,),
            "renew": (self.secret, self.fresh, self.again),
            "first": (self.own_name, self.fresh, self.again),
        }[self._mode]
        missing = next((field for field in needed if not field.text().strip()), None)
        if missing is not None:
            # The button stays where Tab looks for it: one that is off sends the focus to Cancel.
            missing.setFocus()
            return
        if self._mode != "known" and self.fresh.text() != self.again.text():
            self.tell(message_text(Message(code="secret_twice")), "critical")
            self.again.clear()
            return
        # Until it is known whether it holds: a PIN that is sent twice counts twice.
        self.setEnabled(False)
        if self._mode == "first":
            self.first.emit(self.own_name.text(), self.fresh.text())
        else:
            fresh = self.fresh.text() if self._mode == "renew" else ""
            self.tried.emit(self.name.currentText(), self.secret.text(), fresh)
