"""What a model's makers say of it: data, figures, what it is not fit for."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QTextBrowser, QWidget

from app.dialogs.frame import DialogFrame

LONGEST = 200_000
"""Characters; a card that came with a model may be of any length."""


class ModelCardDialog(DialogFrame):
    """Shows a card; its links lead nowhere, for the station opens no pages.

    Parameters
    ----------
    name : of the model
    card : a Markdown file
    """

    def __init__(self, parent: QWidget, name: str, card: Path) -> None:
        super().__init__(parent, width=640)
        self.setWindowTitle(name)
        self.resize(820, 620)
        self.text = QTextBrowser()
        self.text.setOpenLinks(False)
        self.body.addWidget(self.text, 1)
        self.add_button(self.tr("Close"), self.accept, primary=True)
        try:
            written = card.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            # Removed since the list was made.
            self.text.setPlainText(f"{card}: {error.strerror}")
        else:
            self.text.setMarkdown(written[:LONGEST])
