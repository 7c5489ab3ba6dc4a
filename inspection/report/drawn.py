"""Source images with systems' boxes drawn on, small enough for a report."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.errors import ImageError
from inspection.images.evidence import draw_boxes
from inspection.images.preprocess import ImageData, load_frame, load_image
from inspection.records import ImageRef, Rect
from inspection.report.pictures import LONGEST_SIDE, Jpeg, code_jpeg
from inspection.results import Box


def drawn_pictures(ref: ImageRef, boxes: Sequence[Sequence[Box]]) -> list[Jpeg] | None:
    """Return an image once for each list of boxes, which are drawn on it.

    The pictures show the image's content; where a box lies outside of it, the whole image.

    Returns
    -------
    list of Jpeg or None
        None where the image cannot be read.
    """
    try:
        image = _load(ref, [box for several in boxes for box in several])
    except ImageError:
        return None
    scale = min(1.0, LONGEST_SIDE / max(image.roi.w, image.roi.h))
    size = (max(1, round(image.roi.w * scale)), max(1, round(image.roi.h * scale)))
    small = cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)
    picture: NDArray[np.uint8] = np.asarray(small, np.uint8)
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, 2)
    origin = (image.roi.x, image.roi.y)
    drawn = (draw_boxes(picture, several, origin, scale) for several in boxes)
    return [code_jpeg(np.ascontiguousarray(pixels[..., ::-1])) for pixels in drawn]


def _load(ref: ImageRef, boxes: Sequence[Box]) -> ImageData:
    image = load_image(ref.path, modality=ref.modality, fit=(LONGEST_SIDE, LONGEST_SIDE))
    if all(_inside(box, image.roi) for box in boxes):
        return image
    return load_frame(ref.path, modality=ref.modality, max_pixels=LONGEST_SIDE**2)


def _inside(box: Box, roi: Rect) -> bool:
    across = roi.x <= box.x and box.x + box.w <= roi.x + roi.w
    return across and roi.y <= box.y and box.y + box.h <= roi.y + roi.h
