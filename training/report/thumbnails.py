"""The misjudged batteries with pictures: what was labelled, and where the models looked."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.images.grey import GreyWindow
from inspection.images.heatmaps import overlay
from inspection.images.preprocess import load_image
from inspection.predictions import Prediction
from inspection.records import Rect
from inspection.report.blocks import CodedImage
from inspection.report.pictures import jpeg_of
from training.evaluation.batteries import escaped, kind_of, overkilled
from training.evaluation.config import ReportConfig
from training.evaluation.judge import JudgedBattery, JudgedImage, Predictions

LABEL_COLOUR = (64, 220, 120)
LABEL_GAP = 4
"""Pixels between a defect and its outline, which would hide a sliver if it lay on it."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One image twice: with the label's outline, and with the heat-map over it."""

    image: JudgedImage
    plain: CodedImage
    heat: CodedImage


@dataclass(frozen=True, slots=True)
class Misjudged:
    """A battery that escaped or was overkilled, with its telling images."""

    row: JudgedBattery
    thumbnails: tuple[Thumbnail, ...]


@dataclass
class WorstBatteries:
    """Collects the worst misjudged batteries while their maps are in memory.

    Escapes come before overkills; among escapes the one that looked most normal, among
    overkills the one that looked most defective. Pictures are made for no more batteries than
    are shown.
    """

    config: ReportConfig
    _kept: list[tuple[tuple[int, float, str], Misjudged]] = field(default_factory=list)

    def __call__(self, row: JudgedBattery, predictions: Predictions) -> None:
        """Look at one battery as it is judged."""
        if not (escaped(row) or overkilled(row)):
            return
        fused = row.verdict.fused_score if row.verdict else None
        sort = 0 if escaped(row) else 2 if kind_of(row) == "review" else 1
        order = sort, (fused or 0.0) * (-1 if sort else 1), row.key
        full = len(self._kept) >= self.config.batteries_shown
        if full and (not self._kept or order > self._kept[-1][0]):
            return
        thumbnails = (
            draw_thumbnail(image, predictions[image.ref.source], self.config.picture_side)
            for image in telling_images(row)[: self.config.pictures_per_battery]
            if image.ref.source in predictions
        )
        insort(self._kept, (order, Misjudged(row, tuple(thumbnails))), key=lambda kept: kept[0])
        del self._kept[self.config.batteries_shown :]

    @property
    def batteries(self) -> list[Misjudged]:
        """The worst first."""
        return [entry for _, entry in self._kept]


def telling_images(row: JudgedBattery) -> list[JudgedImage]:
    """Return the images that tell why a battery was misjudged, the most telling first.

    On an escaped battery the labelled defects; on an overkilled one whatever was over its
    threshold, or everything where nothing was. The highest score in thresholds first.
    """
    images = [i for slot in ("ct_cnn", "rgb_ae") for i in row.slots.get(slot, ()) if not i.error]
    if escaped(row):
        images = [image for image in images if image.truth.is_defect]
    else:
        images = [image for image in images if image.score > image.threshold] or images
    return sorted(images, key=lambda image: -image.score / image.threshold)


def draw_thumbnail(image: JudgedImage, prediction: Prediction, side: int) -> Thumbnail:
    """Return the judged part of an image, at most ``side`` pixels long."""
    roi, ref = prediction.roi, prediction.image
    # The content box is found again from the same bytes.
    window = GreyWindow(*prediction.window) if prediction.window else None
    fit = (side, side)
    pixels = load_image(ref.source, modality=ref.modality, fit=fit, window=window).pixels
    scale = side / max(roi.w, roi.h)
    size = (max(1, round(roi.w * scale)), max(1, round(roi.h * scale)))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    picture = small if small.ndim == 3 else np.repeat(small[..., None], 3, 2)
    heat = overlay(picture, prediction.anomaly_map)
    outlined = outline(picture, image.truth.polygons, roi, scale)
    return Thumbnail(image, jpeg_of(outlined), jpeg_of(heat))


def outline(
    picture: NDArray[np.uint8],
    polygons: Sequence[NDArray[np.float32]],
    roi: Rect,
    scale: float,
) -> NDArray[np.uint8]:
    """Return a copy of an RGB picture of ``roi`` with a line around polygons in source pixels."""
    drawn, inside = picture.copy(), np.zeros(picture.shape[:2], np.uint8)
    for polygon in polygons:
        points = ((polygon - (roi.x, roi.y)) * scale).round().astype(np.int32)
        cv2.fillPoly(inside, [points], 1)
    side = 2 * LABEL_GAP + 1
    grown = cv2.dilate(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    lines = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    cv2.drawContours(drawn, lines, -1, LABEL_COLOUR, 1, cv2.LINE_AA)
    return drawn
