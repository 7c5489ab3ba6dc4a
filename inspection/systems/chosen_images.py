"""What the VLM's and the VLG's lanes share: the walk over a battery's chosen images.

A lane brings the model and the answer to one image. Which images, decoding them, events, cancel,
memory steps and images that fail are the same for both, and are here.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from inspection.errors import InspectionError
from inspection.images.preprocess import ImageData, load_content
from inspection.images.stack_grey import StackWindow
from inspection.messages import Message
from inspection.predictions import ImageAnswered, ImageTaken, LaneResult, PartialAnswer
from inspection.records import Battery, ImageRef, Modality, image_name
from inspection.results import ModelProvenance, SystemName, VlgImage, VlmImage
from inspection.systems.lane import LaneSettings, OnEvent
from inspection.systems.memory import empty_cache
from inspection.systems.placed_model import Limits, Model, PlacedModel

log = logging.getLogger(__name__)

Answer = TypeVar("Answer", VlmImage, VlgImage)
OnText = Callable[[str], None]
"""Given the whole text so far, each time it has grown."""


@dataclass(frozen=True, slots=True)
class ChosenImage:
    """A chosen image, decoded.

    Parameters
    ----------
    ref : which image
    name : as in results
    data : the content, possibly at reduced scale; boxes are to be in pixels of the whole source
    """

    ref: ImageRef
    name: str
    data: ImageData

    def identity(self) -> dict[str, Any]:
        """Return the fields of `AnsweredImage` that say which image was answered."""
        width, height = self.data.source_size
        return {**_identity(self.ref, self.name), "width": width, "height": height}


class ChosenImagesLane(ABC, Generic[Answer, Model, Limits]):
    """A lane that answers the images which the run's chooser names, one after another."""

    name: SystemName
    kind: type[Answer]
    """The record of one image's answer."""

    def __init__(self, settings: LaneSettings) -> None:
        self.settings = settings
        self.placed: PlacedModel[Model, Limits] | None = None

    @abstractmethod
    def load(self) -> list[ModelProvenance]:
        """Load the model onto the GPU where it fits, else the CPU; refuse what fits neither."""

    @abstractmethod
    def answer(
        self,
        placed: PlacedModel[Model, Limits],
        shown: ChosenImage,
        cancel: threading.Event,
        on_text: OnText,
    ) -> Answer:
        """Answer one image with a record whose state is ``done``.

        The walk fills in ``seconds``. May raise an `InspectionError` where the image cannot be
        judged, and run out of memory, after which it is called again one step down. May return
        anything once ``cancel`` is set: it is dropped then.
        """

    @abstractmethod
    def gather(self, result: LaneResult, answers: Sequence[Answer]) -> LaneResult:
        """Return the lane's result with the answers brought to one."""

    def place(
        self,
        model: str,
        limits: Limits,
        bytes_on: Callable[[str], int],
        load: Callable[[str], Model],
    ) -> PlacedModel[Model, Limits]:
        """Load a model where it fits; see `PlacedModel`."""
        try:
            self.placed = PlacedModel(self.name, model, self.settings, limits, bytes_on, load)
        except Exception:
            # Whatever it was: what had been loaded by then must not keep its memory.
            self.close()
            raise
        return self.placed

    def expect(self, battery: Battery | None) -> None:
        """Prepare nothing: an image is decoded in a fraction of the time it is looked at."""

    def inspect(self, battery: Battery, cancel: threading.Event, on_event: OnEvent) -> LaneResult:
        """Answer each chosen image, and bring the answers to one.

        An image that fails stops no other; it is among the answers as ``failed``, so that nobody
        takes the rest for the whole. Where every image fails the lane has failed.
        """
        if self.placed is None:
            raise RuntimeError("load() comes first")
        chosen = self.settings.chooser.choose(battery, cancel)
        # Waiting for the ensemble is not this system's work.
        started = time.monotonic()
        answers: list[Answer] = []
        seen: set[Modality] = set()
        for ref in self.settings.chooser.refs(battery, chosen):
            if cancel.is_set():
                break
            on_event(ImageTaken(ref))
            seen.add(ref.modality)
            grey = self.settings.greys.of(battery) if ref.modality == "ct" else None
            answer = self._answer_or_fail(ref, self.placed, grey, cancel, on_event)
            if cancel.is_set():
                break  # what was being written is not whole
            on_event(ImageAnswered(ref, answer))
            answers.append(answer)
        if cancel.is_set():
            return LaneResult(self.name, "cancelled", Message(code="cancelled_by_operator"))
        done = any(answer.state == "done" for answer in answers)
        errors = [a.error for a in answers if a.error] or [Message(code="no_image_to_look_at")]
        result = LaneResult(
            self.name,
            "done" if done else "failed",
            None if done else errors[0],
            seconds=time.monotonic() - started,
            chosen=chosen,
            memory_steps=tuple(self.placed.ladder.taken),
            grey=self.settings.greys.of(battery).find() if seen & {"ct"} else None,
        )
        return self.gather(result, answers) if done else result

    def _answer_or_fail(
        self,
        ref: ImageRef,
        placed: PlacedModel[Model, Limits],
        grey: StackWindow | None,
        cancel: threading.Event,
        on_event: OnEvent,
    ) -> Answer:
        started, name = time.monotonic(), image_name(ref, self.settings.lot_root)

        def on_text(text: str) -> None:
            on_event(PartialAnswer(ref, text))

        try:
            data = load_content(
                ref.source,
                modality=ref.modality,
                max_pixels=placed.max_pixels,
                window=grey.window if grey is not None else None,
            )
            shown = ChosenImage(ref, name, data)
            answer = placed.ladder.run(partial(self.answer, placed, shown, cancel, on_text))
        except InspectionError as error:
            message = error.message
        except Exception as error:
            # A model may stumble over one image in any way; the image is then not judged, and the
            # battery cannot read as normal.
            log.exception("%s failed on image %s", self.name, name)
            problem = f"{type(error).__name__}: {error}".splitlines()[0]
            message = Message(code="image_not_judged", params={"name": name, "problem": problem})
        else:
            return answer.model_copy(update={"seconds": time.monotonic() - started})
        seconds = time.monotonic() - started
        return self.kind(**_identity(ref, name), state="failed", error=message, seconds=seconds)

    def close(self) -> None:
        """Drop the model, and give its part of the GPU back."""
        self.placed = None
        self.settings.gpu.release(self.name)
        empty_cache()


def _identity(ref: ImageRef, name: str) -> dict[str, Any]:
    return {"image": name, "modality": ref.modality, "axis": ref.axis, "number": ref.number}
