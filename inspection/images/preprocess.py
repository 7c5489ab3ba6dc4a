"""Decode images and bring them to the models' input: the one preprocess of training and station.

CT is grey (h, w); RGB is (h, w, 3) in RGB order. What a file becomes before that (orientation,
16 bit, transparency) is fixed in ``decoding.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from inspection.errors import ImageError, LabelError
from inspection.images.decoding import Decoder
from inspection.images.grey import Pixels
from inspection.lot.labels import read_label
from inspection.records import ImageRef, Modality, Rect

# An image is black where at most this share of it (hot pixels) is brighter than the level:
# 15 is all that 12-bit values stored in 16 bits reach, too little to show a defect.
BLACK_LEVEL = 15
BLACK_SHARE = 1e-4
# The shorter side of the reduced image in which the content box is looked for.
CONTENT_SEARCH_SIDE = 250
# Beyond a labelled ROI the frame is black. A label whose ROI leaves out more than this share of
# what is brighter than the level does not fit its image.
CONTENT_LEVEL = 40
LEFT_OUT_SHARE = 0.01
# Grey over the black background. JPEG ringing and detector noise average to a few grey levels
# in the reduced image; even a dim pouch edge is brighter than this.
_CONTENT_STEP = 12
_LOWEST_THRESHOLD, _HIGHEST_THRESHOLD = 16, 40
# A connected region under this share of the largest one is a hot pixel or a speck of dust.
_SMALLEST_SHARE = 0.002
_CONTENT_MARGIN = 2


class Preprocess(BaseModel):
    """How an image becomes a model's input; stored with the model.

    The ROI is letterboxed into ``width`` x ``height``: aspect kept, centred, area
    interpolation where it shrinks. Padding is black on CT and the repeated edge on RGB. Then
    ``(x / 255 - mean) / std`` per channel.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    modality: Modality
    width: int = Field(ge=1, le=8192)
    height: int = Field(ge=1, le=8192)
    channels: Literal[1, 3]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    version: Literal[1] = 1

    @model_validator(mode="after")
    def _one_value_per_channel(self) -> Self:
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std need {self.channels} values")
        if min(self.std) <= 0:
            raise ValueError("std must be positive")
        return self


@dataclass(frozen=True, slots=True)
class ImageData:
    """The inspected part of an image.

    Parameters
    ----------
    pixels : (h, w) or (h, w, 3) uint8, RGB order; covers ``roi``, possibly at reduced scale
    roi : what the pixels show, in source pixels of the upright image
    source_size : (width, height) of the upright image
    """

    pixels: Pixels
    roi: Rect
    source_size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ModelInput:
    """An image as a model takes it.

    Parameters
    ----------
    array : (C, H, W) float32, normalised
    content : where the ROI lies within (H, W); the rest is padding
    """

    array: NDArray[np.float32]
    content: Rect


def labelled_roi(ref: ImageRef) -> tuple[int, int] | None:
    """Return the (width, height) that a CT slice's label gives its content, None without one.

    A broken label must not keep a good picture from being inspected: its content box then serves
    as the ROI, and the intake has the label among its findings.
    """
    if ref.label_path is None or ref.modality != "ct":
        return None
    try:
        return read_label(ref.label_path).roi
    except LabelError:
        return None


def load_image(
    path: Path,
    *,
    modality: Modality,
    roi: tuple[int, int] | None = None,
    fit: tuple[int, int] | None = None,
) -> ImageData:
    """Decode the inspected part of an image.

    Parameters
    ----------
    path : JPEG, PNG, TIFF or BMP
    modality : CT is decoded to grey, RGB to colour
    roi : (width, height) of the label's top-left content, clipped to the image; without it, or
        where it leaves content out, a CT image is cut to its content and an RGB image is
        taken whole
    fit : (width, height) of the model input. A JPEG is then decoded at the smallest scale
        that still fills it with the ROI. A crop at reduced scale starts and ends on whole
        reduced pixels, so its edges are within one of them (under 8 source pixels) of ``roi``.

    Raises
    ------
    ImageError
        If the file cannot be read, is damaged, too large or black, or the ROI is empty.
    """
    decoder = Decoder(path, modality)
    region: Rect | None = None
    if roi is not None:
        if min(roi) < 1:
            raise ImageError("image_roi_empty", name=path.name, width=roi[0], height=roi[1])
        region = Rect(0, 0, min(roi[0], decoder.size[0]), min(roi[1], decoder.size[1]))
        frame = decoder.decode(_needed_scale(region, fit))
        lit = np.count_nonzero(frame > CONTENT_LEVEL)
        inside = np.count_nonzero(_crop(frame, region, decoder.size) > CONTENT_LEVEL)
        if lit - inside > LEFT_OUT_SHARE * lit:
            region = None
    if region is None and modality == "ct":
        region = _content_region(decoder)
    region = region or Rect(0, 0, *decoder.size)
    pixels = _crop(decoder.decode(_needed_scale(region, fit)), region, decoder.size)
    _refuse_black(pixels, path)
    return ImageData(pixels, region, decoder.size)


