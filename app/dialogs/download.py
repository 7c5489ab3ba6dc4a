"""Which model to fetch from the network: chosen from the catalogue, or named."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLineEdit, QTreeWidgetItem, QWidget

from app.dialogs.frame import DialogFrame
from app.theme import icon, tokens
from app.widgets.panel import button, dress, table
from app.wording import DASH, error_text, slot_text
from inspection.errors import InspectionError
from inspection.modelstore.catalogue import CatalogueEntry, find_entry

PLACE_ROLE = Qt.ItemDataRole.UserRole


class DownloadDialog(DialogFrame):
    """Shows size and licence before anything is fetched."""

    wanted = Signal(object)
    discard_wanted = Signal()

    def __init__(self, parent: QWidget, catalogue: Sequence[CatalogueEntry]) -> None:
        super().__init__(parent, width=760)
        self.setWindowTitle(self.tr("Download a model"))
        self.resize(820, 560)
        self._catalogue = catalogue
        self.add_text(
            self.tr(
                "Fetched from the model hub on the network. A download that was cancelled or "
                "broke off goes on where it stopped."
            ),
            "muted",
        )
        self.models = table(self.tr("Model"), self.tr("For"), self.tr("Size"), self.tr("Licence"))
        for place, entry in enumerate(catalogue):
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
            self.models.addTopLevelItem(item)
        self.models.itemSelectionChanged.connect(self._on_listed)
        self.body.addWidget(self.models, 1)
        self.add_text(self.tr("Another repository"), "section")
        self.other = QLineEdit()
        self.other.setPlaceholderText(self.tr("owner/name"))
        self.other.textChanged.connect(self._sync)
        self.body.addWidget(self.other)
        self.note = self.add_text("")
        self.discard = button("flat", text=self.tr("Discard unfinished downloads"))
        self.discard.setToolTip(self.tr("Frees the disk of what cancelled downloads have left"))
        self.discard.clicked.connect(self.accept)
        self.discard.clicked.connect(self.discard_wanted)
        self.foot.insertWidget(0, self.discard)
        self.cancel = self.add_button(self.tr("Cancel"), self.reject)
        self.confirm = self.add_button(self.tr("Download"), self._download, primary=True)
        self.models.setFocus()
        self._sync()

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
            place: int = item.data(0, PLACE_ROLE)
            return self._catalogue[place]
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
        dress(self.note, text, role)
        self.confirm.setEnabled(entry is not None)

    def _download(self) -> None:
        entry = self.chosen()
        if entry is not None:
            self.accept()
            self.wanted.emit(entry)
