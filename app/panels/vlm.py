"""The vision-language model's judgement of the current battery, live while it writes."""

from __future__ import annotations

from app.lot.review import BatteryView
from app.panels.answers import Answer, AnswersPanel, Described
from app.panels.dock import DockPlace
from app.tones import said_tone
from app.wording import class_text, judgement_text, score_text
from inspection.results import Box, VlmImage


class VlmPanel(AnswersPanel):
    """Judgement, defect type, confidence, explanation and boxes; or why there are none."""

    name = "vlm"
    place = DockPlace("below", of="ct", share=0.24)

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("VLM judgement")

    def describe(self, answer: Answer) -> Described:
        """Return judgement, type and confidence, the battery's judgement where it differs, and why.

        An answer that could not be read is shown as it was written.
        """
        assert isinstance(answer, VlmImage)
        judgement = answer.prediction or "review"
        facts = [class_text(answer.defect_type)] if answer.defect_type else []
        if answer.confidence is not None:
            score = score_text(answer.confidence, 2)
            facts.append(self.tr("Confidence {score}").format(score=score))
        whole = self._view.result.vlm if self._view and self._view.result else None
        if whole is not None and whole.prediction != answer.prediction:
            facts.append(self.tr("Battery: {word}").format(word=judgement_text(whole.prediction)))
        remark, words = "", answer.explanation
        if answer.form == "unread":
            remark = self.tr("This answer could not be read, so it counts as review.")
            words = answer.answer if answer.answer.strip() else self.tr("The model wrote nothing.")
        tone = said_tone(judgement)
        return Described(judgement_text(judgement), tone, tuple(facts), remark, words)

    def boxes_of(self, answer: Answer) -> list[Box]:
        """Return the boxes that the answer names."""
        assert isinstance(answer, VlmImage)
        return answer.bbox

    def first_choice(self, view: BatteryView) -> str | None:
        """Return the image that decided."""
        return view.result.vlm.image if view.result and view.result.vlm else None