def load_content(
    path: Path, *, modality: Modality, max_pixels: int, whole: bool = False
) -> ImageData:
    """Decode an image for those that read a picture as a person does.

    A CT image is cut to its content: the battery covers a twentieth of a canvas of 4000 x 4000,
    and seen whole a pore would be less than a pixel. An RGB image is taken whole.

    Parameters
    ----------
    path : JPEG, PNG, TIFF or BMP
    modality : CT is decoded to grey, RGB to colour
    max_pixels : what is needed. A JPEG is decoded at the smallest scale that still has as many;
        other files at full size.
    whole : take a CT image whole too

    Raises
    ------
    ImageError
        If the file cannot be read, is damaged, too large or black.
    """
    decoder = Decoder(path, modality)
    region = _content_region(decoder) if modality == "ct" and not whole else None
    region = region or Rect(0, 0, *decoder.size)
    scale = min(1.0, math.sqrt(max_pixels / (region.w * region.h)))
    pixels = _crop(decoder.decode(scale), region, decoder.size)
    _refuse_black(pixels, path)
    return ImageData(pixels, region, decoder.size)


def _refuse_black(pixels: Pixels, path: Path) -> None:
    if np.count_nonzero(pixels > BLACK_LEVEL) <= pixels.size * BLACK_SHARE:
        raise ImageError("image_black", name=path.name)


def to_model_input(image: ImageData, spec: Preprocess) -> ModelInput:
    """Bring an image to a model's input: letterbox, channels, normalisation.

    The same pixels give the same array, in training and on the station.
    """
    scale = min(spec.width / image.roi.w, spec.height / image.roi.h)
    width = min(spec.width, max(1, round(image.roi.w * scale)))
    height = min(spec.height, max(1, round(image.roi.h * scale)))
    left, top = (spec.width - width) // 2, (spec.height - height) // 2
    pixels = image.pixels
    if spec.channels == 1 and pixels.ndim == 3:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    elif spec.channels == 3 and pixels.ndim == 2:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)
    shrinks = pixels.shape[0] >= height and pixels.shape[1] >= width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    if pixels.shape[:2] != (height, width):
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=method), np.uint8)
    padded = cv2.copyMakeBorder(
        pixels,
        top,
        spec.height - height - top,
        left,
        spec.width - width - left,
        cv2.BORDER_REPLICATE if spec.modality == "rgb" else cv2.BORDER_CONSTANT,
        value=(0, 0, 0),
    )
    pixels = np.asarray(padded, np.uint8).reshape(spec.height, spec.width, spec.channels)
    # (x / 255 - mean) / std by table: a pixel has 256 values, and a picture a hundred thousand.
    levels = np.arange(256, dtype=np.float32)[:, None] / 255
    table = (levels - np.asarray(spec.mean, np.float32)) / np.asarray(spec.std, np.float32)
    array = np.empty((spec.channels, spec.height, spec.width), np.float32)
    for channel in range(spec.channels):
        # Every index is in range; "clip" only spares the copy that "raise" makes.
        column = np.ascontiguousarray(table[:, channel])  # (256,)
        np.take(column, pixels[:, :, channel], out=array[channel], mode="clip")
    return ModelInput(array, Rect(left, top, width, height))


def _content_region(decoder: Decoder) -> Rect | None:
    """Find the content on a reduced decode; source pixels."""
    source_size = decoder.size
    shorter = min(source_size)
    reduced = decoder.decode(min(1.0, CONTENT_SEARCH_SIDE / shorter))
    factor = max(1, min(reduced.shape) // CONTENT_SEARCH_SIDE)
    if factor > 1:
        size = (reduced.shape[1] // factor, reduced.shape[0] // factor)
        reduced = np.asarray(cv2.resize(reduced, size, interpolation=cv2.INTER_AREA), np.uint8)
    # Reduced by area, noise is averaged, and what is lit stands out of the black.
    background = float(np.percentile(reduced, 10))
    threshold = min(max(background + _CONTENT_STEP, _LOWEST_THRESHOLD), _HIGHEST_THRESHOLD)
    lit = (reduced > threshold).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(lit, connectivity=8)
    regions = stats[1:]  # the first is the background
    if not len(regions):
        return None
    areas = regions[:, cv2.CC_STAT_AREA]
    kept = regions[areas >= max(4, _SMALLEST_SHARE * areas.max())]
    if not len(kept):
        return None
    firsts = kept[:, [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP]]
    ends = firsts + kept[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    height, width = reduced.shape
    left, top = (max(0, int(first) - _CONTENT_MARGIN) for first in firsts.min(axis=0))
    right, bottom = (int(end) + _CONTENT_MARGIN for end in ends.max(axis=0))
    right, bottom = min(width, right), min(height, bottom)
    to_x, to_y = source_size[0] / width, source_size[1] / height
    left, top = math.floor(left * to_x), math.floor(top * to_y)
    right = min(source_size[0], math.ceil(right * to_x))
    bottom = min(source_size[1], math.ceil(bottom * to_y))
    return Rect(left, top, right - left, bottom - top)


def _needed_scale(region: Rect, fit: tuple[int, int] | None) -> float:
    if fit is None:
        return 1.0
    return min(1.0, fit[0] / region.w, fit[1] / region.h)


def _crop(pixels: Pixels, region: Rect, source_size: tuple[int, int]) -> Pixels:
    height, width = pixels.shape[:2]
    to_x, to_y = width / source_size[0], height / source_size[1]
    left, top = math.floor(region.x * to_x), math.floor(region.y * to_y)
    right = min(width, max(left + 1, math.ceil((region.x + region.w) * to_x)))
    bottom = min(height, max(top + 1, math.ceil((region.y + region.h) * to_y)))
    return np.ascontiguousarray(pixels[top:bottom, left:right])
