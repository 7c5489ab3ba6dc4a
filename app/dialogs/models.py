"""The model manager: every slot with its model; import, download, verify, remove."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QFileDialog,
    QHeaderView,
    QMessageBox,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from app.dialogs.download import DownloadDialog
from app.dialogs.frame import DialogFrame
from app.dialogs.model_card import ModelCardDialog
from app.dialogs.model_details import ModelDetails
from app.dialogs.model_work import ModelWork
from app.dialogs.work_progress import WorkProgress
from app.run_bridge import RunBridge
from app.theme import icon, tokens
from app.widgets.panel import button, label, line, rule
from app.wording import DASH, error_text, message_text, size_text, slot_text
from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.modelstore.catalogue import CatalogueEntry, load_catalogue

if TYPE_CHECKING:
    from inspection.modelstore.install import Installed
    from inspection.modelstore.listing import SlotState

SLOT_ROLE = Qt.ItemDataRole.UserRole


class ModelsDialog(DialogFrame):
    """Shows what is installed and has it changed; nothing is changed while an inspection runs.

    Parameters
    ----------
    work : does it off the window's thread
    runner : tells whether an inspection runs
    """

    crashed = Signal(object)
    """An error without a sentence of its own."""

    def __init__(self, parent: QWidget, work: ModelWork, runner: RunBridge) -> None:
        super().__init__(parent, "", width=780)
        self.setWindowTitle(self.tr("Models"))
        self.resize(880, 640)
        self._work = work
        self._runner = runner
        self._states: dict[str, SlotState] = {}
        self._catalogue = load_catalogue()
        self._closing = False
        self._news = ""
        self._build()
        self._connect()
        self.slots.setFocus()
        self._sync()
        work.refresh()

    def _build(self) -> None:
        about = label("muted", wrap=True)
        about.setText(
            self.tr(
                "Models are installed here, from a folder, a zip or the network. "
                "Nothing is ever downloaded during an inspection."
            )
        )
        self.body.addWidget(about)
        self.slots = self._table()
        self.body.addWidget(self.slots, 1)
        self.details = ModelDetails()
        self.details.card_wanted.connect(self._on_card)
        self.body.addWidget(self.details)
        self.import_folder = self._tool(self.tr("Import folder ..."))
        self.import_zip = self._tool(self.tr("Import zip ..."))
        self.fetch = self._tool(self.tr("Download ..."))
        self.verify = self._tool(self.tr("Verify"))
        self.remove = self._tool(self.tr("Remove ..."))
        tools = line(self.import_folder, self.import_zip, self.fetch)
        tools.addStretch(1)
        tools.addWidget(self.verify)
        tools.addWidget(self.remove)
        self.body.addLayout(tools)
        self.body.addWidget(rule())
        self.progress = WorkProgress()
        self.body.addWidget(self.progress)
        self.said = label(wrap=True)
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.body.addWidget(self.said)
        self.shut = self.add_button(self.tr("Close"), primary=True)

    def _table(self) -> QTreeWidget:
        table = QTreeWidget()
        table.setRootIsDecorated(False)
        table.setUniformRowHeights(True)
        table.setHeaderLabels([self.tr("For"), self.tr("State"), self.tr("Model"), self.tr("Size")])
        header = table.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        return table

    def _tool(self, text: str) -> QPushButton:
        made = button()
        made.setText(text)
        return made

    def _connect(self) -> None:
        work = self._work
        self.slots.itemSelectionChanged.connect(self._on_chosen)
        self.import_folder.clicked.connect(self._on_import_folder)
        self.import_zip.clicked.connect(self._on_import_zip)
        self.fetch.clicked.connect(self._on_fetch)
        self.verify.clicked.connect(self._on_verify)
        self.remove.clicked.connect(self._on_remove)
        self.progress.cancel.clicked.connect(work.cancel)
        self.shut.clicked.connect(self.reject)
        work.listed.connect(self._on_listed)
        work.progressed.connect(self.progress.show_progress)
        work.busy_changed.connect(self._on_busy)
        work.installed.connect(self._on_installed)
        work.verified.connect(self._on_verified)
        work.removed.connect(self._on_removed)
        work.discarded.connect(self._on_discarded)
        work.cancelled.connect(self._on_cancelled)
        work.failed.connect(self._on_failed)
        self._runner.progress_changed.connect(self._sync)

    # -- orders ----------------------------------------------------------------------------

    def import_from(self, path: Path) -> None:
        """Install the models of a folder or a zip."""
        self._begin(self.tr("Installing {name} ...").format(name=path.name))
        self._work.import_from(path)

    def download(self, entry: CatalogueEntry) -> None:
        """Fetch a model and install it."""
        self._begin(self.tr("Downloading {name} ...").format(name=entry.name))
        self._work.download(entry)

    def chosen(self) -> SlotState | None:
        """Return the slot that is selected."""
        for item in self.slots.selectedItems():
            return self._states.get(item.data(0, SLOT_ROLE))
        return None

    def reject(self) -> None:
        """Qt: the dialog is to close; what is at work is cancelled first, if so wanted."""
        if not self._work.busy:
            super().reject()
            return
        self._ask(
            "confirm_cancel",
            self.tr("A model is being worked on. Cancel that, and close?"),
            self.tr("Cancel it"),
            self._on_cancel_and_close,
        )

    def _on_cancel_and_close(self) -> None:
        self._closing = True
        self._work.cancel()
        if not self._work.busy:
            super().reject()

    def _on_import_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Folder of the model"))
        if folder:
            self.import_from(Path(folder))

    def _on_import_zip(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, self.tr("Zip of the model"), "", self.tr("Zip files (*.zip)")
        )
        if name:
            self.import_from(Path(name))

    def _on_fetch(self) -> None:
        dialog = DownloadDialog(self, self._catalogue)
        dialog.wanted.connect(self.download)
        dialog.discard_wanted.connect(self._on_discard)
        dialog.open()

    def _on_discard(self) -> None:
        self._begin(self.tr("Removing ..."))
        self._work.discard_unfinished()

    def _on_verify(self) -> None:
        state = self.chosen()
        if state is not None:
            self._begin(self.tr("Verifying {name} ...").format(name=state.name))
            self._work.verify(state)

    def _on_remove(self) -> None:
        state = self.chosen()
        if state is None:
            return
        question = self.tr("Remove {name} from this station?").format(
            name=state.name or slot_text(state.slot)
        )
        self._ask("confirm_remove", question, self.tr("Remove"), self._on_remove_confirmed)

    def _on_remove_confirmed(self) -> None:
        state = self.chosen()
        # An inspection may have been started from elsewhere while the question stood.
        if state is not None and self.remove.isEnabled():
            self._begin(self.tr("Removing ..."))
            self._work.remove(state.slot)

    def _ask(self, name: str, question: str, yes: str, order: Callable[[], None]) -> None:
        box = QMessageBox(self)
        box.setObjectName(name)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle(self.windowTitle())
        box.setText(question)
        confirm = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
        stay = box.addButton(self.tr("Back"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        confirm.clicked.connect(order)
        box.open()

    def _begin(self, sentence: str) -> None:
        self._say("")
        self.progress.begin(sentence)

    # -- answers ---------------------------------------------------------------------------

    def _on_listed(self, states: Sequence[SlotState]) -> None:
        kept = self.chosen()
        wanted = self._news or (kept.slot if kept is not None else states[0].slot)
        self._news = ""
        self._states = {state.slot: state for state in states}
        self.slots.clear()
        for state in states:
            item = self._item(state)
            self.slots.addTopLevelItem(item)
            if state.slot == wanted:
                self.slots.setCurrentItem(item)

    def _item(self, state: SlotState) -> QTreeWidgetItem:
        words, shade, mark = {
            "installed": (self.tr("Installed"), tokens().success, "accept"),
            "not_installed": (self.tr("Not installed"), tokens().muted, ""),
            "unusable": (self.tr("Cannot be used"), tokens().critical, "warning"),
        }[state.condition]
        size = size_text(state.size) if state.size else DASH
        demo = self.tr("{name} (demo)").format(name=state.name)
        name = demo if state.demo else state.name
        item = QTreeWidgetItem([slot_text(state.slot), words, name or DASH, size])
        item.setData(0, SLOT_ROLE, state.slot)
        item.setForeground(1, QColor(shade))
        if mark:
            item.setIcon(1, icon(mark, shade))
        return item

    def _on_chosen(self) -> None:
        state = self.chosen()
        self.details.show_slot(state, restricted=state is not None and self._restricted(state))
        self._sync()

    def _on_card(self, name: str, card: Path) -> None:
        ModelCardDialog(self, name, card).open()

    def _restricted(self, state: SlotState) -> bool:
        """Return True where the catalogue says that the licence forbids commercial use."""
        return any(
            not entry.commercial
            and (state.source.startswith(f"{entry.repository}@") or state.licence == entry.licence)
            for entry in self._catalogue
        )

    def _on_busy(self) -> None:
        self.progress.setVisible(self._work.busy)
        self._sync()
        if self._closing and not self._work.busy:
            super().reject()

    def _on_installed(self, installed: Installed) -> None:
        # Its row is chosen once the list, which is being read, is here.
        self._news = installed.slots[0]
        names = ", ".join(slot_text(slot) for slot in installed.slots)
        self._say(self.tr("Installed: {names}.").format(names=names))

    def _on_verified(self, state: SlotState) -> None:
        if state.problem is None:
            text = self.tr("Every file of {name} is as it was installed.")
            self._say(text.format(name=state.name))
            return
        self._on_listed([state if one.slot == state.slot else one for one in self._states.values()])
        self._say(message_text(state.problem), "critical")

    def _on_removed(self, slot: str) -> None:
        self._say(self.tr("Removed: {name}.").format(name=slot_text(slot)))

    def _on_discarded(self, freed: int) -> None:
        told = Message(code="model_unfinished_removed", params={"size": size_text(freed)})
        self._say(message_text(told))

    def _on_cancelled(self) -> None:
        self._say(self.tr("Cancelled; nothing was changed."))

    def _on_failed(self, error: Exception) -> None:
        if isinstance(error, InspectionError):
            self._say(error_text(error), "critical")
        else:
            self.crashed.emit(error)

    def _say(self, text: str, role: str = "") -> None:
        self.said.setText(text)
        self.said.setProperty("role", role)
        self.said.style().polish(self.said)

    def _sync(self) -> None:
        state = self.chosen()
        idle = not self._work.busy
        free = idle and self._runner.phase == "idle"
        for tool in (self.import_folder, self.import_zip, self.fetch):
            tool.setEnabled(free)
        self.verify.setEnabled(idle and state is not None and state.condition == "installed")
        self.remove.setEnabled(free and state is not None and state.removable)
        running = self._runner.phase != "idle"
        hint = self.tr("Possible once the inspection has ended.") if running else ""
        for tool in (self.import_folder, self.import_zip, self.fetch, self.remove):
            tool.setToolTip(hint)
