"""First page: what is taught, and on which good batteries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QLineEdit, QTreeWidgetItem, QWidget

from app.lot.review import Row
from app.widgets.panel import button, column, dress, label, line, table
from app.wording import DASH, kind_text
from inspection.modelstore.folders import Slot
from inspection.modelstore.teaching import FEWEST_BATTERIES, Task
from inspection.records import Modality

BATTERY = Qt.ItemDataRole.UserRole


class Subject(NamedTuple):
    """What is taught: a detector, or the gate of a model."""

    task: Task
    slot: Slot

    @property
    def modality(self) -> Modality:
        """Of the images that it looks at."""
        return "rgb" if self.slot == "rgb_ae" else "ct"


class ChoosingPage(QWidget):
    """A list of batteries with check boxes, filtered, and what is to be taught.

    Parameters
    ----------
    rows : of the lot that is open
    gated : slots with a model, whose gate can be fitted
    subject : what is offered first
    """

    changed = Signal()

    def __init__(self, rows: Mapping[str, Row], gated: Collection[Slot], subject: Subject) -> None:
        super().__init__()
        self._rows = dict(rows)
        self._confirmed: frozenset[str] = frozenset()
        self.what = QComboBox()
        words: dict[Subject, str] = {
            Subject("detector", "rgb_ae"): self.tr("Defects on RGB views"),
            Subject("detector", "ct_ae"): self.tr("Strange CT slices (optional second score)"),
            Subject("gate", "rgb_ae"): self.tr("Gate of the RGB model"),
            Subject("gate", "ct_cnn"): self.tr("Gate of the CT model"),
        }
        self._subjects = [s for s in words if s.task == "detector" or s.slot in gated]
        for one in self._subjects:
            self.what.addItem(words[one])
        self.what.setCurrentIndex(self._subjects.index(subject))
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(self.tr("Filter the batteries"))
        self.filter.setClearButtonEnabled(True)
        self.list = table(
            self.tr("Battery"),
            self.tr("Images"),
            self.tr("Station"),
            self.tr("Decision"),
            wide=(0,),
        )
        self.all = button(text=self.tr("Tick all"))
        self.none = button(text=self.tr("Tick none"))
        self.by_people = button(text=self.tr("Confirmed as normal"))
        self.by_people.setEnabled(False)
        self.all.setShortcut("Ctrl+A")
        self.none.setShortcut("Ctrl+Shift+A")
        self._count = label("muted", wrap=True)
        column(
            self,
            line(label(text=self.tr("Teach")), (self.what, 1)),
            label(
                "muted",
                text=self.tr("Tick batteries of which you know that they are good."),
                wrap=True,
            ),
            line((self.filter, 1), self.all, self.none, self.by_people),
            (self.list, 1),
            self._count,
            margin=0,
        )
        self._fill()
        self.what.currentIndexChanged.connect(self._on_what)
        self.filter.textChanged.connect(self._on_filter)
        self.list.itemChanged.connect(self._on_ticked)
        self.all.clicked.connect(self._tick_all)
        self.none.clicked.connect(self._tick_none)
        self.by_people.clicked.connect(self._tick_confirmed)

    @property
    def subject(self) -> Subject:
        """What is to be taught."""
        return self._subjects[self.what.currentIndex()]

    @property
    def chosen(self) -> tuple[str, ...]:
        """Ids of the batteries that are ticked, also of those that the filter hides."""
        return tuple(
            item.data(0, BATTERY)
            for item in self._items()
            if item.checkState(0) == Qt.CheckState.Checked
        )

    def offer_confirmed(self, confirmed: Collection[str]) -> None:
        """Offer the batteries that people have confirmed as normal; tick them where enough."""
        self._confirmed = frozenset(confirmed) & self._rows.keys()
        self.by_people.setEnabled(bool(self._confirmed))
        if len(self._confirmed) >= FEWEST_BATTERIES and not self.chosen:
            self._tick_confirmed()

    def _items(self) -> list[QTreeWidgetItem]:
        found = (self.list.topLevelItem(n) for n in range(self.list.topLevelItemCount()))
        return [item for item in found if item is not None]

    def _fill(self) -> None:
        kept = set(self.chosen)
        self.list.blockSignals(True)
        self.list.clear()
        for name, row in self._rows.items():
            battery = row.battery
            images = battery.rgb if self.subject.modality == "rgb" else battery.ct
            said = kind_text(row.kind) if row.kind is not None else DASH
            final = row.final_kind
            decided = kind_text(final) if row.decision is not None and final is not None else DASH
            item = QTreeWidgetItem([name, str(len(images)), said, decided])
            item.setData(0, BATTERY, name)
            ticked = name in kept and bool(images)
            item.setCheckState(0, Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
            if not images:
                # Nothing of it could be learned from.
                item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addTopLevelItem(item)
        self.list.blockSignals(False)
        self._on_filter(self.filter.text())
        self._tell()

    def _on_what(self) -> None:
        self._fill()
        self.changed.emit()

    def _on_filter(self, text: str) -> None:
        for item in self._items():
            item.setHidden(text.casefold() not in item.text(0).casefold())

    def _on_ticked(self) -> None:
        self._tell()
        self.changed.emit()

    def _tick_all(self) -> None:
        self._tick(lambda item: True)

    def _tick_none(self) -> None:
        self._tick(lambda item: False)

    def _tick_confirmed(self) -> None:
        self._tick(lambda item: item.data(0, BATTERY) in self._confirmed)

    def _tick(self, wanted: Callable[[QTreeWidgetItem], bool]) -> None:
        self.list.blockSignals(True)
        for item in self._items():
            if not item.isHidden() and item.flags() & Qt.ItemFlag.ItemIsEnabled:
                ticked = wanted(item)
                item.setCheckState(0, Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
        self.list.blockSignals(False)
        self._on_ticked()

    def _tell(self) -> None:
        chosen = self.chosen
        images = sum(
            len(row.battery.rgb if self.subject.modality == "rgb" else row.battery.ct)
            for row in map(self._rows.__getitem__, chosen)
        )
        if len(chosen) < FEWEST_BATTERIES:
            words = self.tr("{count} batteries are ticked; at least {least} are needed.")
            text = words.format(count=len(chosen), least=FEWEST_BATTERIES)
            dress(self._count, text, "warning")
            return
        words = self.tr("{count} of {total} batteries, {images} images")
        text = words.format(count=len(chosen), total=len(self._rows), images=images)
        dress(self._count, text, "muted")
