"""The operator's own verdict: kind, reason, comment. Without a reason there is no override."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QPlainTextEdit, QRadioButton, QWidget

from app.dialogs.frame import DialogFrame
from app.review import Row
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
        super().__init__(parent)
        self.setWindowTitle(self.tr("Override the verdict on {id}").format(id=row.battery_id))
        verdict = kind_text(row.kind) if row.kind else self.tr("none")
        self.add_text(self.tr("Verdict of the station: {verdict}").format(verdict=verdict), "muted")
        grid = QGridLayout()
        self.body.addLayout(grid)
        self.kinds = {kind: QRadioButton(kind_text(kind)) for kind in KINDS}
        for place, (kind, choice) in enumerate(self.kinds.items()):
            grid.addWidget(choice, place // 2, place % 2)
            # What the station has said already would be no override.
            choice.setEnabled(kind != row.kind)
            choice.toggled.connect(self._sync)
        self.add_text(self.tr("Reason (required)"), "section")
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
        written = self.reason.lineEdit()
        assert written is not None  # it is editable
        written.setPlaceholderText(self.tr("Choose a reason or write one"))
        self.reason.editTextChanged.connect(self._sync)
        self.body.addWidget(self.reason)
        self.add_text(self.tr("Comment"), "section")
        self.comment = QPlainTextEdit()
        self.comment.setFixedHeight(72)
        self.comment.setTabChangesFocus(True)
        self.body.addWidget(self.comment)
        self.cancel = self.add_button(self.tr("Cancel"), self.reject)
        self.confirm = self.add_button(self.tr("Override"), self._override, primary=True)
        # What is overridden most: a false alarm, or a defect that was not seen.
        self.kinds["internal_defect" if row.kind == "normal" else "normal"].setChecked(True)

    def _sync(self) -> None:
        self.confirm.setEnabled(bool(self.reason.currentText().strip()))

    def _override(self) -> None:
        kind = next(kind for kind, choice in self.kinds.items() if choice.isChecked())
        self.overridden.emit(kind, self.reason.currentText(), self.comment.toPlainText())
        self.accept()
