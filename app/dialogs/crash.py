"""An unforeseen error: said plainly, with a text that can be copied to whoever mends it."""

from __future__ import annotations

from functools import partial

from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.dialogs.frame import DialogFrame


class CrashDialog(DialogFrame):
    """Shows the trace of an error nobody foresaw; the window goes on."""

    def __init__(self, parent: QWidget, trace: str) -> None:
        super().__init__(parent, width=720)
        self.setWindowTitle(self.tr("Unexpected error"))
        self.add_text(
            self.tr(
                "Something went wrong that the station did not foresee. What was saved is safe. "
                "Please pass this text on to the maintainers."
            )
        )
        self.trace = QPlainTextEdit(trace)
        self.trace.setReadOnly(True)
        self.trace.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.trace.setMinimumHeight(260)
        self.body.addWidget(self.trace, 1)
        clipboard = QGuiApplication.clipboard()
        self.add_button(self.tr("Copy"), partial(clipboard.setText, trace))
        self.add_button(self.tr("Close"), self.accept, primary=True)
