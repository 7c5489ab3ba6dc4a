"""Evidence pictures, made small enough for a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST_SIDE = 420
"""Pixels; about 190 dpi at the width a picture has on the page."""
JPEG_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A picture ready to embed."""

    data: bytes
    width: int
    height: int


def read_picture(session: Path, relative: str) -> Jpeg | None:
    """Return an evidence picture, scaled down and coded as JPEG.

    Parameters
    ----------
    session : session folder
    relative : path from it, as the result file names it

    Returns
    -------
    Jpeg or None
        None where the file is missing, unreadable, no picture, or outside the session: a
        report must not carry a file that a doctored session points at.
    """
    path = (session / relative).resolve()
    if not path.is_relative_to(session.resolve()):
        return None
    try:
        raw = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError:
        return None
    pixels = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return code_jpeg(np.asarray(pixels, np.uint8))


def code_jpeg(pixels: NDArray[np.uint8]) -> Jpeg:
    """Return a (h, w, 3) picture, BGR, coded as JPEG."""
    coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    return Jpeg(coded.tobytes(), pixels.shape[1], pixels.shape[0])
