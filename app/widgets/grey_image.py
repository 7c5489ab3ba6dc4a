"""A CT picture's stored values, painted under any window without another decode."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtGui import QImage

from app.widgets.grey_display import Grey

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from inspection.images.display import ShownSlice
    from inspection.images.grey import Stored
    from inspection.records import Rect

QUICK_PIXELS = 3_000_000
"""What is painted of a larger picture for as long as the mouse moves."""


class ValueThere(NamedTuple):
    """A pixel's value as stored, and the 8-bit value that the model saw of it."""

    stored: float
    seen: int | None


class GreyImage:
    """What can be painted of a slice.

    Parameters
    ----------
    shown : as decoded
    """

    def __init__(self, shown: ShownSlice) -> None:
        self._shown = shown
        self.base = Grey.of(*shown.window)
        self.whole_numbers = shown.stored.dtype.kind != "f"
        self._painted: tuple[Grey, bool, QImage] | None = None

    @property
    def roi(self) -> Rect:
        """What it shows, in source pixels."""
        return self._shown.roi

    @property
    def stored(self) -> Stored:
        """The (h, w) values as stored, possibly at reduced scale."""
        return self._shown.stored

    @property
    def bytes(self) -> int:
        """What it keeps in memory, painted under two windows."""
        return self._shown.stored.nbytes + 2 * self._shown.stored.size

    @property
    def as_seen(self) -> bool:
        """True where it is shown at first as the model saw it."""
        return self._shown.seen == self._shown.window

    @property
    def judged(self) -> bool:
        """True where it is known how the model saw it."""
        return self._shown.seen is not None

    def under(self, grey: Grey, *, quick: bool = False) -> QImage:
        """Return the picture under a window.

        Parameters
        ----------
        quick : a large one at a part of its pixels
        """
        from inspection.images.grey import GreyWindow

        # Three columns of the comparison show the same picture.
        if self._painted is not None and self._painted[:2] == (grey, quick):
            return self._painted[2]
        stored = self._shown.stored
        if quick:
            step = math.ceil(math.sqrt(stored.size / QUICK_PIXELS))
            stored = stored[::step, ::step]
        # The base is the window itself: not a bit of what the model saw is lost on the way.
        ends = self._shown.window if grey == self.base else grey.ends
        image = as_qimage(GreyWindow(*ends).apply(stored))
        self._painted = grey, quick, image
        return image

    def at(self, x: float, y: float) -> ValueThere | None:
        """Return what is at a place in source pixels; None beside the picture."""
        roi, (h, w) = self._shown.roi, self._shown.stored.shape
        column = math.floor((x - roi.x) * w / roi.w)
        row = math.floor((y - roi.y) * h / roi.h)
        if not (0 <= column < w and 0 <= row < h):
            return None
        pixel = self._shown.stored[row : row + 1, column : column + 1]
        seen = self._shown.seen
        return ValueThere(float(pixel[0, 0]), int(seen.apply(pixel)[0, 0]) if seen else None)


def as_qimage(pixels: NDArray[np.uint8]) -> QImage:
    """Return (h, w) grey or (h, w, 3) RGB pixels as an image that owns its memory."""
    import numpy as np

    pixels = np.ascontiguousarray(pixels)
    colour = pixels.ndim == 3
    layout = QImage.Format.Format_RGB888 if colour else QImage.Format.Format_Grayscale8
    h, w = pixels.shape[:2]
    return QImage(pixels.data, w, h, w * (3 if colour else 1), layout).copy()
