"""Decoding in threads, a bounded number of images ahead of the models, across batteries."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from inspection.errors import ImageError, InspectionError
from inspection.images.grey import GreyWindow
from inspection.images.preprocess import (
    ModelInput,
    Preprocess,
    load_image,
    to_model_input,
)
from inspection.images.stack_grey import StackWindow
from inspection.predictions import FailedPrediction
from inspection.records import ImageRef, ImageSource, Rect
from inspection.volumes.stopping import ReadingStopped, until

AHEAD = 32
"""Two batches: one that is judged next, one that is decoded meanwhile."""


class Wanted(NamedTuple):
    """An image, what a model makes of it, and the window of its stack where it has one."""

    image: ImageRef
    preprocess: Preprocess
    grey: StackWindow | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image ready for its model. The source's pixels, 6 MB of a view, are gone already.

    Parameters
    ----------
    roi : the part of the source that the input shows, source pixels
    source_size : (width, height) of the source
    seconds : what decoding took one thread
    window : the grey values that it was seen under
    """

    image: ImageRef
    input: ModelInput
    roi: Rect
    source_size: tuple[int, int]
    seconds: float
    window: GreyWindow | None


class DecodeAhead:
    """Decodes images before they are asked for. Used by one thread.

    Memory is bounded: at most ``ahead`` images are decoded or in work at any time.

    Parameters
    ----------
    threads : by default one a core: the models wait for images, and images for the models, so
        that neither leaves a core idle
    ahead : how many images may be ready or in work
    """

    def __init__(self, threads: int | None = None, ahead: int = AHEAD) -> None:
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, "decode")
        self._ahead = ahead
        self._cancel: threading.Event | None = None
        self._closed = False
        self._begun: dict[ImageSource, Future[Decoded | FailedPrediction]] = {}

    def images(
        self,
        wanted: Sequence[Wanted],
        then: Iterable[Wanted] = (),
        cancel: threading.Event | None = None,
    ) -> Iterator[Decoded | FailedPrediction]:
        """Yield images in order; one that cannot be read is a `FailedPrediction`.

        Parameters
        ----------
        wanted : what is yielded
        then : what will be asked for next; begun as soon as there is room
        cancel : once it is set, no more are yielded, even where one is on its way
        """
        self._cancel = cancel
        plan = chain(wanted, then)
        self._forget_all_but({item.image.source for item in wanted})
        for item in wanted:
            self._begin(item)
            while len(self._begun) < self._ahead and (following := next(plan, None)) is not None:
                self._begin(following)
            while True:
                try:
                    found = self._begun.pop(item.image.source).result()
                    break
                except ReadingStopped:
                    if self._closed or (cancel is not None and cancel.is_set()):
                        return
                    # Begun for a run that was cancelled since: of this one no image may be missing.
                    self._begin(item)
            yield found

    def forget(self) -> None:
        """Drop what was decoded or begun and not asked for."""
        self._forget_all_but(set())

    def close(self) -> None:
        """End the threads."""
        self._closed = True
        self._pool.shutdown(cancel_futures=True)
        self._begun.clear()

    def _begin(self, item: Wanted) -> None:
        if item.image.source not in self._begun:
            self._begun[item.image.source] = self._pool.submit(self._decode, item)

    def _decode(self, item: Wanted) -> Decoded | FailedPrediction:
        with until(lambda: self._closed or (self._cancel is not None and self._cancel.is_set())):
            return _decode(item)

    def _forget_all_but(self, kept: set[ImageSource]) -> None:
        for source in self._begun.keys() - kept:
            self._begun.pop(source).cancel()


def _decode(item: Wanted) -> Decoded | FailedPrediction:
    started = time.monotonic()
    ref, spec = item.image, item.preprocess
    try:
        window = item.grey.window if item.grey is not None else None
        size = (spec.width, spec.height)
        data = load_image(ref.source, modality=ref.modality, fit=size, window=window)
        prepared = to_model_input(data, spec)
    except InspectionError as error:
        return FailedPrediction(ref, error)
    except OSError as error:
        problem = error.strerror or type(error).__name__
        return FailedPrediction(
            ref, ImageError("image_unreadable", name=ref.file_name, problem=problem)
        )
    seconds = time.monotonic() - started
    return Decoded(ref, prepared, data.roi, data.source_size, seconds, window)
