"""The model manager: every slot with its model; import, download, verify, remove."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QFileDialog,
    QTreeWidgetItem,
    QWidget,
)

from app.dialogs.download import DownloadDialog
from app.dialogs.frame import DialogFrame, confirm
from app.dialogs.model_details import ModelDetails
from app.dialogs.model_work import ModelWork
from app.dialogs.work_progress import WorkProgress
from app.lot.run_bridge import RunBridge
from app.theme import icon, tokens
from app.widgets.panel import button, dress, fill, let_select, line, rule, table
from app.wording import DASH, error_text, message_text, size_text, slot_text
from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.modelstore.catalogue import CatalogueEntry, load_catalogue
from inspection.modelstore.folders import SLOTS

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
    teach_wanted = Signal(str)
    """A model for this slot is to be taught."""

    def __init__(self, parent: QWidget, work: ModelWork, runner: RunBridge) -> None:
        super().__init__(parent, width=780)
        self.setWindowTitle(self.tr("Models"))
        self.resize(880, 640)
        self._work = work
        self._runner = runner
        self._states: dict[str, SlotState] = {}
        self._catalogue = load_catalogue()
        self._closing = False
        self._news = ""
        self.add_text(
            self.tr(
                "Models are installed here, from a folder, a zip or the network. "
                "Nothing is ever downloaded during an inspection."
            ),
            "muted",
        )
        self.slots = table(
            self.tr("For"), self.tr("State"), self.tr("Model"), self.tr("Size"), wide=(2,)
        )
        self.details = ModelDetails()
        self.import_folder = button(text=self.tr("Import folder ..."))
        self.import_zip = button(text=self.tr("Import zip ..."))
        self.fetch = button(text=self.tr("Download ..."))
        self.teach = button(text=self.tr("Teach ..."))
        self.verify = button(text=self.tr("Verify"))
        self.remove = button(text=self.tr("Remove ..."))
        bring = (self.import_folder, self.import_zip, self.fetch, self.teach)
        tools = (*bring, None, self.verify, self.remove)
        self.progress = WorkProgress()
        fill(self.body, (self.slots, 1), self.details, line(*tools), rule(), self.progress)
        self.said = self.add_text("")
        let_select(self.said)
        self.add_button(self.tr("Close"), self.reject, primary=True)

        self._connect()
        self.slots.setFocus()
        self._sync()
        work.refresh()

    def _connect(self) -> None:
        work = self._work
        self.slots.itemSelectionChanged.connect(self._on_chosen)
        self.import_folder.clicked.connect(self._on_import_folder)
        self.import_zip.clicked.connect(self._on_import_zip)
        self.fetch.clicked.connect(self._on_fetch)
        self.teach.clicked.connect(self._on_teach)
        self.verify.clicked.connect(self._on_verify)
        self.remove.clicked.connect(self._on_remove)
        self.progress.cancel.clicked.connect(work.cancel)
        work.listed.connect(self._on_listed)
        work.progressed.connect(self.progress.show_progress)
        work.busy_changed.connect(self._on_busy)
        work.installed.connect(self._on_installed)
        work.verified.connect(self._on_verified)
        work.removed.connect(self._on_removed)
        work.discarded.connect(self._on_discarded)
        # The work outlives the dialog: a bound method is let go of with it, a partial is not.
        work.cancelled.connect(self._on_cancelled)
        work.failed.connect(self._on_failed)
        self._runner.progress_changed.connect(self._sync)

    # -- orders ----------------------------------------------------------------------------

    def import_from(self, path: Path) -> None:
        """Install the models of a folder or a zip."""
        sentence = self.tr("Installing {name} ...").format(name=path.name)
        self._begin(sentence, partial(self._work.import_from, path))

    def download(self, entry: CatalogueEntry) -> None:
        """Fetch a model and install it."""
        sentence = self.tr("Downloading {name} ...").format(name=entry.name)
        self._begin(sentence, partial(self._work.download, entry))

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
        self._confirm(
            "confirm_cancel",
            self.tr("A model is being worked on. Cancel that, and close?"),
            self.tr("Cancel it"),
            self._cancel_and_close,
        )

    def _cancel_and_close(self) -> None:
        self._closing = True
        self._work.cancel()
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._closing and not self._work.busy:
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
        removing = self.tr("Removing ...")
        dialog.discard_wanted.connect(partial(self._begin, removing, self._work.discard_unfinished))
        dialog.open()

    def _on_teach(self) -> None:
        state = self.chosen()
        if state is not None:
            self.reject()
            self.teach_wanted.emit(state.slot)

    def _on_verify(self) -> None:
        state = self.chosen()
        if state is not None:
            sentence = self.tr("Verifying {name} ...").format(name=state.name)
            self._begin(sentence, partial(self._work.verify, state))

    def _on_remove(self) -> None:
        state = self.chosen()
        if state is None:
            return
        question = self.tr("Remove {name} from this station?").format(
            name=state.name or slot_text(state.slot)
        )
        self._confirm("confirm_remove", question, self.tr("Remove"), self._on_remove_confirmed)

    def _on_remove_confirmed(self) -> None:
        state = self.chosen()
        # An inspection may have been started from elsewhere while the question stood.
        if state is not None and self.remove.isEnabled():
            self._begin(self.tr("Removing ..."), partial(self._work.remove, state.slot))

    def _confirm(self, name: str, question: str, yes: str, order: Callable[[], None]) -> None:
        title, no = self.windowTitle(), self.tr("Back")
        confirm(self, name, question, title=title, yes=yes, no=no, order=order)

    def _begin(self, sentence: str, order: Callable[[], None]) -> None:
        self._tell("")
        self.progress.begin(sentence)
        order()

    # -- answers ---------------------------------------------------------------------------

    def _on_listed(self, states: Sequence[SlotState]) -> None:
        kept = self.chosen()
        wanted = self._news or (kept.slot if kept is not None else states[0].slot)
        self._news = ""
        self._states = {state.slot: state for state in states}
        self.slots.clear()
        conditions = {
            "installed": (self.tr("Installed"), tokens().success, "accept"),
            "not_installed": (self.tr("Not installed"), tokens().muted, ""),
            "unusable": (self.tr("Cannot be used"), tokens().critical, "warning"),
        }
        for state in states:
            words, shade, mark = conditions[state.condition]
            size = size_text(state.size) if state.size else DASH
            demo = self.tr("{name} (demo)").format(name=state.name)
            name = demo if state.demo else state.name
            item = QTreeWidgetItem([slot_text(state.slot), words, name or DASH, size])
            item.setData(0, SLOT_ROLE, state.slot)
            item.setForeground(1, QColor(shade))
            if mark:
                item.setIcon(1, icon(mark, shade))
            self.slots.addTopLevelItem(item)
            if state.slot == wanted:
                self.slots.setCurrentItem(item)

    def _on_chosen(self) -> None:
        state = self.chosen()
        # The catalogue knows whose licence forbids commercial use.
        restricted = state is not None and any(
            not entry.commercial
            and (state.source.startswith(f"{entry.repository}@") or state.licence == entry.licence)
            for entry in self._catalogue
        )
        self.details.show_slot(state, restricted=restricted)
        self._sync()

    def _on_busy(self) -> None:
        self.progress.setVisible(self._work.busy)
        self._sync()
        self._close_if_done()

    def _on_installed(self, installed: Installed) -> None:
        # Its row is chosen once the list, which is being read, is here.
        self._news = installed.slots[0]
        names = ", ".join(slot_text(slot) for slot in installed.slots)
        self._tell(self.tr("Installed: {names}.").format(names=names))

    def _on_verified(self, state: SlotState) -> None:
        if state.problem is None:
            # It was verified by the same module: nothing is loaded for these words.
            from inspection.systems.trial import verified_words

            self._tell(" ".join(map(message_text, verified_words(state))))
            return
        self._on_listed([state if one.slot == state.slot else one for one in self._states.values()])
        self._tell(message_text(state.problem), "critical")

    def _on_cancelled(self) -> None:
        self._tell(self.tr("Cancelled; nothing was changed."))

    def _on_removed(self, slot: str) -> None:
        self._tell(self.tr("Removed: {name}.").format(name=slot_text(slot)))

    def _on_discarded(self, freed: int) -> None:
        told = Message(code="model_unfinished_removed", params={"size": size_text(freed)})
        self._tell(message_text(told))

    def _on_failed(self, error: Exception) -> None:
        if isinstance(error, InspectionError):
            self._tell(error_text(error), "critical")
        else:
            self.crashed.emit(error)

    def _tell(self, text: str, role: str = "") -> None:
        dress(self.said, text, role)

    def _sync(self) -> None:
        state = self.chosen()
        idle = not self._work.busy
        free = idle and self._runner.phase == "idle"
        for tool in (self.import_folder, self.import_zip, self.fetch):
            tool.setEnabled(free)
        self.teach.setEnabled(free and state is not None and state.slot in SLOTS)
        self.verify.setEnabled(idle and state is not None and state.condition == "installed")
        self.remove.setEnabled(free and state is not None and state.removable)
        running = self._runner.phase != "idle"
        hint = self.tr("Possible once the inspection has ended.") if running else ""
        for tool in (self.import_folder, self.import_zip, self.fetch, self.remove):
            tool.setToolTip(hint)
