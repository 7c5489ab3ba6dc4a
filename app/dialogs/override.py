"""The operator's own verdict: kind, reason, comment. Without a reason there is no override."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QPlainTextEdit,
    QRadioButton,
    QWidget,
)

from app.dialogs.frame import DialogFrame
from app.review import Row
from app.widgets.panel import label
from app.wording import kind_text
from inspection.results import Kind

KINDS: tuple[Kind, ...] = (
    "normal",
    "review",
    "internal_defect",
    "external_defect",
    "composite_defect",
)


class OverrideDialog(DialogFrame):
    """Asks for what stands against the station's verdict."""

    overridden = Signal(str, str, str)

    def __init__(self, parent: QWidget, row: Row) -> None:
        super().__init__(parent, "")
        self.setWindowTitle(self.tr("Override the verdict on {id}").format(id=row.battery_id))
        said = label("muted")
        verdict = kind_text(row.kind) if row.kind else self.tr("none")
        said.setText(self.tr("Verdict of the station: {verdict}").format(verdict=verdict))
        self.body.addWidget(said)
        self.body.addLayout(self._kinds(row))
        title = label("section")
        title.setText(self.tr("Reason (required)"))
        self.reason = QComboBox()
        self.reason.setEditable(True)
        self.reason.addItems(
            [
                "",
                self.tr("False alarm: dust, glare or print"),
                self.tr("False alarm: within the specification"),
                self.tr("Defect seen by eye"),
                self.tr("Wrong defect type"),
                self.tr("Picture not good enough"),
            ]
        )
        self.reason.lineEdit().setPlaceholderText(self.tr("Choose a reason or write one"))
        self.body.addWidget(title)
        self.body.addWidget(self.reason)
        comment_title = label("section")
        comment_title.setText(self.tr("Comment"))
        self.comment = QPlainTextEdit()
        self.comment.setFixedHeight(72)
        self.comment.setTabChangesFocus(True)
        self.body.addWidget(comment_title)
        self.body.addWidget(self.comment)
        self.cancel = self.add_button(self.tr("Cancel"))
        self.confirm = self.add_button(self.tr("Override"), primary=True)
        self.cancel.clicked.connect(self.reject)
        self.confirm.clicked.connect(self._on_confirm)
        self.reason.editTextChanged.connect(self._sync)
        self._kind_buttons.buttonClicked.connect(self._sync)
        self._sync()

    def _kinds(self, row: Row) -> QGridLayout:
        grid = QGridLayout()
        self._kind_buttons = QButtonGroup(self)
        for place, kind in enumerate(KINDS):
            made = QRadioButton(kind_text(kind))
            made.setObjectName(kind)
            self._kind_buttons.addButton(made)
            grid.addWidget(made, place // 2, place % 2)
            # What the station has said already would be no override.
            made.setEnabled(kind != row.kind)
        wanted = "internal_defect" if row.kind == "normal" else "normal"
        for made in self._kind_buttons.buttons():
            made.setChecked(made.objectName() == wanted)
        return grid

    def choose(self, kind: Kind) -> None:
        """Choose a verdict."""
        for made in self._kind_buttons.buttons():
            if made.objectName() == kind:
                made.setChecked(True)
        self._sync()

    def _sync(self) -> None:
        chosen = self._kind_buttons.checkedButton() is not None
        self.confirm.setEnabled(chosen and bool(self.reason.currentText().strip()))

    def _on_confirm(self) -> None:
        kind = self._kind_buttons.checkedButton().objectName()
        self.overridden.emit(kind, self.reason.currentText(), self.comment.toPlainText())
        self.accept()
