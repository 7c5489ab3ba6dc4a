"""Three planes through one voxel: where a voxel lies on each, and what is measured there. Pure.

On a plane a place is (x, y) in its pixels, with the first pixel from 0 to 1: the middle of a voxel
is half a pixel further than its number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from inspection.records import Axis

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AXES: tuple[Axis, ...] = ("z", "y", "x")
"""In the order of a volume's voxels."""
PLANES: dict[Axis, tuple[Axis, Axis]] = {"z": ("y", "x"), "y": ("z", "x"), "x": ("z", "y")}
"""Across which axis a plane lies, and along which its rows and its columns are numbered."""

Place = tuple[float, float]
"""(x, y) on a plane, in its pixels."""


class Voxel(NamedTuple):
    """A voxel by its numbers, from 0."""

    z: int
    y: int
    x: int

    def along(self, axis: Axis) -> int:
        """Return its number along an axis."""
        return self[AXES.index(axis)]


class Space(NamedTuple):
    """What planes are cut out of.

    Parameters
    ----------
    shape : voxels (z, y, x)
    voxel_mm : edges of a voxel (z, y, x) in millimetres; None where nothing is said
    """

    shape: tuple[int, int, int]
    voxel_mm: tuple[float, float, float] | None = None

    @property
    def middle(self) -> Voxel:
        """The voxel in its middle."""
        return Voxel(*(size // 2 for size in self.shape))

    def length(self, axis: Axis) -> int:
        """Return how many planes there are across an axis."""
        return self.shape[AXES.index(axis)]

    def edge(self, axis: Axis) -> float:
        """Return the edge of a voxel along an axis in millimetres, or 1 for a voxel."""
        return self.voxel_mm[AXES.index(axis)] if self.voxel_mm else 1.0

    def inside(self, numbers: Sequence[float]) -> Voxel:
        """Return the voxel nearest to (z, y, x) that there is."""
        pairs = zip(numbers, self.shape, strict=True)
        return Voxel(*(max(0, min(size - 1, math.floor(number))) for number, size in pairs))

    def moved(self, voxel: Voxel, axis: Axis, number: int) -> Voxel:
        """Return the voxel with another number along an axis."""
        return self.inside(voxel._replace(**{axis: number}))

    def size(self, axis: Axis) -> tuple[int, int]:
        """Return (rows, columns) of the planes across an axis."""
        rows, columns = PLANES[axis]
        return self.length(rows), self.length(columns)

    def pixel(self, axis: Axis) -> tuple[float, float]:
        """Return (width, height) of a pixel of the planes across an axis, as `edge`."""
        rows, columns = PLANES[axis]
        return self.edge(columns), self.edge(rows)

    def place(self, voxel: Voxel, axis: Axis) -> Place:
        """Return where the middle of a voxel lies on the plane across an axis."""
        rows, columns = PLANES[axis]
        return voxel.along(columns) + 0.5, voxel.along(rows) + 0.5

    def voxel(self, axis: Axis, number: int, place: Place) -> Voxel:
        """Return the voxel at a place on a plane, the nearest there is for one beside it."""
        rows, columns = PLANES[axis]
        found = {axis: number, rows: place[1], columns: place[0]}
        return self.inside([found[name] for name in AXES])


def distance(a: Place, b: Place, pixel: tuple[float, float]) -> float:
    """Return the distance of two places, in the unit of ``pixel`` (width, height)."""
    return math.hypot((b[0] - a[0]) * pixel[0], (b[1] - a[1]) * pixel[1])


def angle(a: Place, corner: Place, b: Place, pixel: tuple[float, float]) -> float:
    """Return the angle at a corner between two places, in degrees from 0 to 180."""
    (ax, ay), (bx, by) = (
        ((end[0] - corner[0]) * pixel[0], (end[1] - corner[1]) * pixel[1]) for end in (a, b)
    )
    # Steady near 0 and 180 degrees, where a cosine is not.
    return math.degrees(math.atan2(abs(ax * by - ay * bx), ax * bx + ay * by))


def profile(
    values: NDArray[Any], a: Place, b: Place, pixel: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the values along a line, about one a voxel.

    Parameters
    ----------
    values : (h, w) of the plane; between the middles of its pixels it is linear
    a, b : ends of the line; what lies beside the plane has the values of its edge
    pixel : (width, height)

    Returns
    -------
    distances, values
        Two (n,) float64; distances from ``a`` in the unit of ``pixel``.
    """
    # The window is painted before numpy is there.
    import numpy as np

    count = max(2, math.ceil(math.hypot(b[0] - a[0], b[1] - a[1])) + 1)
    share = np.linspace(0.0, 1.0, count)
    h, w = values.shape
    columns = np.clip(a[0] + share * (b[0] - a[0]) - 0.5, 0, w - 1)
    rows = np.clip(a[1] + share * (b[1] - a[1]) - 0.5, 0, h - 1)
    left, top = columns.astype(int), rows.astype(int)
    right, bottom = np.minimum(left + 1, w - 1), np.minimum(top + 1, h - 1)
    along, down = columns - left, rows - top
    # Only what is read becomes float: a plane has millions of pixels.
    upper = values[top, left] * (1 - along) + values[top, right] * along
    lower = values[bottom, left] * (1 - along) + values[bottom, right] * along
    return share * distance(a, b, pixel), upper * (1 - down) + lower * down
