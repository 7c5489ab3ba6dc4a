"""What the dialogs share: a body, buttons in the window's language, and a question to confirm."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QDialog, QLabel, QMessageBox, QPushButton, QVBoxLayout, QWidget

from app.widgets.panel import button, column, label, line


class DialogFrame(QDialog):
    """A modal dialog that never blocks: it is opened, and answers by signals."""

    def __init__(self, parent: QWidget, width: int = 440) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(width)
        outer = column(self, margin=18, gap=14)
        self.body = QVBoxLayout()
        self.body.setSpacing(10)
        outer.addLayout(self.body, 1)
        self.foot = line()
        self.foot.addStretch(1)
        outer.addLayout(self.foot)
        self._outer = outer

    def event(self, event: QEvent) -> bool:
        """Qt: grow with what is shown later, as a refusal; Qt counts a wrapped line as one."""
        handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            needed = self._outer.totalHeightForWidth(self.width())
            if needed > self.height():
                self.resize(self.width(), needed)
        return handled

    def add_text(self, text: str, role: str = "") -> QLabel:
        """Add a paragraph, or a title, to the body."""
        made = label(role, text=text, wrap=role != "section")
        self.body.addWidget(made)
        return made

    def add_button(
        self, text: str, order: Callable[[], object], *, primary: bool = False
    ) -> QPushButton:
        """Add a button at the right end of the bottom row."""
        made = button("primary" if primary else "", text=text)
        # Return is for the button that has the focus, and only else for the primary one.
        made.setAutoDefault(True)
        made.setDefault(primary)
        made.clicked.connect(order)
        self.foot.addWidget(made)
        return made


def confirm(
    parent: QWidget,
    name: str,
    question: str,
    *,
    title: str,
    yes: str,
    no: str,
    order: Callable[[], object],
) -> None:
    """Ask before an order is carried out; to leave everything as it is is the default."""
    box = QMessageBox(parent)
    box.setObjectName(name)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(title)
    box.setText(question)
    box.addButton(yes, QMessageBox.ButtonRole.AcceptRole).clicked.connect(order)
    box.setDefaultButton(box.addButton(no, QMessageBox.ButtonRole.RejectRole))
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.open()
