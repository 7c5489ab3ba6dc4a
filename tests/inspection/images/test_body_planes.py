"""A scanner's volume begins and ends in air: planes beside the body are no slices."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from inspection.images.body_planes import with_body
from inspection.records import Battery, ImageRef, Section, VolumeRef

SHAPE = {"z": 60, "y": 50, "x": 40}
BODY = {"z": (10, 49), "y": (12, 41), "x": (5, 30)}
AIR, METAL = 12_000, 24_000


def battery_of(path: Path, axes: str = "xyz") -> Battery:
    volume = VolumeRef(path)
    refs = [
        ImageRef(path, "ct", "001", axis, number, None, None, None, Section(volume, axis, number))
        for axis in axes
        for number in range(SHAPE[axis])
    ]
    return Battery("001", "001", None, tuple(refs))


@pytest.fixture
def voxels():
    noise = np.random.default_rng(1).normal(0, 150, tuple(SHAPE.values()))
    voxels = np.full(tuple(SHAPE.values()), AIR) + noise
    voxels[tuple(slice(first, last + 1) for first, last in BODY.values())] += METAL - AIR
    return voxels.astype(np.uint16)


def written(folder: Path, voxels) -> Path:
    path = folder / "volume.tif"
    tifffile.imwrite(path, voxels)
    return path


def ends(battery: Battery, axis: str) -> tuple[int, int]:
    numbers = [ref.number for ref in battery.ct if ref.axis == axis]
    return numbers[0], numbers[-1]


def test_planes_of_air_at_the_ends_are_left_out_and_the_body_is_not(tmp_path, voxels):
    kept = with_body(battery_of(written(tmp_path, voxels)))
    for axis, (first, last) in BODY.items():
        shown = ends(kept, axis)
        assert first <= shown[0] <= first + 2
        assert last - 2 <= shown[1] <= last
        assert len([r for r in kept.ct if r.axis == axis]) == shown[1] - shown[0] + 1


def test_no_plane_of_air_is_kept_where_a_large_body_ends_abruptly(tmp_path):
    # Looked for in a copy of every fifth voxel: the body ends between two of them.
    voxels = np.full((600, 40, 40), AIR, np.uint16)
    voxels += np.random.default_rng(2).integers(0, 300, voxels.shape, np.uint16)
    voxels[103:452, 5:35, 5:35] += METAL - AIR
    path = written(tmp_path, voxels)
    volume = VolumeRef(path)
    refs = [
        ImageRef(path, "ct", "001", axis, number, None, None, None, Section(volume, axis, number))
        for axis, side in (("z", 600), ("y", 40))
        for number in range(side)
    ]
    first, last = ends(with_body(Battery("001", "001", None, tuple(refs))), "z")
    assert 103 <= first <= 108
    assert 446 <= last <= 451


def test_where_no_other_axis_sees_it_a_plane_that_grazes_the_body_stays(tmp_path, voxels):
    # A tip that is a twentieth as thick as the body.
    voxels[4:10, 12:18, 5:12] = METAL
    path = written(tmp_path, voxels)
    assert ends(with_body(battery_of(path, "z")), "z")[0] <= 6
    assert ends(with_body(battery_of(path)), "z")[0] >= 10


def test_an_empty_fixture_is_judged_whole_and_so_is_what_cannot_be_read(tmp_path, voxels):
    empty = np.full_like(voxels, AIR)
    battery = battery_of(written(tmp_path, empty))
    assert with_body(battery) == battery
    gone = battery_of(tmp_path / "gone.tif")
    assert with_body(gone) == gone


def test_slices_of_their_own_files_all_stay(tmp_path):
    refs = tuple(
        ImageRef(tmp_path / f"z_{n}.tif", "ct", "001", "z", n, None, None, None) for n in range(3)
    )
    battery = Battery("001", "001", None, refs)
    assert with_body(battery) == battery
