"""The checks of single images, on what the judging model was given and computes anyway."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.config import GateConfig
from inspection.gate.checks import over, under
from inspection.gate.references import GateReferences
from inspection.images.preprocess import ModelInput, Preprocess
from inspection.messages import Message
from inspection.predictions import GateFinding
from inspection.records import Rect

TOP = 254.0
"""A grey from here on is at the end of the scale, whatever a JPEG's rounding made of it."""
FARTHEST = 1e6
"""A distance is written into results, which have no infinity."""
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GreyStatistics:
    """What the checks need to know of one image's pixels, all in grey levels.

    Parameters
    ----------
    mean, spread : over the ROI; the spread is the standard deviation
    saturated : share of the ROI's pixels at the top of the scale
    sharpness : standard deviation of the Laplacian, in the model's resolution
    digest : of what the model is given; the same for the same picture only
    """

    mean: float
    spread: float
    saturated: float
    sharpness: float
    digest: str


def measure(image: ModelInput, spec: Preprocess) -> GreyStatistics:
    """Look at an image as the model is given it; of a colour picture at its green.

    Parameters
    ----------
    image : prepared by ``spec``
    """
    channel = spec.channels // 2
    left, top, width, height = image.content
    # The padding is no part of the picture.
    pixels = image.array[channel, top : top + height, left : left + width]  # (h, w)
    to_greys = 255.0 * spec.std[channel]
    mean, spread = (float(value[0, 0]) for value in cv2.meanStdDev(pixels))
    at_top = (TOP / 255.0 - spec.mean[channel]) / spec.std[channel]
    bright = cv2.threshold(pixels, at_top, 1.0, cv2.THRESH_BINARY)[1]
    _, sharpness = cv2.meanStdDev(cv2.Laplacian(pixels, cv2.CV_32F))
    # Every fourth row tells two pictures apart as surely, at a quarter of the cost: their noise
    # differs everywhere.
    digest = hashlib.blake2b(pixels[::4].tobytes(), digest_size=8).hexdigest()
    return GreyStatistics(
        mean=max(0.0, (mean * spec.std[channel] + spec.mean[channel]) * 255.0),
        spread=spread * to_greys,
        saturated=cv2.countNonZero(bright) / pixels.size,
        sharpness=float(sharpness[0, 0]) * to_greys,
        digest=digest,
    )


class ImageGate:
    """Looks at a model's images before their verdict counts.

    Parameters
    ----------
    config : which checks are made, and their limits
    spec : the model's preprocess
    references : of the model; without, no image can be called ``blurred`` or ``unlike``
    """

    def __init__(
        self, config: GateConfig, spec: Preprocess, references: GateReferences | None
    ) -> None:
        self._config = config
        self._spec = spec
        self._references = references

    def look(
        self,
        names: Sequence[str],
        inputs: Sequence[ModelInput],
        rois: Sequence[Rect],
        features: Sequence[dict[str, Array]],
    ) -> list[GateFinding]:
        """Return what was found on each image of a batch.

        Parameters
        ----------
        names : of the files, for the sentences
        inputs : what the model was given
        rois : the judged parts of the sources, source pixels
        features : what the model computed of each, by group; (d,) each
        """
        distances: Sequence[float | None] = [None] * len(inputs)
        if self._references is not None:
            groups = {
                name: np.stack([one[name] for one in features]) for name in self._references.spaces
            }
            found = self._references.unlikeness(groups)
            # Three digits are what is told; more would differ from one computer to the next.
            distances = [min(FARTHEST, round(float(value), 3)) for value in found]
        return [
            self._finding(name, measure(image, self._spec), roi, distance)
            for name, image, roi, distance in zip(names, inputs, rois, distances, strict=True)
        ]

    def _finding(
        self, name: str, greys: GreyStatistics, roi: Rect, distance: float | None
    ) -> GateFinding:
        config, failed = self._config, []

        def fail(code: str, value: float, limit: float) -> None:
            params = {"image": name, "value": round(value, 3), "limit": round(limit, 3)}
            failed.append(Message(code=code, params=params))

        if under(config.flat, greys.spread):
            fail("gate_flat", greys.spread, config.flat.limit)
        if over(config.saturated, greys.saturated):
            fail("gate_saturated", 100 * greys.saturated, 100 * config.saturated.limit)
        if under(config.tiny, min(roi.w, roi.h)):
            fail("gate_tiny", min(roi.w, roi.h), config.tiny.limit)
        if self._references is not None and self._references.sharpness > 0:
            share = greys.sharpness / self._references.sharpness
            if under(config.blurred, share):
                least = self._references.sharpness * config.blurred.limit
                fail("gate_blurred", greys.sharpness, least)
        if distance is not None and over(config.unlike, distance):
            fail("gate_unlike", distance, config.unlike.limit)
        return GateFinding(tuple(failed), distance, greys.mean, greys.digest)
