"""The people of the station: who is known, in which role; added, changed, let in again, removed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import get_args

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLineEdit, QTreeWidgetItem, QWidget

from app.dialogs.frame import DialogFrame, confirm
from app.people.people import People
from app.widgets.panel import button, dress, fill, line, table
from app.wording import error_text, message_text, role_text
from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.people.person import Person, Role
from inspection.people.pins import LONGEST_SECRET
from inspection.people.users_file import LONGEST_NAME, User

NAME_ROLE = Qt.ItemDataRole.UserRole
Order = Callable[[Person], None]


class UsersDialog(DialogFrame):
    """Shows everybody, and has them changed in the name of who is at the station."""

    def __init__(self, parent: QWidget, people: People) -> None:
        super().__init__(parent, width=620)
        self.setWindowTitle(self.tr("Users"))
        self._people = people
        self._users: dict[str, User] = {}
        self.list = table(self.tr("Name"), self.tr("Role"), self.tr("State"), wide=(0,))
        self.list.setMinimumHeight(240)
        self.add = button(text=self.tr("Add ..."))
        self.role = button(text=self.tr("Role ..."))
        self.reset = button(text=self.tr("New PIN ..."))
        self.unlock = button(text=self.tr("Unlock"))
        self.remove = button(text=self.tr("Remove ..."))
        tools = (self.add, None, self.role, self.reset, self.unlock, self.remove)
        fill(self.body, (self.list, 1), line(*tools))
        self.said = self.add_text("")
        self.add_button(self.tr("Close"), self.accept, primary=True)
        self.list.itemSelectionChanged.connect(self._sync)
        self.add.clicked.connect(self._on_add)
        self.role.clicked.connect(self._on_role)
        self.reset.clicked.connect(self._on_reset)
        self.unlock.clicked.connect(self._on_unlock)
        self.remove.clicked.connect(self._on_remove)
        self._show()

    def chosen(self) -> User | None:
        """Return the user who is selected."""
        for item in self.list.selectedItems():
            return self._users.get(item.data(0, NAME_ROLE))
        return None

    def change(self, order: Order) -> None:
        """Have something changed; a refusal is told, and nothing has happened then."""
        try:
            self._change(order)
        except InspectionError as error:
            dress(self.said, error_text(error), "critical")

    def _change(self, order: Order) -> None:
        person = self._people.current
        if person is not None:
            order(person)
            self._show()

    def _show(self) -> None:
        kept = self.chosen()
        try:
            self._users = {user.name: user for user in self._people.users.users()}
        except InspectionError as error:
            dress(self.said, error_text(error), "critical")
            return
        dress(self.said, "", "")
        self.list.clear()
        for name, user in self._users.items():
            state = self.tr("temporary PIN") if user.temporary else ""
            if user.locked_out:
                state = self.tr("locked out")
            item = QTreeWidgetItem([name, role_text(user.role), state])
            item.setData(0, NAME_ROLE, name)
            self.list.addTopLevelItem(item)
            if kept is not None and kept.name == name:
                self.list.setCurrentItem(item)
        self._sync()

    def _sync(self) -> None:
        user = self.chosen()
        for tool in (self.role, self.reset, self.remove):
            tool.setEnabled(user is not None)
        self.unlock.setEnabled(user is not None and user.locked_out)

    def _on_add(self) -> None:
        UserDialog(self, None, self._add, role=True, secret=True).open()

    def _add(self, name: str, role: Role, secret: str) -> None:
        self._change(partial(self._people.users.add, name, role, secret))

    def _on_role(self) -> None:
        UserDialog(self, self.chosen(), self._set_role, role=True, secret=False).open()

    def _set_role(self, name: str, role: Role, _secret: str) -> None:
        self._change(partial(self._people.users.set_role, name, role))

    def _on_reset(self) -> None:
        UserDialog(self, self.chosen(), self._reset, role=False, secret=True).open()

    def _reset(self, name: str, _role: Role, secret: str) -> None:
        self._change(partial(self._people.users.reset, name, secret))

    def _on_unlock(self) -> None:
        user = self.chosen()
        if user is not None:
            self.change(partial(self._people.users.unlock, user.name))

    def _on_remove(self) -> None:
        user = self.chosen()
        if user is None:
            return
        question = self.tr("Remove {name}? What they have decided keeps their name.")
        confirm(
            self,
            "confirm_remove_user",
            question.format(name=user.name),
            title=self.windowTitle(),
            yes=self.tr("Remove"),
            no=self.tr("Back"),
            order=partial(self.change, partial(self._people.users.remove, user.name)),
        )


class UserDialog(DialogFrame):
    """Asks for what is to be known of one user; stays open with it where it is refused.

    Parameters
    ----------
    user : who is changed; None for a new one
    order : has it changed: name, role, temporary PIN
    role, secret : what is asked for
    """

    def __init__(
        self,
        parent: QWidget,
        user: User | None,
        order: Callable[[str, Role, str], None],
        *,
        role: bool,
        secret: bool,
    ) -> None:
        super().__init__(parent, width=380)
        self._order = order
        self.setWindowTitle(user.name if user else self.tr("New user"))
        self.name = QLineEdit(user.name if user else "")
        self.name.setMaxLength(LONGEST_NAME)
        self.name.setPlaceholderText(self.tr("Name"))
        self.name.setVisible(user is None)
        self.role = QComboBox()
        for known in get_args(Role):
            self.role.addItem(role_text(known), known)
        self.role.setCurrentIndex(self.role.findData(user.role if user else "operator"))
        self.role.setVisible(role)
        self.secret, self.again = QLineEdit(), QLineEdit()
        self._asks_secret = secret
        for field, words in (
            (self.secret, self.tr("Temporary PIN")),
            (self.again, self.tr("Once more")),
        ):
            field.setEchoMode(QLineEdit.EchoMode.Password)
            field.setMaxLength(LONGEST_SECRET)
            field.setPlaceholderText(words)
            field.setVisible(secret)
        fill(self.body, self.name, self.role, self.secret, self.again)
        self.said = self.add_text("", "muted")
        if secret:
            self.said.setText(self.tr("At the first sign-in another PIN has to be chosen."))
        self.add_button(self.tr("Cancel"), self.reject)
        self.save = self.add_button(self.tr("Save"), self._save, primary=True)
        for field in (self.name, self.secret, self.again):
            field.textChanged.connect(self._sync)
        self._sync()

    def _sync(self) -> None:
        fields = (self.name, self.secret, self.again) if self._asks_secret else (self.name,)
        self.save.setEnabled(all(field.text().strip() for field in fields))

    def _save(self) -> None:
        if self.secret.text() != self.again.text():
            dress(self.said, message_text(Message(code="secret_twice")), "critical")
            self.again.clear()
            return
        try:
            self._order(self.name.text(), self.role.currentData(), self.secret.text())
        except InspectionError as error:
            dress(self.said, error_text(error), "critical")
            return
        self.accept()
