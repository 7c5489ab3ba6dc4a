"""Export of a report: which files, into which folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QFileDialog, QLineEdit, QWidget

from app.dialogs.frame import DialogFrame
from app.widgets.panel import button, line


class ReportDialog(DialogFrame):
    """Asks for the formats and the folder."""

    wanted = Signal(object, object)

    def __init__(self, parent: QWidget, formats: Sequence[str], folder: Path) -> None:
        super().__init__(parent, width=540)
        self.setWindowTitle(self.tr("Export report"))
        names = {
            "pdf": self.tr("PDF: to print and to sign"),
            "html": self.tr("HTML: one page with pictures"),
            "csv": self.tr("CSV: summary and a row per battery"),
            "json": self.tr("JSON: every result, for other systems"),
        }
        self.formats: dict[str, QCheckBox] = {}
        for name, text in names.items():
            box = QCheckBox(text)
            box.setChecked(name in formats)
            box.toggled.connect(self._sync)
            self.formats[name] = box
            self.body.addWidget(box)
        self.folder = QLineEdit(str(folder))
        self.folder.textChanged.connect(self._sync)
        browse = button(text=self.tr("Choose ..."))
        browse.clicked.connect(self._on_browse)
        self.add_text(self.tr("Folder"), "section")
        self.body.addLayout(line(self.folder, browse))
        self.add_button(self.tr("Cancel"), self.reject)
        self.confirm = self.add_button(self.tr("Export"), self._on_confirm, primary=True)
        self._sync()

    def chosen(self) -> tuple[str, ...]:
        """Return the formats that are ticked."""
        return tuple(name for name, box in self.formats.items() if box.isChecked())

    def _sync(self) -> None:
        self.confirm.setEnabled(bool(self.chosen()) and bool(self.folder.text().strip()))

    def _on_browse(self) -> None:
        start = self.folder.text()
        folder = QFileDialog.getExistingDirectory(self, self.tr("Folder for the report"), start)
        if folder:
            self.folder.setText(folder)

    def _on_confirm(self) -> None:
        self.wanted.emit(self.chosen(), Path(self.folder.text().strip()))
        self.accept()
