"""How large a defect is: the grey values around a place that heat has found, cut at half depth.

Heat says where a defect is, in steps of the network's cells. Its size comes from the voxels alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from inspection.volumes.body_voxels import (
    Contrast,
    Corner,
    Floats,
    Mask,
    averaged,
    cut_out,
    depth_of,
    dilated,
    eroded,
    noise_of,
    without_trend,
)
from inspection.volumes.planes import Voxel
from inspection.volumes.volume import Volume

MARGIN = 10
"""Voxels around a place that tell what its surroundings are like."""
LONGEST = 448
"""Voxels of a side that is looked at; a body that is longer has no size here."""
LARGEST = 24_000_000
"""Voxels that are looked at."""
FARTHEST = 60
"""Voxels around a place beyond which nothing is searched for."""
NEAR = 8
MOST_OF_A_PLANE = 0.35
"""Share of a plane that a body may fill: its median is to be that of the surroundings."""
MOST_IN_ONE_PART = 6
_CORNERS = np.array(np.meshgrid([-0.5, 0.5], [-0.5, 0.5], [-0.5, 0.5])).reshape(3, 8).T


class SizedBody(NamedTuple):
    """A body of voxels and its size.

    Parameters
    ----------
    start, stop : the box around it, (z, y, x)
    mask : its voxels in that box
    deepest : its voxel that stands out most
    depth : by how much its grey differs from what is around it
    voxels : its volume; voxels of its rim count with the share that belongs to it
    error : of the volume, as a share: noise, depth and rim
    """

    start: Corner
    stop: Corner
    mask: Mask
    deepest: Voxel
    depth: float
    voxels: float
    error: float

    def holds(self, voxel: Sequence[int]) -> bool:
        """Return whether a voxel is one of the body's."""
        if not all(a <= v < b for a, v, b in zip(self.start, voxel, self.stop, strict=True)):
            return False
        z, y, x = (v - a for v, a in zip(voxel, self.start, strict=True))
        return bool(self.mask[z, y, x])

    def length(self, edges: Sequence[float] = (1.0, 1.0, 1.0)) -> float:
        """Return the longest distance between two of its points, in the unit of a voxel's edges."""
        rim = self.mask & ~eroded(self.mask)
        points = np.argwhere(rim).astype(np.float64) * edges
        directions = _directions()
        along = points @ directions.T  # (n, d)
        ends = np.unique(np.concatenate([along.argmax(axis=0), along.argmin(axis=0)]))
        tips = points[ends]
        far = np.linalg.norm(tips[:, None] - tips[None], axis=-1)
        a, b = np.unravel_index(int(far.argmax()), far.shape)
        corners = _CORNERS * edges
        spread = (tips[a] + corners)[:, None] - (tips[b] + corners)[None]
        whole = float(np.linalg.norm(spread, axis=-1).max())
        # Between the voxels' middles and their outer corners, as its true ends are.
        return (float(far[a, b]) + whole) / 2

    def area(self, edges: Sequence[float] = (1.0, 1.0, 1.0)) -> float:
        """Return its largest area in one plane, across whichever axis."""
        found = []
        for axis in range(3):
            others = [edge for place, edge in enumerate(edges) if place != axis]
            across = tuple(place for place in range(3) if place != axis)
            found.append(int(self.mask.sum(axis=across).max()) * math.prod(others))
        return float(max(found))


def measure_bodies(
    volume: Volume, start: Sequence[int], stop: Sequence[int], contrast: Contrast
) -> list[SizedBody]:
    """Return the bodies that stand out from their surroundings in a part of a volume.

    Those that are half as deep as the deepest one; none where what stands out most has no end.
    The parameters are those of `measure_body`.
    """
    found: list[SizedBody] = []
    while len(found) < MOST_IN_ONE_PART:
        body = measure_body(volume, start, stop, contrast, without=found)
        if body is None or (found and body.depth < found[0].depth / 2):
            break
        if any(one.holds(body.deepest) for one in found):
            # What was left of a body beside its rim leads back to it.
            break
        found.append(body)
    return found


