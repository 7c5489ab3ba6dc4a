"""A VLM or VLG that knows its answers: everything but the model is real."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from inspection.messages import Message
from inspection.predictions import ImageAnswered, ImageTaken, LaneResult, PartialAnswer
from inspection.records import Battery, image_name
from inspection.results import (
    Alternative,
    Box,
    ModelProvenance,
    SystemName,
    VlgImage,
    VlgResult,
    VlmImage,
)
from inspection.systems.lane import LaneSettings
from inspection.systems.vlm.answers import judge_battery

WORDS = ("A dark pore", " crosses", " the layers.")


@dataclass
class Record:
    """What the lanes of a test were asked to do.

    ``gate``, where given, is waited for before each word; ``fails`` names batteries on which the
    lane breaks. ``demo`` names the systems that are to judge with demo models.
    """

    gate: threading.Event | None = None
    fails: tuple[str, ...] = ()
    calls: list[tuple[str, str]] = field(default_factory=list)
    form: str = "json"
    demo: tuple[SystemName, ...] = ()


class AnsweringLane:
    """Takes up the chosen images, writes word by word, and finds a box on each."""

    def __init__(self, name: SystemName, settings: LaneSettings, record: Record) -> None:
        self.name = name
        self.settings = settings
        self._record = record

    def load(self) -> list[ModelProvenance]:
        self._record.calls.append(("load", self.name))
        demo = self.name in self._record.demo
        return [ModelProvenance(slot=self.name, name="answers", sha256="1" * 64, demo=demo)]

    def close(self) -> None:
        self._record.calls.append(("close", self.name))

    def expect(self, battery: Battery | None) -> None:
        pass

    def inspect(self, battery: Battery, cancel: threading.Event, on_event) -> LaneResult:
        self._record.calls.append((battery.battery_id, self.name))
        if battery.battery_id in self._record.fails:
            raise RuntimeError("the driver is gone")
        chosen = self.settings.chooser.choose(battery, cancel)
        answers = []
        for ref in self.settings.chooser.refs(battery, chosen):
            if cancel.is_set():
                return LaneResult(self.name, "cancelled", Message(code="cancelled_by_operator"))
            on_event(ImageTaken(ref))
            text = ""
            for word in WORDS if self.name == "vlm" else ():
                self._wait(cancel)
                if cancel.is_set():
                    return LaneResult(self.name, "cancelled", Message(code="cancelled_by_operator"))
                text += word
                on_event(PartialAnswer(ref, text))
            answers.append(self._answer(ref, text))
            on_event(ImageAnswered(ref, answers[-1]))
        said = {"chosen": chosen, "seconds": 0.5}
        if self.name == "vlm":
            return LaneResult("vlm", "done", vlm=judge_battery(answers), **said)
        return LaneResult("vlg", "done", vlg=_whole(answers), **said)

    def _wait(self, cancel: threading.Event) -> None:
        gate = self._record.gate
        while gate is not None and not gate.wait(0.01) and not cancel.is_set():
            pass

    def _answer(self, ref, text: str) -> VlmImage | VlgImage:
        which = {
            "image": image_name(ref, self.settings.lot_root),
            "modality": ref.modality,
            "axis": ref.axis,
            "number": ref.number,
            "state": "done",
            "seconds": 0.1,
        }
        boxes = [Box(x=10, y=10, w=30, h=20), Box(x=60, y=40, w=20, h=20)]
        if self.name == "vlg":
            return VlgImage(
                **which,
                bboxes=boxes,
                scores=[0.8, 0.4],
                defect_types=["pollution", "damaged"],
                phrases=["dark spot", "dent"],
                alternatives=[
                    [Alternative(phrase="scratch", defect_type="damaged", score=0.31)],
                    [],
                ],
            )
        if self._record.form == "unread":
            return VlmImage(**which, prediction="review", answer=text, form="unread")
        return VlmImage(
            **which,
            prediction="defect",
            defect_type="cell_porosity",
            explanation=text,
            confidence=0.9,
            bbox=boxes,
            answer=text,
            form="json",
        )


def _whole(answers: list[VlgImage]) -> VlgResult:
    return VlgResult(
        bboxes=[box for answer in answers for box in answer.bboxes],
        scores=[score for answer in answers for score in answer.scores],
        defect_types=[name for answer in answers for name in answer.defect_types],
        box_images=[answer.image for answer in answers for _ in answer.bboxes],
        images=answers,
    )
