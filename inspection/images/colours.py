"""Stored values of one meaning: transparency laid on black, colour turned grey."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
"""uint8, uint16, int16 or float32."""
_BAND = 256
"""Rows at a time: products of a whole picture would take four times its memory."""


def on_black(colours: Values, alpha: Values) -> Values:
    """Lay a picture on black, the background of a CT frame.

    Parameters
    ----------
    colours : (h, w) or (h, w, 3) uint8 or uint16, not multiplied by its alpha; written over
    alpha : (h, w), of the same type
    """
    full = int(np.iinfo(colours.dtype).max)
    if int(alpha.min()) == full:
        return colours
    if colours.ndim == 3:
        alpha = alpha[:, :, None]
    for top in range(0, len(colours), _BAND):
        rows = slice(top, top + _BAND)
        product = colours[rows].astype(np.uint32) * alpha[rows]
        colours[rows] = (product + full // 2) // full
    return colours


def as_grey(values: Values) -> Values:
    """Return (h, w) of (h, w) or (h, w, 3) RGB, in the values' own range."""
    if values.ndim == 2:
        return values
    if values.dtype == np.int16:
        # OpenCV knows no signed colours.
        grey = cv2.transform(values, np.array([[0.299, 0.587, 0.114]], np.float32))
        return np.asarray(grey, np.int16)
    return np.asarray(cv2.cvtColor(values, cv2.COLOR_RGB2GRAY), values.dtype)


def as_rgb(values: Values) -> Values:
    """Return (h, w, 3) of (h, w) or (h, w, 3) RGB."""
    return values if values.ndim == 3 else np.repeat(values[:, :, None], 3, axis=2)
