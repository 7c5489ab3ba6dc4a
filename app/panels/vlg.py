"""The phrase-grounding model's boxes on the current battery."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from app.lot.review import BatteryView
from app.panels.answers import Answer, AnswersPanel, Described
from app.panels.dock import DockPlace
from app.wording import score_text, spot_words
from inspection.results import Box, VlgImage

EDGE = 2


class BoxList(QTreeWidget):
    """Shows rows of words; as tall as they are, so that what is around it scrolls."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[tuple[str, str, str]] = []
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setColumnCount(3)
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(32)
        for place, mode in enumerate(
            (
                QHeaderView.ResizeMode.Stretch,
                QHeaderView.ResizeMode.Stretch,
                QHeaderView.ResizeMode.ResizeToContents,
            )
        ):
            header.setSectionResizeMode(place, mode)

    def show_rows(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Show rows; the one that was chosen stays chosen where the rows are the same."""
        if rows == self._rows:
            return
        self._rows = list(rows)
        self.blockSignals(True)
        self.clear()
        for row in rows:
            item = QTreeWidgetItem(list(row))
            for place, word in enumerate(row):
                item.setToolTip(place, word)
            item.setTextAlignment(2, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.addTopLevelItem(item)
        self.blockSignals(False)
        height = sum(self.sizeHintForRow(n) for n in range(len(rows)))
        self.setFixedHeight(self.header().sizeHint().height() + height + EDGE)

    @property
    def chosen(self) -> int | None:
        """The row that is chosen."""
        items = self.selectedItems()
        return self.indexOfTopLevelItem(items[0]) if items else None

    def event(self, event: QEvent) -> bool:
        """Qt: with the focus here, Up and Down are the list's and not the window's."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
            if plain and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
                event.accept()
                return True
        return super().event(event)


class VlgPanel(AnswersPanel):
    """What text queries found on each image, surest first; or why there is nothing."""

    name = "vlg"
    place = DockPlace("tab", of="vlm")

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("VLG boxes")

    def own_widgets(self) -> tuple[QWidget, ...]:
        """Return the list of boxes."""
        self.list = BoxList()
        self.list.itemSelectionChanged.connect(self._on_selected)
        return (self.list,)

    def describe(self, answer: Answer) -> Described:
        """Return how many boxes the image has, and the battery on all its images."""
        assert isinstance(answer, VlgImage)
        whole = self._view.result.vlg if self._view and self._view.result else None
        facts: tuple[str, ...] = ()
        if whole is not None:
            facts = (self.tr("Whole battery: {count}").format(count=len(whole.bboxes)),)
        if not answer.bboxes:
            return Described(self.tr("Nothing found"), "success", facts)
        count = self.tr("Boxes: {count}").format(count=len(answer.bboxes))
        return Described(count, "critical", facts)

    def boxes_of(self, answer: Answer) -> list[Box]:
        """Return the boxes with their scores."""
        assert isinstance(answer, VlgImage)
        return [
            box.model_copy(update={"score": score})
            for box, score in zip(answer.bboxes, answer.scores, strict=True)
        ]

    def first_choice(self, view: BatteryView) -> str | None:
        """Return the image with the surest box."""
        found = view.result.vlg if view.result else None
        if found is None or not found.bboxes:
            return None
        return max(zip(found.scores, found.box_images, strict=True))[1]

    def show_own(self, answer: Answer | None) -> None:
        """List the boxes."""
        self.list.setHeaderLabels([self.tr("Defect type"), self.tr("Phrase"), self.tr("Score")])
        rows = []
        if isinstance(answer, VlgImage):
            found = zip(answer.defect_types, answer.phrases, answer.scores, strict=True)
            rows = [
                (spot_words(answer, number), phrase, score_text(score, 2))
                for number, (_, phrase, score) in enumerate(found)
            ]
        self.list.show_rows(rows)
        self.list.setVisible(bool(rows))

    def boxes_drawn(self) -> None:
        """Bring out the box that is chosen in the list."""
        self.stage.highlight(self.list.chosen)

    def _on_selected(self) -> None:
        self.boxes_drawn()
        for item in self.list.selectedItems():
            middle = self.list.visualItemRect(item).center()
            self.area.ensureVisible(0, self.list.y() + self.list.viewport().y() + middle.y())
