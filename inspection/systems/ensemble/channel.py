"""Images of one modality in, predictions out: batches through the model."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from inspection.gate.images import ImageGate
from inspection.images.decode_ahead import DecodeAhead, Wanted
from inspection.images.heatmaps import boxes_in_source, crop_to_content, peak_of
from inspection.images.stack_grey import StackWindow
from inspection.messages import Message
from inspection.predictions import FailedPrediction, GateFinding, Prediction
from inspection.records import ImageRef
from inspection.systems.ensemble.detectors import Predictor, ScoredImage
from inspection.systems.memory import Ladder, Step

BATCH = 16
BOX_THRESHOLD = 0.5
"""Maps come on their bundle's fixed scale, where 0.5 is the edge of a region (specification)."""
MIN_BOX_AREA = 100
"""Source pixels (specification)."""


class ChannelModel:
    """A model with its preprocess.

    Where memory runs out the batch is halved down to a single image, then a model on the GPU is
    moved to the CPU; `memory_steps` tells.

    Parameters
    ----------
    predictor : the model
    decoding : brings the images; shared by the channels of a lane
    slice_threshold : of the fusion policy, for a model that has no threshold of its own
    device : where to judge, ``cpu`` or ``cuda``; by default where the model is
    gate : looks at each image; None where nothing is looked at
    """

    def __init__(
        self,
        predictor: Predictor,
        decoding: DecodeAhead,
        slice_threshold: float | None = None,
        device: str | None = None,
        gate: ImageGate | None = None,
    ) -> None:
        self._gate = gate
        self._predictor = predictor
        self._preprocess = predictor.preprocess
        self._decoding = decoding
        threshold = slice_threshold if predictor.threshold is None else predictor.threshold
        if threshold is None:
            raise ValueError("a model without a threshold needs one")
        self._threshold = threshold
        self._batch = BATCH
        to_cpu: list[Step] = []
        if (device or predictor.device) != "cpu":
            to_cpu = [(Message(code="memory_step_cpu"), partial(predictor.move_to, "cpu"))]
        self._loading = Ladder(to_cpu)

        def load() -> None:
            if not self._loading.taken:
                predictor.move_to(device or predictor.device)

        self._loading.run(load)
        sizes = [BATCH >> halvings for halvings in range(1, BATCH.bit_length())]
        halve: list[Step] = [
            (
                Message(code="memory_step_batch", params={"batch": size}),
                partial(setattr, self, "_batch", size),
            )
            for size in sizes
        ]
        self._judging = Ladder(halve + ([] if self._loading.taken else to_cpu))

    def wanted(
        self, images: Iterable[ImageRef], grey: StackWindow | None = None
    ) -> Iterator[Wanted]:
        """Return images with what this model makes of them, for decoding ahead."""
        return (Wanted(image, self._preprocess, grey) for image in images)

    def predict(
        self,
        images: Sequence[ImageRef],
        cancel: threading.Event,
        then: Iterable[Wanted] = (),
        grey: StackWindow | None = None,
    ) -> Iterator[Prediction | FailedPrediction]:
        """Judge images in order; ends early once ``cancel`` is set.

        An image that cannot be read becomes a `FailedPrediction` and stops no other.

        Parameters
        ----------
        then : what will be judged after these, to be decoded meanwhile
        grey : of the stack that the images are of
        """
        size = (self._preprocess.width, self._preprocess.height)
        decoded = self._decoding.images(list(self.wanted(images, grey)), then, cancel)
        while not cancel.is_set() and (batch := list(islice(decoded, BATCH))):
            yield from (item for item in batch if isinstance(item, FailedPrediction))
            ready = [item for item in batch if not isinstance(item, FailedPrediction)]
            if not ready:
                continue
            started = time.monotonic()
            judged = self._judge_all([item.input.array for item in ready])
            looked: list[GateFinding | None] = [None] * len(ready)
            if self._gate is not None:
                looked[:] = self._gate.look(
                    [item.image.file_name for item in ready],
                    [item.input for item in ready],
                    [item.roi for item in ready],
                    [found.features for found in judged],
                )
            share = (time.monotonic() - started) / len(ready)
            for item, found, gate in zip(ready, judged, looked, strict=True):
                anomaly_map = crop_to_content(found.heat, item.input.content, size)
                boxes = boxes_in_source(anomaly_map, item.roi, BOX_THRESHOLD, MIN_BOX_AREA)
                yield Prediction(
                    image=item.image,
                    pred_label=found.pred_label,
                    probabilities=found.probabilities,
                    pred_score=found.pred_score,
                    threshold=self._threshold,
                    anomaly_map=anomaly_map,
                    roi=item.roi,
                    source_size=item.source_size,
                    pred_boxes=tuple(boxes),
                    peak=peak_of(anomaly_map, item.roi),
                    seconds=share + item.seconds,
                    window=item.window,
                    gate=gate,
                )
        if cancel.is_set():
            self._decoding.forget()

    @property
    def memory_steps(self) -> list[Message]:
        """What was given up so far for want of memory."""
        return [*self._loading.taken, *self._judging.taken]

    def _judge_all(self, arrays: Sequence[NDArray[np.float32]]) -> list[ScoredImage]:
        judged: list[ScoredImage] = []

        def judge_next() -> list[ScoredImage]:
            # Read anew at each try: a step down halves the batch.
            batch = arrays[len(judged) : len(judged) + self._batch]
            return self._predictor.judge(np.stack(batch))

        while len(judged) < len(arrays):
            judged += self._judging.run(judge_next)
        return judged
