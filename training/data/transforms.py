"""Random changes of training images, wrapped around the station's deterministic preprocess.

Geometry acts on the letterboxed 8-bit image and on the label polygons alike; the normalisation is
the station's own code. Coordinates are continuous: pixel ``i`` spans ``i`` to ``i + 1``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inspection.config import Config, Fraction
from inspection.images.preprocess import ImageData, Preprocess, to_model_input
from inspection.records import Modality, Rect

Pixels = NDArray[np.uint8]
Polygon = NDArray[np.float32]
"""(n, 2) points as x, y."""
Mode = Literal["train", "val", "test"]
Transform = Callable[[Pixels, Sequence[Polygon], np.random.Generator], tuple[Pixels, list[Polygon]]]


class Augmentation(Config):
    """Random changes of training images; none on validation and test.

    Parameters
    ----------
    flip_horizontal, flip_vertical : probability of a flip
    rotation : largest angle, degrees
    rotation_probability : share of images that are rotated; the others keep their finest detail
    scale : each image is enlarged or reduced by up to this share; 0 is never. Without a label the
        ROI is the content, about 15 % tighter than a label's.
    """

    flip_horizontal: Fraction = 0.5
    flip_vertical: Fraction = 0.5
    rotation: float = Field(default=15.0, ge=0.0, le=180.0)
    rotation_probability: Fraction = 1.0
    scale: float = Field(default=0.0, ge=0.0, le=0.5)


def get_transforms(modality: Modality, mode: Mode, config: Augmentation) -> Transform:
    """Return the change applied to a letterboxed image and its polygons.

    Parameters
    ----------
    modality : what surrounds the image where a rotation uncovers it: black on CT, the repeated
        edge on RGB
    mode : validation and test images are left as they are
    config : how much may change
    """
    if mode != "train":
        return _unchanged
    border = cv2.BORDER_REPLICATE if modality == "rgb" else cv2.BORDER_CONSTANT

    def change(
        pixels: Pixels, polygons: Sequence[Polygon], rng: np.random.Generator
    ) -> tuple[Pixels, list[Polygon]]:
        changed = [polygon.copy() for polygon in polygons]
        height, width = pixels.shape[:2]
        if rng.random() < config.flip_horizontal:
            pixels = pixels[:, ::-1]
            for polygon in changed:
                polygon[:, 0] = width - polygon[:, 0]
        if rng.random() < config.flip_vertical:
            pixels = pixels[::-1]
            for polygon in changed:
                polygon[:, 1] = height - polygon[:, 1]
        turned = rng.random() < config.rotation_probability
        angle = rng.uniform(-config.rotation, config.rotation)
        # Drawn only where wanted: without it, batches stay what they were.
        scale = rng.uniform(1 - config.scale, 1 + config.scale) if config.scale else 1.0
        pixels = np.ascontiguousarray(pixels)
        if not turned and scale == 1.0:
            return pixels, changed
        return _rotate(pixels, changed, angle if turned else 0.0, scale, border)

    return change


def _unchanged(
    pixels: Pixels, polygons: Sequence[Polygon], rng: np.random.Generator
) -> tuple[Pixels, list[Polygon]]:
    return pixels, list(polygons)


def _rotate(
    pixels: Pixels, polygons: list[Polygon], angle: float, scale: float, border: int
) -> tuple[Pixels, list[Polygon]]:
    """Rotate and scale about the centre, unless that would push a defect out of the frame."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    turned = [(p @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32) for p in polygons]
    for polygon in turned:
        # The middle will do: a defect that is cut by the edge is still seen.
        x, y = polygon.mean(axis=0)
        if not (0 <= x < width and 0 <= y < height):
            return pixels, polygons
    # OpenCV puts pixel centres on whole numbers, half a pixel off the polygons' convention.
    centred = matrix.copy()
    centred[:, 2] = matrix[:, 2] + matrix[:, :2] @ (0.5, 0.5) - 0.5
    image = cv2.warpAffine(
        pixels, centred, (width, height), flags=cv2.INTER_LINEAR, borderMode=border
    )
    return image.astype(np.uint8), turned


def normalise(pixels: Pixels, spec: Preprocess) -> NDArray[np.float32]:
    """Return (C, H, W) float32, the model's input, from an image that has its size already."""
    height, width = pixels.shape[:2]
    fitted = spec.model_copy(update={"width": width, "height": height})
    return to_model_input(
        ImageData(pixels, Rect(0, 0, width, height), (width, height)), fitted
    ).array


def letterbox(image: ImageData, spec: Preprocess) -> tuple[Pixels, Rect]:
    """Return the station's model input before its normalisation, (H, W[, 3]) uint8, and content."""
    plain = spec.model_copy(update={"mean": (0.0,) * spec.channels, "std": (1.0,) * spec.channels})
    prepared = to_model_input(image, plain)
    # Rounded back exactly: without mean and std the values are multiples of 1/255.
    pixels = np.round(prepared.array * 255.0).astype(np.uint8).transpose(1, 2, 0)
    return pixels[:, :, 0] if spec.channels == 1 else pixels, prepared.content


def draw_mask(polygons: Sequence[Polygon], size: tuple[int, int]) -> Pixels:
    """Return (H, W) uint8, 1 inside the polygons; the thinnest sliver still gets a line.

    Parameters
    ----------
    polygons : in pixels of the mask
    size : (width, height)
    """
    mask = np.zeros((size[1], size[0]), np.uint8)
    for polygon in polygons:
        # Sixteenths of a pixel; OpenCV's points are pixel centres.
        points = np.round((polygon - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(mask, [points], 1, shift=4)
    return mask


def heat_target(
    polygons: Sequence[Polygon], size: tuple[int, int], stride: int, sigma: float
) -> NDArray[np.float32]:
    """Return the class map wanted for the polygons, (H/stride, W/stride) float32 in [0, 1].

    Each polygon's area blurred by `sigma` cells and scaled to 1 at its hottest point, so that the
    cells around a sliver share its heat by their distance: the peak between them can be found.

    Parameters
    ----------
    polygons : in input pixels
    size : (width, height) of the input, multiples of `stride`
    stride : input pixels per cell, a multiple of 4
    sigma : cells
    """
    width, height = size
    target = np.zeros((height // stride, width // stride), np.float32)
    for polygon in polygons:
        area = cv2.resize(
            draw_mask([polygon], size).astype(np.float32),
            (width // 4, height // 4),
            interpolation=cv2.INTER_AREA,
        )
        # At a quarter of the input: fine enough for a sliver, and sixteen times as fast.
        heat = cv2.GaussianBlur(area, (0, 0), sigma * stride / 4, borderType=cv2.BORDER_CONSTANT)
        hottest = float(heat.max())
        if hottest > 0:
            cells = cv2.resize(heat, target.shape[::-1], interpolation=cv2.INTER_LINEAR)
            target = np.maximum(target, cells / hottest)
    return target
