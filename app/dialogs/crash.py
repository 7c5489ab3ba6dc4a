"""An unforeseen error: said plainly, with a text that can be copied to whoever mends it."""

from __future__ import annotations

from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.dialogs.frame import DialogFrame
from app.widgets.panel import label


class CrashDialog(DialogFrame):
    """Shows the trace of an error nobody foresaw; the window goes on."""

    def __init__(self, parent: QWidget, trace: str) -> None:
        super().__init__(parent, "", width=720)
        self.setWindowTitle(self.tr("Unexpected error"))
        text = label(wrap=True)
        text.setText(
            self.tr(
                "Something went wrong that the station did not foresee. What was saved is safe. "
                "Please pass this text on to the maintainers."
            )
        )
        self.trace = QPlainTextEdit(trace)
        self.trace.setReadOnly(True)
        self.trace.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.trace.setMinimumHeight(260)
        self.body.addWidget(text)
        self.body.addWidget(self.trace, 1)
        copy = self.add_button(self.tr("Copy"))
        copy.clicked.connect(self._on_copy)
        close = self.add_button(self.tr("Close"), primary=True)
        close.clicked.connect(self.accept)

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self.trace.toPlainText())
