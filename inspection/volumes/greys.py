"""From the numbers that a file stores to the values that a volume has."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspection.volumes.volume import Voxels

KEPT = {"uint8": "uint8", "int8": "int16", "uint16": "uint16", "int16": "int16"}
"""What whole numbers of so many bits become; wider ones, and halves and doubles, are float32."""


class Greys(NamedTuple):
    """How stored numbers are meant.

    Parameters
    ----------
    stored : NumPy's name with its byte order, e.g. ``>u2``
    slope, intercept : value = slope * stored + intercept
    bits : how many of the stored bits count; those above them mean something else. 0 for all
    turned_at : the sum of darkest and brightest number where small ones are white; else None
    """

    stored: str
    slope: float = 1.0
    intercept: float = 0.0
    bits: int = 0
    turned_at: int | None = None

    @property
    def dtype(self) -> str:
        """The type of the values: whole numbers stay whole where they fit in 16 bits.

        Signed ones of 16 bits stay so behind an intercept, too: CT numbers reach neither end, but
        the number that stands for "nothing here" does, and is cut to the lowest.
        """
        kind = np.dtype(self.stored)
        plain = KEPT.get(kind.name, "float32")
        if (self.slope, self.intercept) == (1.0, 0.0) or plain == "float32":
            return plain
        if self.slope != 1.0 or self.intercept != round(self.intercept):
            return "float32"
        low, high = self._range()
        for name in ("uint8", "uint16", "int16"):
            limits = np.iinfo(name)
            if limits.min <= low and high <= limits.max:
                return name
        return "int16" if plain == "int16" else "float32"

    def _range(self) -> tuple[int, int]:
        kind = np.dtype(self.stored)
        bits = self.bits or kind.itemsize * 8
        low = -(1 << bits - 1) if kind.kind == "i" else 0
        return low + round(self.intercept), low + (1 << bits) - 1 + round(self.intercept)

    def values(self, numbers: NDArray[np.generic]) -> Voxels:
        """Return the values of stored numbers; the same array where nothing changes."""
        numbers = numbers.astype(numbers.dtype.newbyteorder("="), copy=False)
        unused = numbers.dtype.itemsize * 8 - self.bits if self.bits else 0
        if unused > 0:
            # Shifted there and back: the sign comes along, and old overlays fall out.
            numbers = np.right_shift(np.left_shift(numbers, unused), unused)
        if self.turned_at is not None:
            numbers = (self.turned_at - numbers.astype(np.int64)).astype(numbers.dtype)
        if self.dtype == "float32":
            wide = numbers.astype(np.float64) * self.slope + self.intercept
            return wide.astype(np.float32)
        if self.intercept:
            limits = np.iinfo(self.dtype)
            moved = numbers.astype(np.int32) + round(self.intercept)
            return moved.clip(limits.min, limits.max).astype(self.dtype)
        return numbers.astype(self.dtype, copy=False)
