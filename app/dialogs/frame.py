"""What the dialogs share: a title, a body, and buttons in the window's language."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QPushButton, QVBoxLayout, QWidget

from app.widgets.panel import button, column, line


class DialogFrame(QDialog):
    """A modal dialog that never blocks: it is opened, and answers by signals."""

    def __init__(self, parent: QWidget, title: str, width: int = 440) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(width)
        outer = column(self, margin=18, gap=14)
        self.body = QVBoxLayout()
        self.body.setSpacing(10)
        outer.addLayout(self.body, 1)
        self._row = line()
        self._row.addStretch(1)
        outer.addLayout(self._row)

    def add_button(self, text: str, *, primary: bool = False) -> QPushButton:
        """Add a button at the right end of the bottom row."""
        made = button("primary" if primary else "")
        made.setText(text)
        made.setDefault(primary)
        self._row.addWidget(made)
        return made
