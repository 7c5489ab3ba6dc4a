"""The teachings of this station: those at work, with their curves, and those that have ended."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QTreeWidgetItem, QWidget

from app.teach.curves import Curves
from app.teach.teachings import Teaching, ask_to_stop, list_teachings, read_curves, remove_teaching
from app.teach.working import figures_text
from app.widgets.panel import button, column, dress, label, line, table
from app.wording import message_text, slot_text, term

LOOK_MS = 1_500
FOLDER = Qt.ItemDataRole.UserRole


class EarlierPage(QWidget):
    """A list that is read anew while it is looked at.

    Parameters
    ----------
    root : folder of the teachings
    """

    wanted = Signal(object)
    """The folder of a finished `Teaching` that is to be looked at."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root
        self._teachings: dict[str, Teaching] = {}
        self.list = table(
            self.tr("Begun"), self.tr("For"), self.tr("Lot"), self.tr("State"), wide=(2, 3)
        )
        self.curves = Curves()
        self.open = button(text=self.tr("Look at the result"))
        self.stop = button(text=self.tr("Stop it"))
        self.remove = button(text=self.tr("Remove"))
        self._said = label("muted", wrap=True)
        tools = line(self._said, None, self.open, self.stop, self.remove)
        column(self, (self.list, 1), (self.curves, 1), tools, margin=0)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.refresh)
        self.list.itemSelectionChanged.connect(self._on_chosen)
        self.list.itemDoubleClicked.connect(self._on_open)
        self.open.clicked.connect(self._on_open)
        self.stop.clicked.connect(self._on_stop)
        self.remove.clicked.connect(self._on_remove)
        self._on_chosen()

    def showEvent(self, event: QShowEvent) -> None:
        """Qt: look at what has become of them, and go on looking."""
        super().showEvent(event)
        self.refresh()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Qt: nobody looks."""
        super().hideEvent(event)
        self._timer.stop()

    @property
    def chosen(self) -> Teaching | None:
        """The one that is selected."""
        for item in self.list.selectedItems():
            return self._teachings.get(item.data(0, FOLDER))
        return None

    def refresh(self) -> None:
        """Read the folders anew."""
        found = {one.folder.name: one for one in list_teachings(self._root)}
        if found == self._teachings:
            self._on_chosen()
            return
        kept = self.chosen
        self._teachings = found
        self.list.blockSignals(True)
        self.list.clear()
        for name, one in found.items():
            begun = f"{name[:4]}-{name[4:6]}-{name[6:8]} {name[9:11]}:{name[11:13]}"
            lot = Path(one.request.lot).name
            item = QTreeWidgetItem([begun, slot_text(one.request.slot), lot, self._state(one)])
            item.setData(0, FOLDER, name)
            self.list.addTopLevelItem(item)
            if name == (kept.folder.name if kept else next(iter(found))):
                self.list.setCurrentItem(item)
        self.list.blockSignals(False)
        self._on_chosen()

    def _state(self, one: Teaching) -> str:
        if one.state == "working":
            if one.event is None:
                return self.tr("Begins")
            told = figures_text(one.event, self.tr("about {seconds} s left"))
            return f"{term(f'teach_stage_{one.event.stage}')} {told}".strip()
        if one.state == "failed" and one.event is not None and one.event.error is not None:
            return message_text(one.event.error)
        return self.tr("Finished") if one.state == "finished" else self.tr("Stopped")

    def _on_chosen(self) -> None:
        one = self.chosen
        self.open.setEnabled(one is not None and one.state == "finished")
        self.stop.setEnabled(one is not None and one.state == "working")
        self.remove.setEnabled(one is not None and one.state != "working")
        try:
            curves = read_curves(one.folder) if one is not None else {}
        except (OSError, ValueError):
            # It is being written, or gone: the next look will show it.
            return
        self.curves.show_curves(curves)
        self.curves.setVisible(bool(curves))
        none = self.tr("Nothing has been taught here yet.")
        dress(self._said, "" if self._teachings else none, "muted")

    def _on_open(self) -> None:
        one = self.chosen
        if one is not None and one.state == "finished":
            self.wanted.emit(one.folder)

    def _on_stop(self) -> None:
        one = self.chosen
        if one is not None:
            ask_to_stop(one.folder)

    def _on_remove(self) -> None:
        one = self.chosen
        if one is not None:
            remove_teaching(one.folder)
            self.refresh()
