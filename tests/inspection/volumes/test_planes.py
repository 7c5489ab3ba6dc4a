"""Coordinates, ruler and profile of three linked planes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection.volumes.planes import AXES, PLANES, Space, Voxel, angle, distance, profile

SPACE = Space((40, 30, 20), (0.1, 0.02, 0.03))
VOLUME = np.random.default_rng(7).integers(0, 60_000, SPACE.shape).astype(np.uint16)
voxels = st.builds(Voxel, *(st.integers(0, size - 1) for size in SPACE.shape))


def plane(axis, number: int) -> np.ndarray:
    return np.take(VOLUME, number, AXES.index(axis))


@given(voxels, st.sampled_from(AXES))
def test_a_voxel_is_found_again_where_it_is_shown(voxel, axis):
    x, y = SPACE.place(voxel, axis)
    shown = plane(axis, voxel.along(axis))
    assert shown.shape == SPACE.size(axis)
    assert shown[int(y), int(x)] == VOLUME[voxel]
    for part in (-0.49, 0.49):
        assert SPACE.voxel(axis, voxel.along(axis), (x + part, y + part)) == voxel


def test_a_place_beside_a_plane_is_its_nearest_voxel():
    assert SPACE.voxel("z", 3, (-5.0, 100.0)) == (3, 29, 0)
    assert SPACE.moved(SPACE.middle, "x", 99) == (20, 15, 19)


@pytest.mark.parametrize("axis", AXES)
def test_the_ruler_measures_voxels_and_millimetres(axis):
    rows, columns = PLANES[axis]
    a, b = (2.5, 3.5), (5.5, 7.5)
    assert distance(a, b, Space(SPACE.shape).pixel(axis)) == pytest.approx(5.0)
    expected = np.hypot(3 * SPACE.edge(columns), 4 * SPACE.edge(rows))
    assert distance(a, b, SPACE.pixel(axis)) == pytest.approx(expected)


def test_an_angle_is_one_of_space_and_not_of_pixels():
    assert angle((10, 0), (0, 0), (10, 10), (1, 1)) == pytest.approx(45)
    assert angle((10, 0), (0, 0), (10, 10), (1, 3)) == pytest.approx(71.565, abs=1e-3)
    assert angle((-4, 0), (0, 0), (9, 0), (1, 2)) == pytest.approx(180)


def test_a_profile_crosses_an_edge_where_it_is():
    values = np.zeros((30, 50), np.uint16)
    values[:, 20:33] = 40_000
    along, found = profile(values, (5.0, 10.5), (45.0, 10.5), (0.25, 0.5))
    inside = along[found > 20_000]
    # 13 columns of 0.25 from the twentieth on, within one voxel.
    assert inside[0] == pytest.approx((20 - 5) * 0.25, abs=0.25)
    assert inside[-1] == pytest.approx((33 - 5) * 0.25, abs=0.25)
    assert along[-1] == pytest.approx(10.0)


def test_a_profile_along_a_row_is_the_row():
    values = plane("z", 5)
    _, found = profile(values, (0.5, 4.5), (19.5, 4.5), (1, 1))
    assert np.allclose(found, values[4])
    # What lies beside the plane has the value of its edge.
    _, found = profile(values, (-4.0, 4.5), (0.5, 4.5), (1, 1))
    assert np.allclose(found, values[4, 0])
