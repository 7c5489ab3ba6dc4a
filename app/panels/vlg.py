"""The phrase-grounding model's boxes on the current battery."""

from __future__ import annotations

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from app.panels.answers import Answer, AnswersPanel
from app.panels.box_list import BoxList
from app.review import BatteryView
from app.tasks import TaskPool
from app.tones import Tone
from app.wording import class_text, score_text
from inspection.results import Box, VlgImage


class VlgPanel(AnswersPanel):
    """What text queries found on each image, surest first; or why there is nothing."""

    def __init__(self, pool: TaskPool, boxes: QAction) -> None:
        super().__init__("vlg", pool, boxes)
        self.list.itemSelectionChanged.connect(self._on_selected)
        self.retranslate()
        self.restyle()

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("VLG boxes")

    def own_widgets(self) -> tuple[QWidget, ...]:
        """Return the list of boxes."""
        self.list = BoxList()
        return (self.list,)

    def judgement(self, answer: Answer) -> tuple[str, Tone]:
        """Return how many boxes the image has."""
        assert isinstance(answer, VlgImage)
        if not answer.bboxes:
            return self.tr("Nothing found"), "success"
        return self.tr("Boxes: {count}").format(count=len(answer.bboxes)), "critical"

    def facts_of(self, answer: Answer) -> list[str]:
        """Return how many boxes the battery has on all its images."""
        whole = self._view.result.vlg if self._view and self._view.result else None
        if whole is None:
            return []
        return [self.tr("Whole battery: {count}").format(count=len(whole.bboxes))]

    def words_of(self, answer: Answer) -> tuple[str, str]:
        """Return nothing: the list says it all."""
        return "", ""

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
                (class_text(name), phrase, score_text(score, 2)) for name, phrase, score in found
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
