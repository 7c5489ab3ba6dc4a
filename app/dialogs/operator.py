"""Who decides? Asked once; every decision carries the name."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from app.dialogs.frame import DialogFrame


class OperatorDialog(DialogFrame):
    """Asks for the operator's name."""

    named = Signal(str)

    def __init__(self, parent: QWidget, name: str) -> None:
        super().__init__(parent, width=400)
        self.setWindowTitle(self.tr("Operator"))
        self.add_text(self.tr("Your name is recorded with every decision you take."))
        self.name = QLineEdit(name)
        self.name.setPlaceholderText(self.tr("Name or badge number"))
        self.name.setMaxLength(80)
        self.name.textChanged.connect(self._sync)
        self.body.addWidget(self.name)
        self.cancel = self.add_button(self.tr("Cancel"), self.reject)
        self.confirm = self.add_button(self.tr("Save"), self._name, primary=True)
        self._sync()

    def _sync(self) -> None:
        self.confirm.setEnabled(bool(self.name.text().strip()))

    def _name(self) -> None:
        self.named.emit(self.name.text())
        self.accept()
