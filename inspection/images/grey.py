"""Grey windows: which stored values become 0 and 255 of the 8-bit picture that a model sees.

A scanner writes the same body as 8, 12 or 16 bits, with an offset or as floating values. Under
``dtype`` the picture is what the file's type says; a `GreyWindow` brings stored values to what
the model was trained on, so that a verdict does not depend on how a stack was stored.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Stored = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.int16] | NDArray[np.float32]
"""Values as a file holds them."""
GreySetting = Literal["auto", "dtype"] | tuple[float, float]
"""``auto``: found in the stack; ``dtype``: as the type says; else the values of 0 and of 255."""


class GreyWindow(NamedTuple):
    """Stored values that become 0 and 255; ``high`` over ``low``."""

    low: float
    high: float

    def apply(self, stored: Stored) -> Pixels:
        """Return 8-bit pixels: linear within the window, clipped outside it."""
        gain = 255.0 / (self.high - self.low)
        if stored.dtype == np.uint8:
            return np.asarray(cv2.LUT(stored, self._grey(np.arange(256), gain)), np.uint8)
        return self._grey(stored, gain)

    def _grey(self, values: NDArray[np.generic], gain: float) -> Pixels:
        # In double precision: the same body stored with another offset is the same picture.
        grey = (values.astype(np.float64) - self.low) * gain
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
