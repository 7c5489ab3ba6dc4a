"""Decode images and bring them to the models' input: the one preprocess of training and station.

CT is grey (h, w); RGB is (h, w, 3) in RGB order. What a file becomes before that (orientation,
16 bit, transparency) is fixed in ``decoding.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, Self, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from inspection.errors import ImageError
from inspection.images.decoding import Decoder
from inspection.images.grey import GreyWindow, Pixels, Stored
from inspection.records import ImageSource, Modality, Rect, source_name

# An image is black where at most this share of it (hot pixels) is brighter than the level.
BLACK_LEVEL = 15
BLACK_SHARE = 1e-4
# Of the 16-bit range; 14 bits use a quarter of it.
USED_SHARE = 0.3
# The shorter side of the reduced image in which the content box is looked for.
CONTENT_SEARCH_SIDE = 250
# Grey over the black background. JPEG ringing and detector noise average to a few grey levels
# in the reduced image; even a dim pouch edge is brighter than this.
_CONTENT_STEP = 12
_LOWEST_THRESHOLD, _HIGHEST_THRESHOLD = 16, 40
# A connected region under this share of the largest one is a hot pixel or a speck of dust.
_SMALLEST_SHARE = 0.002
_CONTENT_MARGIN = 2

V = TypeVar("V", bound=np.generic)


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


def load_image(
    source: ImageSource,
    *,
    modality: Modality,
    fit: tuple[int, int] | None = None,
    window: GreyWindow | None = None,
) -> ImageData:
    """Decode the inspected part of an image: a CT slice's content, an RGB view as a whole.

    Parameters
    ----------
    source : a file, JPEG, PNG, TIFF or BMP, or a plane of a volume
    modality : CT is decoded to grey, RGB to colour
    fit : (width, height) of the model input. A JPEG is then decoded at the smallest scale
        that still fills it with the content. A crop at reduced scale starts and ends on whole
        reduced pixels, so its edges are within one of them (under 8 source pixels) of ``roi``.
    window : of the slice's stack; by default grey values are what their type says

    Raises
    ------
    ImageError
        If the file cannot be read, is damaged, too large or black.
    """
    scale_for = partial(_needed_scale, fit)
    return _load(source, modality, window, cut=modality == "ct", scale_for=scale_for)


def load_content(
    source: ImageSource,
    *,
    modality: Modality,
    max_pixels: int,
    whole: bool = False,
    window: GreyWindow | None = None,
) -> ImageData:
    """Decode an image for those that read a picture as a person does.

    A CT image is cut to its content: the battery covers a twentieth of a canvas of 4000 x 4000,
    and seen whole a pore would be less than a pixel. An RGB image is taken whole.

    Parameters
    ----------
    source : a file, JPEG, PNG, TIFF or BMP, or a plane of a volume
    modality : CT is decoded to grey, RGB to colour
    max_pixels : what is needed. A JPEG is decoded at the smallest scale that still has as many;
        other files at full size.
    whole : take a CT image whole too
    window : of the slice's stack; by default grey values are what their type says

    Raises
    ------
    ImageError
        If the file cannot be read, is damaged, too large or black.
    """
    return _load(
        source,
        modality,
        window,
        cut=modality == "ct" and not whole,
        scale_for=lambda region: min(1.0, math.sqrt(max_pixels / (region.w * region.h))),
    )


def _load(
    source: ImageSource,
    modality: Modality,
    window: GreyWindow | None,
    *,
    cut: bool,
    scale_for: Callable[[Rect], float],
) -> ImageData:
    decoder = Decoder(source, modality)
    # A colour picture has no grey values to be windowed.
    window = window if modality == "ct" else None
    region = (content_region(decoder, window) if cut else None) or Rect(0, 0, *decoder.size)
    scale = scale_for(region)
    if window is None:
        _refuse_unused_range(decoder.stored(scale), source)
        pixels = crop(decoder.decode(scale), region, decoder.size)
    else:
        pixels = window.apply(crop(decoder.stored(scale), region, decoder.size))
    _refuse_black(pixels, source)
    return ImageData(pixels, region, decoder.size)


def _refuse_unused_range(stored: Stored, source: ImageSource) -> None:
    """Refuse 12 or 14 bits in 16 where no window says so: the picture would be nearly black."""
    if stored.dtype != np.uint16 or not stored.any():
        return
    bright = np.count_nonzero(stored > USED_SHARE * 65_536)
    if bright <= stored.size * BLACK_SHARE:
        highest = int(stored.max())
        params = {"percent": math.ceil(highest / 655.36), "bits": highest.bit_length()}
        raise ImageError("image_range_unused", name=source_name(source), **params)


def _refuse_black(pixels: Pixels, source: ImageSource) -> None:
    if np.count_nonzero(pixels > BLACK_LEVEL) <= pixels.size * BLACK_SHARE:
        raise ImageError("image_black", name=source_name(source))


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


def content_region(decoder: Decoder, window: GreyWindow | None) -> Rect | None:
    """Find the content on a reduced decode; source pixels."""
    source_size = decoder.size
    shorter = min(source_size)
    scale = min(1.0, CONTENT_SEARCH_SIDE / shorter)
    # Windowed slices are reduced in single precision: rounded to the stored type, the same body
    # in 8 and in 16 bits could differ by a pixel of its box.
    stored = decoder.stored(scale)
    whole: Stored = decoder.decode(scale) if window is None else stored.astype(np.float32)
    factor = max(1, min(whole.shape) // CONTENT_SEARCH_SIDE)
    if factor > 1:
        size = (whole.shape[1] // factor, whole.shape[0] // factor)
        whole = cv2.resize(whole, size, interpolation=cv2.INTER_AREA).astype(whole.dtype)
    elif scale == 1.0 and window is not None:
        # Not reduced, noise is not averaged: single voxels would move the box of a thin body.
        whole = cv2.blur(whole, (3, 3)).astype(whole.dtype, copy=False)
    reduced = whole.astype(np.uint8, copy=False) if window is None else window.apply(whole)
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


def _needed_scale(fit: tuple[int, int] | None, region: Rect) -> float:
    if fit is None:
        return 1.0
    return min(1.0, fit[0] / region.w, fit[1] / region.h)


def crop(pixels: NDArray[V], region: Rect, source_size: tuple[int, int]) -> NDArray[V]:
    """Return the part of a picture, of any scale, that a region in source pixels covers."""
    height, width = pixels.shape[:2]
    to_x, to_y = width / source_size[0], height / source_size[1]
    left, top = math.floor(region.x * to_x), math.floor(region.y * to_y)
    right = min(width, max(left + 1, math.ceil((region.x + region.w) * to_x)))
    bottom = min(height, max(top + 1, math.ceil((region.y + region.h) * to_y)))
    return np.ascontiguousarray(pixels[top:bottom, left:right])
