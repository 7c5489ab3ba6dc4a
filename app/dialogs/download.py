"""Which model to fetch from the network: chosen from the catalogue, or named."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QLineEdit, QTreeWidget, QTreeWidgetItem, QWidget

from app.dialogs.frame import DialogFrame
from app.theme import icon, tokens
from app.widgets.panel import button, label
from app.wording import DASH, error_text, slot_text
from inspection.errors import InspectionError
from inspection.modelstore.catalogue import CatalogueEntry, find_entry

PLACE_ROLE = Qt.ItemDataRole.UserRole


class DownloadDialog(DialogFrame):
    """Shows size and licence before anything is fetched."""

    wanted = Signal(object)
    discard_wanted = Signal()

    def __init__(self, parent: QWidget, catalogue: Sequence[CatalogueEntry]) -> None:
        super().__init__(parent, "", width=760)
        self.setWindowTitle(self.tr("Download a model"))
        self.resize(820, 560)
        self._catalogue = catalogue
        about = label("muted", wrap=True)
        about.setText(
            self.tr(
                "Fetched from the model hub on the network. A download that was cancelled or "
                "broke off goes on where it stopped."
            )
        )
        self.models = self._table()
        title = label("section")
        title.setText(self.tr("Another repository"))
        self.other = QLineEdit()
        self.other.setPlaceholderText(self.tr("owner/name"))
        self.note = label(wrap=True)
        for part in (about, title, self.other, self.note):
            self.body.addWidget(part)
        self.body.insertWidget(1, self.models, 1)
        self.discard = button("flat")
        self.discard.setText(self.tr("Discard unfinished downloads"))
        self.discard.setToolTip(self.tr("Frees the disk of what cancelled downloads have left"))
        self._row.insertWidget(0, self.discard)
        self.cancel = self.add_button(self.tr("Cancel"))
        self.confirm = self.add_button(self.tr("Download"), primary=True)
        self.cancel.clicked.connect(self.reject)
        self.confirm.clicked.connect(self._on_confirm)
        self.discard.clicked.connect(self._on_discard)
        self.models.itemSelectionChanged.connect(self._on_listed)
        self.other.textChanged.connect(self._sync)
        self.models.setFocus()
        self._sync()

    def _table(self) -> QTreeWidget:
        table = QTreeWidget()
        table.setRootIsDecorated(False)
        table.setUniformRowHeights(True)
        table.setHeaderLabels(
            [self.tr("Model"), self.tr("For"), self.tr("Size"), self.tr("Licence")]
        )
        table.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        for place, entry in enumerate(self._catalogue):
            size = f"{entry.gigabytes:g} GB" if entry.gigabytes else DASH
            slot = slot_text(entry.slot) if entry.slot else DASH
            item = QTreeWidgetItem([entry.name, slot, size, entry.licence or DASH])
            item.setData(0, PLACE_ROLE, place)
            item.setToolTip(0, entry.repository)
            if not entry.commercial:
                text = self.tr("{licence} – not for commercial use")
                item.setText(3, text.format(licence=entry.licence))
                item.setForeground(3, QColor(tokens().warning))
                item.setIcon(3, icon("warning", tokens().warning))
            table.addTopLevelItem(item)
        return table

    def chosen(self) -> CatalogueEntry | None:
        """Return what is to be fetched; None where nothing is chosen.

        Raises
        ------
        InspectionError
            If the name that was typed is no repository's.
        """
        typed = self.other.text().strip()
        if typed:
            return find_entry(typed)
        for item in self.models.selectedItems():
            return self._catalogue[item.data(0, PLACE_ROLE)]
        return None

    def _on_listed(self) -> None:
        if self.models.selectedItems():
            self.other.clear()
        self._sync()

    def _sync(self) -> None:
        try:
            entry, text, role = self.chosen(), "", "muted"
        except InspectionError as error:
            entry, text, role = None, error_text(error), "critical"
        if entry is not None and not entry.commercial:
            text = self.tr("The licence of this model forbids its use on a production line.")
            role = "critical"
        elif entry is not None:
            text = entry.repository
        self.note.setText(text)
        self.note.setProperty("role", role)
        self.note.style().polish(self.note)
        self.confirm.setEnabled(entry is not None)

    def _on_confirm(self) -> None:
        entry = self.chosen()
        if entry is not None:
            self.accept()
            self.wanted.emit(entry)

    def _on_discard(self) -> None:
        self.accept()
        self.discard_wanted.emit()
