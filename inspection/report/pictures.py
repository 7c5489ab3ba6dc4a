"""Evidence pictures and the lot's images, made small enough for a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.errors import ImageError
from inspection.images.evidence import draw_boxes, read_kept
from inspection.images.grey import GreyWindow
from inspection.images.preprocess import load_content, load_image
from inspection.records import ImageRef
from inspection.report.blocks import CodedImage
from inspection.results import Box

LONGEST_SIDE = 420
"""Pixels; about 190 dpi at the width a picture has on the page."""
JPEG_QUALITY = 80


def read_picture(session: Path, relative: str) -> CodedImage | None:
    """Return an evidence picture, scaled down and coded as JPEG.

    Parameters
    ----------
    session : session folder
    relative : path from it, as the result file names it

    Returns
    -------
    CodedImage or None
        None as `read_kept`.
    """
    pixels = read_kept(session, relative)
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return jpeg_of(pixels)


def drawn_pictures(
    ref: ImageRef, boxes: Sequence[Sequence[Box]], window: GreyWindow | None = None
) -> list[CodedImage] | None:
    """Return an image once for each list of boxes, which are drawn on it.

    The pictures show the image's content; where a box lies outside of it, the whole image.

    Parameters
    ----------
    window : of the stack of a CT slice

    Returns
    -------
    list of CodedImage or None
        None where the image cannot be read.
    """
    try:
        fit = (LONGEST_SIDE, LONGEST_SIDE)
        image = load_image(ref.source, modality=ref.modality, fit=fit, window=window)
        roi = image.roi
        inside = all(
            roi.x <= box.x
            and box.x + box.w <= roi.x + roi.w
            and roi.y <= box.y
            and box.y + box.h <= roi.y + roi.h
            for several in boxes
            for box in several
        )
        if not inside:
            image = load_content(
                ref.source,
                modality=ref.modality,
                max_pixels=LONGEST_SIDE**2,
                whole=True,
                window=window,
            )
            roi = image.roi
    except ImageError:
        return None
    scale = min(1.0, LONGEST_SIDE / max(roi.w, roi.h))
    # A large image comes decoded at a fraction already: its scale is that of its ROI.
    size = (max(1, round(roi.w * scale)), max(1, round(roi.h * scale)))
    picture = np.asarray(cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, 2)
    return [jpeg_of(draw_boxes(picture, several, (roi.x, roi.y), scale)) for several in boxes]


def jpeg_of(pixels: NDArray[np.uint8]) -> CodedImage:
    """Return a (h, w, 3) RGB picture coded as JPEG."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    coded = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), quality)[1]
    return CodedImage(coded.tobytes(), pixels.shape[1], pixels.shape[0])
