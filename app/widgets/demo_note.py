"""Says that what a panel shows comes from a demo model."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QLabel


class DemoNote(QLabel):
    """One sentence; hidden where no demo model has spoken."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "warning")
        self.setWordWrap(True)
        self.hide()
        self._word()

    def changeEvent(self, event: QEvent) -> None:
        """Qt: the language has changed."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._word()

    def _word(self) -> None:
        self.setText(
            QCoreApplication.translate("DemoNote", "Demo model, trained on synthetic images")
        )
