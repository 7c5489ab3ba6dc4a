"""Grey windows: which stored values become 0 and 255 of the 8-bit picture that a model sees.

A scanner writes the same body as 8, 12 or 16 bits, with an offset or as floating values. Under
``dtype`` the picture is what the file's type says; a `GreyWindow` brings stored values to what
the model was trained on, so that a verdict does not depend on how a stack was stored.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Stored = NDArray[np.uint8 | np.uint16 | np.int16 | np.float32]
"""Values as a file holds them."""


class GreyWindow(NamedTuple):
    """Stored values that become 0 and 255; ``high`` over ``low``."""

    low: float
    high: float

    def apply(self, stored: Stored) -> Pixels:
        """Return 8-bit pixels: linear within the window, clipped outside it."""
        if stored.dtype == np.uint8:
            return np.asarray(cv2.LUT(stored, self._grey(np.arange(256))), np.uint8)
        if stored.dtype.kind == "f":
            return self._grey(stored)
        # By table: a 16-bit slice has 16 million pixels and at most 65,536 values.
        first = -32_768 if stored.dtype == np.int16 else 0
        table = self._grey(np.arange(first, first + 65_536))
        return np.asarray(table[stored.view(np.uint16) ^ np.uint16(-first)], np.uint8)

    def _grey(self, values: NDArray[Any]) -> Pixels:
        # In double precision: the same body stored with another offset is the same picture.
        grey = (values.astype(np.float64) - self.low) * (255.0 / (self.high - self.low))
        return np.asarray(np.clip(np.rint(grey), 0, 255), np.uint8)


class GreyLevels(NamedTuple):
    """Mean values of a stack: of the air around the body, and of the body."""

    air: float
    body: float

    def window_to(self, reference: GreyLevels) -> GreyWindow:
        """Return the window under which these levels become the reference's, 0..255."""
        grey = (self.body - self.air) / (reference.body - reference.air)
        low = self.air - reference.air * grey
        return GreyWindow(low, low + 255.0 * grey)
