"""A session is signed: with what meaning, by whom; the PIN shows that it is still them."""

from __future__ import annotations

from typing import get_args

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QRadioButton, QWidget

from app.dialogs.frame import DialogFrame
from app.people.people import People
from app.widgets.panel import dress
from app.wording import error_text, meaning_text, person_text
from inspection.errors import InspectionError
from inspection.people.pins import LONGEST_SECRET
from inspection.session.record import Meaning, SessionRecord


class SignDialog(DialogFrame):
    """Asks for the meaning of a signature."""

    signed = Signal(str)

    def __init__(self, parent: QWidget, people: People, record: SessionRecord) -> None:
        super().__init__(parent)
        self._people = people
        self.setWindowTitle(self.tr("Sign session {id}").format(id=record.run_id))
        undecided = sum(row.decision is None for row in record.batteries)
        if undecided:
            text = self.tr("{count} of {total} batteries are without a decision.")
            total = len(record.batteries)
            self.add_text(text.format(count=undecided, total=total), "warning")
        for signature in record.signatures:
            self.add_text(
                f"{meaning_text(signature.meaning)}: {signature.name}, "
                f"{signature.signed_at.astimezone():%Y-%m-%d %H:%M}",
                "muted",
            )
        self.meanings = {meaning: QRadioButton() for meaning in get_args(Meaning)}
        for meaning, choice in self.meanings.items():
            choice.setText(meaning_text(meaning))
            self.body.addWidget(choice)
        self.meanings["reviewed"].setChecked(True)
        person = people.current
        assert person is not None  # it was asked for before
        self.add_text(self.tr("Signed by {person}").format(person=person_text(person)))
        self.add_text(
            self.tr("After this nothing can be undone; a decision that is changed is told."),
            "muted",
        )
        self.secret = QLineEdit()
        self.secret.setEchoMode(QLineEdit.EchoMode.Password)
        self.secret.setMaxLength(LONGEST_SECRET)
        self.secret.setPlaceholderText(self.tr("PIN or password"))
        self.secret.setVisible(people.config.sign_in)
        self.secret.textChanged.connect(self._sync)
        self.body.addWidget(self.secret)
        self.said = self.add_text("")
        self.cancel = self.add_button(self.tr("Cancel"), self.reject)
        self.confirm = self.add_button(self.tr("Sign"), self._sign, primary=True)
        self._waiting = False
        self._sync()

    def reject(self) -> None:
        """Qt: the dialog is to close; not while the PIN is looked at, whose answer comes here."""
        if not self._waiting:
            super().reject()

    def _sync(self) -> None:
        known = bool(self.secret.text()) or not self._people.config.sign_in
        self.confirm.setEnabled(known and not self._waiting)

    def _sign(self) -> None:
        self._waiting = True
        self._sync()
        self._people.sign_again(self.secret.text(), self._on_known, self._on_refused)

    def _on_known(self) -> None:
        meaning = next(name for name, choice in self.meanings.items() if choice.isChecked())
        self.accept()
        self.signed.emit(meaning)

    def _on_refused(self, error: Exception) -> None:
        self._waiting = False
        self.secret.clear()
        self._sync()
        told = error_text(error) if isinstance(error, InspectionError) else str(error)
        dress(self.said, told, "critical")
