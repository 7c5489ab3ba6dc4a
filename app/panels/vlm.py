"""The vision-language model's judgement of the current battery, live while it writes."""

from __future__ import annotations

from PySide6.QtGui import QAction

from app.panels.answers import Answer, AnswersPanel
from app.review import BatteryView
from app.tasks import TaskPool
from app.tones import Tone, said_tone
from app.wording import class_text, judgement_text, score_text
from inspection.results import Box, VlmImage


class VlmPanel(AnswersPanel):
    """Judgement, defect type, confidence, explanation and boxes; or why there are none."""

    def __init__(self, pool: TaskPool, boxes: QAction) -> None:
        super().__init__("vlm", pool, boxes)
        self.retranslate()
        self.restyle()

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("VLM judgement")

    def judgement(self, answer: Answer) -> tuple[str, Tone]:
        """Return the judgement of the image."""
        assert isinstance(answer, VlmImage)
        judgement = answer.prediction or "review"
        return judgement_text(judgement), said_tone(judgement)

    def facts_of(self, answer: Answer) -> list[str]:
        """Return defect type and confidence, and the judgement of the battery where it differs."""
        assert isinstance(answer, VlmImage)
        facts = [class_text(answer.defect_type)] if answer.defect_type else []
        if answer.confidence is not None:
            score = score_text(answer.confidence, 2)
            facts.append(self.tr("Confidence {score}").format(score=score))
        whole = self._view.result.vlm if self._view and self._view.result else None
        if whole is not None and whole.prediction != answer.prediction:
            facts.append(self.tr("Battery: {word}").format(word=judgement_text(whole.prediction)))
        return facts

    def words_of(self, answer: Answer) -> tuple[str, str]:
        """Return the explanation; the answer as it was written where it could not be read."""
        assert isinstance(answer, VlmImage)
        if answer.form != "unread":
            return "", answer.explanation
        remark = self.tr("This answer could not be read, so it counts as review.")
        if not answer.answer.strip():
            return remark, self.tr("The model wrote nothing.")
        return remark, answer.answer

    def boxes_of(self, answer: Answer) -> list[Box]:
        """Return the boxes that the answer names."""
        assert isinstance(answer, VlmImage)
        return answer.bbox

    def first_choice(self, view: BatteryView) -> str | None:
        """Return the image that decided."""
        return view.result.vlm.image if view.result and view.result.vlm else None
