"""What the VLM's and the VLG's lanes share: the walk over a battery's chosen images.

A lane brings a `Looker`, which answers one image. Which images, decoding them, events, cancel,
memory steps and images that fail are the same for both, and are here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from inspection.errors import InspectionError
from inspection.images.preprocess import ImageData, load_content
from inspection.messages import Message
from inspection.predictions import ImageAnswered, ImageTaken, LaneResult, PartialAnswer
from inspection.records import Battery, ImageRef, image_name
from inspection.results import SystemName, VlgImage, VlmImage
from inspection.systems.lane import LaneSettings, OnEvent
from inspection.systems.memory import Ladder

log = logging.getLogger(__name__)

Answer = TypeVar("Answer", VlmImage, VlgImage)
OnText = Callable[[str], None]
"""Given the whole text so far, each time it has grown."""


@dataclass(frozen=True, slots=True)
class ShownImage:
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


@dataclass(frozen=True, slots=True)
class Looker(Generic[Answer]):
    """What a lane adds to the walk.

    Parameters
    ----------
    system : whose lane it is
    kind : the record of one image's answer
    answer : answers one image with a record whose state is ``done``; the walk fills in
        ``seconds``. May raise an `InspectionError` where the image cannot be judged, and run out
        of memory, after which it is called again one step down. May return anything once the
        event is set: it is dropped then. The function is told the text as it grows.
    ladder : what to give up where memory runs out
    max_pixels : of an image, as the model takes it at most
    """

    system: SystemName
    kind: type[Answer]
    answer: Callable[[ShownImage, threading.Event, OnText], Answer]
    ladder: Ladder
    max_pixels: int


def look(
    looker: Looker[Answer],
    battery: Battery,
    settings: LaneSettings,
    cancel: threading.Event,
    on_event: OnEvent,
) -> tuple[LaneResult, list[Answer]]:
    """Return a lane's result but for the system's own record, and an answer to each image.

    An image that fails stops no other; it is among the answers as ``failed``, so that nobody
    takes the rest for the whole. Where every image fails the lane has failed.
    """
    chosen = settings.chooser.choose(battery, cancel)
    # Waiting for the ensemble is not this system's work.
    started = time.monotonic()
    answers: list[Answer] = []
    for ref in settings.chooser.refs(battery, chosen):
        if cancel.is_set():
            break
        on_event(ImageTaken(ref))
        answer = _answer(looker, ref, image_name(ref, settings.lot_root), cancel, on_event)
        if cancel.is_set():
            break  # what was being written is not whole
        on_event(ImageAnswered(ref, answer))
        answers.append(answer)
    if cancel.is_set():
        return LaneResult(looker.system, "cancelled", Message(code="cancelled_by_operator")), []
    done = any(answer.state == "done" for answer in answers)
    result = LaneResult(
        looker.system,
        "done" if done else "failed",
        None if done else _why_none(answers),
        seconds=time.monotonic() - started,
        chosen=chosen,
        memory_steps=tuple(looker.ladder.taken),
    )
    return result, answers


def _why_none(answers: list[Answer]) -> Message:
    return next((a.error for a in answers if a.error), Message(code="no_image_to_look_at"))


def _answer(
    looker: Looker[Answer], ref: ImageRef, name: str, cancel: threading.Event, on_event: OnEvent
) -> Answer:
    started = time.monotonic()
    try:
        data = load_content(ref.path, modality=ref.modality, max_pixels=looker.max_pixels)
        shown = ShownImage(ref, name, data)
        answer = looker.ladder.run(partial(looker.answer, shown, cancel, _teller(ref, on_event)))
    except InspectionError as error:
        message = error.message
    except Exception as error:
        # A model may stumble over one image in any way; the image is then not judged, and the
        # battery cannot read as normal.
        log.exception("%s failed on image %s", looker.system, name)
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
        message = Message(code="image_not_judged", params={"name": name, "problem": problem})
    else:
        return answer.model_copy(update={"seconds": time.monotonic() - started})
    seconds = time.monotonic() - started
    return looker.kind(**_identity(ref, name), state="failed", error=message, seconds=seconds)


def _teller(ref: ImageRef, on_event: OnEvent) -> OnText:
    return lambda text: on_event(PartialAnswer(ref, text))


def _identity(ref: ImageRef, name: str) -> dict[str, Any]:
    return {"image": name, "modality": ref.modality, "axis": ref.axis, "number": ref.number}