def measure_body(
    volume: Volume,
    start: Sequence[int],
    stop: Sequence[int],
    contrast: Contrast,
    without: Sequence[SizedBody] = (),
) -> SizedBody | None:
    """Return the body that stands out most from its surroundings in a part of a volume.

    It is cut at half of its depth, and its volume is the sum of what each voxel, and each next to
    it, has of that depth, which blur at its rim does not change.

    Parameters
    ----------
    start, stop : where heat has found it, (z, y, x)
    contrast : whether it is darker or brighter than what is around it
    without : bodies that are known already

    Returns
    -------
    SizedBody or None
        None where nothing stands out clearly, or what does has no end within reach.

    Raises
    ------
    ImageError
        If the volume cannot be read there.
    """
    zone = _Box(
        _corner([max(0, a) for a in start]),
        _corner(
            [
                min(side, max(b, a + 1))
                for a, b, side in zip(start, stop, volume.info.shape, strict=True)
            ]
        ),
    )
    around = [MARGIN + side // 2 for side in zone.sides]
    while True:
        window = zone.wider(around, volume.info.shape)
        if max(window.sides) > LONGEST or math.prod(window.sides) > LARGEST:
            return None
        found = _look(volume, window, zone, contrast, without)
        if found is None:
            if without or max(around) > FARTHEST:
                return None
            # A body that fills what is looked at has no surroundings there.
            around = [2 * margin for margin in around]
        elif _reaches_edge(found, volume.info.shape):
            # The air around a part does, and what is open to it.
            return None
        elif any(crowded := _crowded(found, window, volume.info.shape)):
            around = [
                margin + side if short else margin
                for margin, side, short in zip(around, window.sides, crowded, strict=True)
            ]
        else:
            break
    # Once more with what is next to it alone, whose trend is known now that the body is.
    box = _Box(found.start, found.stop)
    near = box.wider([max(NEAR, side // 2) for side in box.sides], volume.info.shape)
    again = _look(volume, near, box, contrast, (), known=found)
    cut = again is None or any(_crowded(again, near, volume.info.shape))
    return found if again is None or cut else again


class _Box(NamedTuple):
    """A part of a volume."""

    start: Corner
    stop: Corner

    @property
    def sides(self) -> Corner:
        return _corner([b - a for a, b in zip(self.start, self.stop, strict=True)])

    def wider(self, margins: Sequence[int], shape: Sequence[int]) -> _Box:
        """Return the box with a margin, as far as the volume goes."""
        low = [max(0, a - m) for a, m in zip(self.start, margins, strict=True)]
        high = [min(n, b + m) for b, m, n in zip(self.stop, margins, shape, strict=True)]
        return _Box(_corner(low), _corner(high))


def _look(
    volume: Volume,
    window: _Box,
    zone: _Box,
    contrast: Contrast,
    without: Sequence[SizedBody],
    known: SizedBody | None = None,
) -> SizedBody | None:
    """Return the body whose deepest voxel is in a zone, seen in a window around it.

    Parameters
    ----------
    known : the body as it was seen before: what is around it tells how its surroundings run
    """
    depth = depth_of(volume.block(window.start, window.stop), contrast)
    if known is not None:
        near = np.zeros(depth.shape, bool)
        within = zip(known.start, known.stop, window.start, strict=True)
        near[tuple(slice(a - o, b - o) for a, b, o in within)] = known.mask
        depth = without_trend(depth, ~dilated(dilated(dilated(near))))
    smooth = averaged(depth)
    origin = [a - o for a, o in zip(zone.start, window.start, strict=True)]
    inner = tuple(slice(o, o + side) for o, side in zip(origin, zone.sides, strict=True))
    candidates = smooth[inner].copy()
    for body in without:
        _blank(candidates, body, zone.start)
    found = cut_out(depth, smooth, candidates, origin)
    return None if found is None else _sized(depth, smooth, *found, window.start)


def _reaches_edge(body: SizedBody, shape: Corner) -> bool:
    ends = zip(body.start, body.stop, shape, strict=True)
    return any(first == 0 or past == side for first, past, side in ends)


def _crowded(body: SizedBody, window: _Box, shape: Corner) -> list[bool]:
    """Return along which axes a window has to be longer to show a body and its surroundings."""
    sides = window.sides
    short = []
    for axis in range(3):
        at_start = body.start[axis] == window.start[axis] > 0
        at_stop = body.stop[axis] == window.stop[axis] < shape[axis]
        short.append(at_start or at_stop)
    for axis in range(3):
        others = tuple(place for place in range(3) if place != axis)
        plane = math.prod(sides[place] for place in others)
        if body.mask.sum(axis=others).max() > MOST_OF_A_PLANE * plane:
            for place in others:
                whole = sides[place] == shape[place]
                short[place] = short[place] or not whole
    return short


def _blank(candidates: Floats, body: SizedBody, origin: Sequence[int]) -> None:
    """Leave a body, and what is next to it, out of what may be the deepest voxel of another."""
    ends = [
        (max(0, a - 1 - o), min(side, b + 1 - o))
        for a, b, o, side in zip(body.start, body.stop, origin, candidates.shape, strict=True)
    ]
    if all(a < b for a, b in ends):
        wide = dilated(np.pad(body.mask, 1))
        within = tuple(
            slice(a + o - s + 1, b + o - s + 1)
            for (a, b), o, s in zip(ends, origin, body.start, strict=True)
        )
        candidates[tuple(slice(a, b) for a, b in ends)][wide[within]] = -np.inf


def _sized(
    depth: Floats, smooth: Floats, mask: Mask, level: float, deepest: Corner, low: Corner
) -> SizedBody:
    wide = dilated(mask)
    count, shared = int(np.count_nonzero(mask)), int(np.count_nonzero(wide))
    # Cut off at 0 and 1, shares of noisy voxels would be too small inside and too large beside.
    voxels = float(depth[wide].sum()) / level
    if not voxels > 0:
        voxels = float(count)
    # Of the mean of 27 voxels, whose noise is what the noise of neighbours have in common too.
    noise = noise_of(smooth[~dilated(wide)]) * math.sqrt(27) / level
    inside = max(1, int(np.count_nonzero(eroded(mask))))
    # That of the sum, that of the depth, and what the two ways to count differ by: blur and cut.
    error = math.hypot(
        noise * math.sqrt(shared) / voxels,
        noise / math.sqrt(inside),
        (voxels - count) / voxels,
        1 / math.sqrt(count),
    )
    where = np.argwhere(mask)
    first, last = where.min(axis=0), where.max(axis=0) + 1
    cut = mask[tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))]
    start, stop = (
        tuple(int(v) + o for v, o in zip(corner, low, strict=True)) for corner in (first, last)
    )
    place = Voxel(*(v + o for v, o in zip(deepest, low, strict=True)))
    return SizedBody(_corner(start), _corner(stop), cut, place, level, voxels, error)


def _corner(values: Sequence[int]) -> Corner:
    z, y, x = values
    return z, y, x


def _directions() -> Floats:
    """Return directions evenly spread over half a sphere, (d, 3)."""
    count = 400
    index = np.arange(count) + 0.5
    height = index / count
    turn = np.pi * (1 + 5**0.5) * index
    flat = np.sqrt(1 - height**2)
    return np.asarray(np.stack([height, flat * np.sin(turn), flat * np.cos(turn)], 1), np.float32)
