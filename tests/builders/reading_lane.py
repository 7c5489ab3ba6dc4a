"""An ensemble that opens every file and judges nothing of it: normal where all could be read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from builders.uninstalled_lane import UninstalledLane
from inspection.errors import ImageError
from inspection.images.bounds import read_regular_file
from inspection.images.decoding import Decoder
from inspection.messages import Message
from inspection.predictions import FailedPrediction, LaneResult
from inspection.records import Battery, ImageRef, image_name
from inspection.results import ImageResult, ModelProvenance, Verdict
from inspection.systems.lane import LaneSettings, none_opened


class ReadingLane(UninstalledLane):
    """Calls ``before`` with each image before it is opened, so that a test can take it away.

    ``sha256`` is of the model that it claims to have.
    """

    def __init__(
        self,
        settings: LaneSettings,
        before: Callable[[ImageRef], object] = lambda ref: None,
        sha256: str = "1" * 64,
    ) -> None:
        super().__init__("ensemble", settings)
        self._before = before
        self._sha256 = sha256

    def load(self) -> list[ModelProvenance]:
        return [ModelProvenance(slot="ct_cnn", name="reads", sha256=self._sha256)]

    def inspect(self, battery: Battery, cancel: threading.Event, on_event) -> LaneResult:
        images = []
        for ref in (*battery.ct, *battery.rgb):
            self._before(ref)
            if cancel.is_set():
                return LaneResult(self.name, "cancelled", Message(code="cancelled_by_operator"))
            which = {
                "image": image_name(ref, self.settings.lot_root),
                "modality": ref.modality,
                "axis": ref.axis,
                "number": ref.number,
            }
            try:
                if ref.section is None:
                    read_regular_file(ref.path, len)
                else:
                    Decoder(ref.source, ref.modality).stored()
            except ImageError as error:
                on_event(FailedPrediction(ref, error))
                images.append(ImageResult(**which, state="failed", error=error.message))
            else:
                images.append(ImageResult(**which, state="done"))
        if cancel.is_set():
            return LaneResult(self.name, "cancelled", Message(code="cancelled_by_operator"))
        if none_opened(images):
            message = Message(code="images_none_opened", params={"count": len(images)})
            return LaneResult(self.name, "failed", message, images=tuple(images))
        whole = all(image.state == "done" for image in images)
        verdict = Verdict(kind="normal" if whole else "review")
        return LaneResult(self.name, "done", verdict=verdict, images=tuple(images))


class GreyLane(ReadingLane):
    """Also looks for the grey window of a battery's slices: review where they could not be read."""

    def inspect(self, battery: Battery, cancel: threading.Event, on_event) -> LaneResult:
        grey = self.settings.greys.of(battery).find()
        result = super().inspect(battery, cancel, on_event)
        if grey.problem is not None and grey.problem.code == "grey_stack_unread":
            result = replace(result, verdict=Verdict(kind="review"))
        return replace(result, grey=grey)
