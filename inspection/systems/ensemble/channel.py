"""Images of one modality in, predictions out: batches through the model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inspection.images.decode_ahead import DecodeAhead, Decoded, Wanted
from inspection.images.heatmaps import boxes_in_source, crop_to_content, peak_of
from inspection.images.preprocess import Preprocess
from inspection.messages import Message
from inspection.predictions import FailedPrediction, Prediction
from inspection.records import CT_DEFECT_CLASSES, ImageRef
from inspection.systems.memory import Ladder, Step

if TYPE_CHECKING:
    from inspection.systems.ensemble.cae import CaePredictor
    from inspection.systems.ensemble.cnn import CnnPredictor

BATCH = 16
BOX_THRESHOLD = 0.5
"""Maps come on their bundle's fixed scale, where 0.5 is the edge of a region (specification)."""
MIN_BOX_AREA = 100
"""Source pixels (specification)."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model says of one image of a batch; ``heat`` is (h, w) over the whole input."""

    heat: NDArray[np.float32]
    pred_label: str
    probabilities: dict[str, float]
    pred_score: float
    threshold: float


class ChannelModel:
    """A model with its preprocess.

    Where memory runs out the batch is halved down to a single image, then a model on the GPU is
    moved to the CPU; `memory_steps` tells.

    Parameters
    ----------
    preprocess : the model's own
    judge : (N, C, H, W) float32 inputs to a `Judged` each
    move_to : moves the model to a device
    device : where to judge, ``cpu`` or ``cuda``
    decoding : brings the images; shared by the channels of a lane
    """

    def __init__(
        self,
        preprocess: Preprocess,
        judge: Callable[[NDArray[np.float32]], list[Judged]],
        move_to: Callable[[str], None],
        device: str,
        decoding: DecodeAhead,
    ) -> None:
        self._preprocess = preprocess
        self._decoding = decoding
        self._judge = judge
        self._move_to = move_to
        self._batch = BATCH
        to_cpu: list[Step] = []
        if device != "cpu":
            to_cpu = [(Message(code="memory_step_cpu"), partial(move_to, "cpu"))]
        self._loading = Ladder(to_cpu)
        self._loading.run(partial(self._load, device))
        self._judging = Ladder(self._batch_steps() + ([] if self._loading.taken else to_cpu))

    def wanted(self, images: Iterable[ImageRef]) -> Iterator[Wanted]:
        """Return images with what this model makes of them, for decoding ahead."""
        return ((image, self._preprocess) for image in images)

    def predict(
        self, images: Sequence[ImageRef], cancel: threading.Event, then: Iterable[Wanted] = ()
    ) -> Iterator[Prediction | FailedPrediction]:
        """Judge images in order; ends early once ``cancel`` is set.

        An image that cannot be read becomes a `FailedPrediction` and stops no other.

        Parameters
        ----------
        then : what will be judged after these, to be decoded meanwhile
        """
        for batch in self._batches(images, cancel, then):
            yield from (item for item in batch if isinstance(item, FailedPrediction))
            ready = [item for item in batch if not isinstance(item, FailedPrediction)]
            if not ready:
                continue
            started = time.monotonic()
            judged = self._judge_all([item.input.array for item in ready])
            share = (time.monotonic() - started) / len(ready)
            for item, what in zip(ready, judged, strict=True):
                yield self._prediction(item, what, share)

    @property
    def memory_steps(self) -> list[Message]:
        """What was given up so far for want of memory."""
        return [*self._loading.taken, *self._judging.taken]

    def _load(self, device: str) -> None:
        if not self._loading.taken:
            self._move_to(device)

    def _batch_steps(self) -> list[Step]:
        sizes = [BATCH >> halvings for halvings in range(1, BATCH.bit_length())]
        return [
            (
                Message(code="memory_step_batch", params={"batch": size}),
                partial(setattr, self, "_batch", size),
            )
            for size in sizes
        ]

    def _judge_all(self, arrays: Sequence[NDArray[np.float32]]) -> list[Judged]:
        judged: list[Judged] = []
        while len(judged) < len(arrays):
            judged += self._judging.run(partial(self._judge_from, arrays, len(judged)))
        return judged

    def _judge_from(self, arrays: Sequence[NDArray[np.float32]], start: int) -> list[Judged]:
        return self._judge(np.stack(arrays[start : start + self._batch]))

    def _batches(
        self, images: Sequence[ImageRef], cancel: threading.Event, then: Iterable[Wanted]
    ) -> Iterator[list[Decoded | FailedPrediction]]:
        decoded = self._decoding.images(list(self.wanted(images)), then)
        while not cancel.is_set() and (batch := list(islice(decoded, BATCH))):
            yield batch
        if cancel.is_set():
            self._decoding.forget()

    def _prediction(self, item: Decoded, judged: Judged, seconds: float) -> Prediction:
        roi = item.roi
        size = (self._preprocess.width, self._preprocess.height)
        anomaly_map = crop_to_content(judged.heat, item.input.content, size)
        return Prediction(
            image=item.image,
            pred_label=judged.pred_label,
            probabilities=judged.probabilities,
            pred_score=judged.pred_score,
            threshold=judged.threshold,
            anomaly_map=anomaly_map,
            roi=roi,
            source_size=item.source_size,
            pred_boxes=tuple(boxes_in_source(anomaly_map, roi, BOX_THRESHOLD, MIN_BOX_AREA)),
            peak=peak_of(anomaly_map, roi),
            seconds=seconds + item.seconds,
        )


def ct_channel(
    predictor: CnnPredictor,
    slice_threshold: float,
    decoding: DecodeAhead,
    device: str | None = None,
) -> ChannelModel:
    """Return the CT channel; a slice's score is the summed probability of the defect classes.

    ``device`` is where to judge, by default where the predictor is.
    """

    def judge(inputs: NDArray[np.float32]) -> list[Judged]:
        output = predictor.predict(inputs)
        heats = predictor.anomaly_maps(output)
        judged = []
        for probabilities, heat in zip(output.probabilities, heats, strict=True):
            by_label = {
                label: float(p) for label, p in zip(predictor.labels, probabilities, strict=True)
            }
            score = min(1.0, sum(by_label[name] for name in CT_DEFECT_CLASSES))
            label = max(by_label, key=by_label.__getitem__)
            judged.append(Judged(heat, label, by_label, score, slice_threshold))
        return judged

    device = device or predictor.device
    return ChannelModel(predictor.preprocess, judge, predictor.move_to, device, decoding)


def rgb_channel(
    predictor: CaePredictor, decoding: DecodeAhead, device: str | None = None
) -> ChannelModel:
    """Return the RGB channel; a view's score is the reconstruction score.

    ``device`` is where to judge, by default where the predictor is.
    """

    def judge(inputs: NDArray[np.float32]) -> list[Judged]:
        output = predictor.predict(inputs)
        limit = predictor.threshold
        return [
            Judged(heat, "defect" if score > limit else "normal", {}, float(score), limit)
            for score, heat in zip(output.scores, output.maps, strict=True)
        ]

    device = device or predictor.device
    return ChannelModel(predictor.preprocess, judge, predictor.move_to, device, decoding)
