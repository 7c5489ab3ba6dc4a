"""A battery's slices by axis: which of them lies on a plane. No Qt."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import pairwise

from app.lot.review import ShownImage
from inspection.records import Axis


class PlaneSlices:
    """The inspected slices of a battery, in order along each axis.

    Parameters
    ----------
    images : its CT; where no name tells an axis, they lie across z
    """

    def __init__(self, images: Iterable[ShownImage] = ()) -> None:
        self._by_axis: dict[Axis, list[ShownImage]] = {}
        for image in sorted(images, key=lambda one: one.ref.number):
            self._by_axis.setdefault(image.ref.axis or "z", []).append(image)

    def at(self, axis: Axis, number: int) -> ShownImage | None:
        """Return the slice on a plane, or near enough to stand for it.

        Of a volume one within half a step; of separate pictures the nearest, which is shown
        in the plane's place.
        """
        images = self._by_axis.get(axis)
        if not images:
            return None
        place = bisect_left(images, number, key=lambda image: image.ref.number)
        near = images[max(0, place - 1) : place + 1]
        nearest = min(near, key=lambda image: abs(image.ref.number - number))
        if nearest.ref.section is None:
            return nearest
        step = min((b.ref.number - a.ref.number for a, b in pairwise(images)), default=1)
        return nearest if abs(nearest.ref.number - number) <= step // 2 else None

    def beside(self, axis: Axis, number: int, delta: int) -> int:
        """Return the number of the plane ``delta`` steps on; of separate pictures that of one."""
        images = self._by_axis.get(axis)
        if not images or images[0].ref.section is not None:
            return number + delta
        find = bisect_right if delta > 0 else bisect_left
        place = find(images, number, key=lambda image: image.ref.number)
        wanted = place + delta - (1 if delta > 0 else 0)
        return images[max(0, min(len(images) - 1, wanted))].ref.number
