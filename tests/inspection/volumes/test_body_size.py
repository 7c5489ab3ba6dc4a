"""How large a pore is, from its greys alone, against the voxels that it was made of."""

from __future__ import annotations

import numpy as np
import pytest

from inspection.synthetic.volume import body_planes, build_body, build_defects
from inspection.synthetic.volume_defects import Mask
from inspection.synthetic.volume_files import stored_values
from inspection.volumes.body_size import measure_bodies, measure_body
from inspection.volumes.volume import VolumeInfo, Voxels


class InMemory:
    """A volume that is an array."""

    def __init__(self, voxels: Voxels) -> None:
        self._voxels = voxels
        self.info = VolumeInfo(voxels.shape, str(voxels.dtype), None, "array")

    def section(self, axis, number):
        return self._voxels.take(number, axis=("z", "y", "x").index(axis))

    def block(self, start, stop):
        return self._voxels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]

    def close(self) -> None:
        pass


def synthetic(seed: int, canvas: int = 192, visibility: str = "clear") -> tuple[InMemory, list]:
    rng = np.random.default_rng(seed)
    body = build_body(("cell", "module")[seed % 2], canvas, rng)
    defects = build_defects(body, "porosity", visibility, rng)
    planes = [stored_values(plane, "16") for plane in body_planes(body, defects)]
    return InMemory(np.stack(planes)), [defect.mask() for defect in defects]


def heat_of(mask: Mask, step: int = 16) -> tuple[list[int], list[int]]:
    """A box as heat has it: right along the slices, in whole cells of the network across them."""
    z, y, x = mask.start
    depth, height, width = mask.voxels.shape
    low = [z, y // step * step, x // step * step]
    high = [z + depth, -(-(y + height) // step) * step, -(-(x + width) // step) * step]
    return low, high


@pytest.mark.parametrize("visibility", ["clear", "hard"])
@pytest.mark.parametrize(
    ("seed", "canvas"), [(0, 160), (1, 192), (3, 256), (8, 400), (1003, 160), (1006, 192)]
)
def test_pores_are_as_large_as_they_were_made_within_15_percent(seed, canvas, visibility):
    volume, masks = synthetic(seed, canvas, visibility)
    for mask in masks:
        true = int(mask.voxels.sum())
        assert true > 200
        found = [b for b in measure_bodies(volume, *heat_of(mask), "darker") if overlaps(b, mask)]
        assert len(found) == 1
        body = found[0]
        assert abs(body.voxels / true - 1) < 0.15
        assert abs(body.mask.sum() / true - 1) < 0.15
        assert abs(body.voxels / true - 1) < 3 * body.error
        for axis in range(3):
            past = mask.start[axis] + mask.voxels.shape[axis]
            assert abs(body.start[axis] - mask.start[axis]) <= 1
            assert abs(body.stop[axis] - past) <= 1


def test_what_is_told_of_a_faint_pore_s_error_holds():
    trusted = []
    for seed in range(1000, 1006):
        volume, masks = synthetic(seed, 160, "faint")
        for mask in masks:
            found = [
                b for b in measure_bodies(volume, *heat_of(mask), "darker") if overlaps(b, mask)
            ]
            off = [abs(body.voxels / mask.voxels.sum() - 1) < 2 * body.error for body in found]
            trusted += off[:1]
    assert len(trusted) >= 8
    assert np.mean(trusted) >= 0.8


def overlaps(body, mask: Mask) -> bool:
    ends = zip(body.start, body.stop, mask.start, mask.voxels.shape, strict=True)
    return all(a < start + size and start < b for a, b, start, size in ends)


def ball(radius: float, depth: float = 4000.0, noise: float = 300.0, side: int = 64) -> InMemory:
    z, y, x = np.indices((side,) * 3) - side / 2
    share = np.clip(radius - np.sqrt(z**2 + y**2 + x**2) + 0.5, 0, 1)
    grain = np.random.default_rng(7).normal(0, noise, share.shape)
    return InMemory((20_000 - depth * share + grain).astype(np.uint16))


def test_a_ball_has_the_length_area_and_volume_of_a_ball():
    body = measure_body(ball(9.0), (28, 28, 28), (36, 36, 36), "darker")
    assert body is not None
    assert body.voxels == pytest.approx(4 / 3 * np.pi * 9**3, rel=0.04)
    assert body.length() == pytest.approx(18, abs=1.2)
    assert body.area() == pytest.approx(np.pi * 81, rel=0.06)
    edges = (0.5, 0.1, 0.1)
    assert body.length(edges) == pytest.approx(9, abs=0.6)
    assert body.area(edges) == pytest.approx(np.pi * 4.5 * 0.9, rel=0.06)


def test_a_body_beyond_its_heat_is_followed_to_its_end():
    body = measure_body(ball(20.0), (30, 30, 30), (34, 34, 34), "darker")
    assert body is not None
    assert body.voxels == pytest.approx(4 / 3 * np.pi * 20**3, rel=0.05)


def test_nothing_is_measured_where_nothing_stands_out():
    assert measure_body(ball(9.0, depth=0.0), (28, 28, 28), (36, 36, 36), "darker") is None
    assert measure_body(ball(9.0), (28, 28, 28), (36, 36, 36), "brighter") is None


def test_several_bodies_in_one_hot_part_are_all_found():
    one = ball(5.0)
    voxels = one.block((0, 0, 0), (64, 64, 64)).copy()
    voxels[20:44, 20:44, 14:26] = np.minimum(
        voxels[20:44, 20:44, 14:26], one.block((20, 20, 26), (44, 44, 38))
    )
    found = measure_bodies(InMemory(voxels), (24, 24, 12), (40, 40, 40), "darker")
    assert len(found) == 2
    assert not found[0].holds(found[1].deepest)
