"""Planes of a volume and of separate pictures, and the window that all of them share."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from builders.volumes import SHAPE, volume_lot, voxels_with_pore, write_stack

from inspection.images.display import StackDisplay, load_shown
from inspection.images.planes import PlaneDisplay, SlicePlanes, VolumePlanes
from inspection.records import Axis, ImageRef, VolumeRef
from inspection.results import StackGrey
from inspection.volumes.opening import open_volume
from inspection.volumes.planes import AXES


def pictures(folder: Path, axis: Axis, numbers, size: tuple[int, int]) -> list[ImageRef]:
    """Write noise of (rows, columns), whose mean is the number."""
    rng = np.random.default_rng(3)
    refs = []
    for number in numbers:
        path = folder / f"CT_cell_pouch_001_{axis}_{number}.png"
        grey = np.clip(rng.normal(number, 3, size), 0, 255).astype(np.uint8)
        path.write_bytes(cv2.imencode(".png", grey)[1].tobytes())
        refs.append(ImageRef(path, "ct", "001", axis, number, "cell", "pouch", None))
    return refs


def test_separate_pictures_are_numbered_by_their_pixels_where_they_fit(tmp_path):
    refs = [
        *pictures(tmp_path, "z", (10, 20, 30), (80, 90)),
        *pictures(tmp_path, "x", (40, 60), (70, 80)),
    ]
    planes = SlicePlanes(refs)
    assert planes.space.shape == (70, 80, 90)
    assert planes.plane("z", 24).number == 20
    assert planes.plane("x", 89).number == 60
    assert planes.plane("y", 5) is None


def test_more_numbers_than_pixels_are_a_share_of_them(tmp_path):
    refs = [
        *pictures(tmp_path, "z", (10, 199), (80, 90)),
        *pictures(tmp_path, "y", (5,), (100, 90)),
    ]
    planes = SlicePlanes(refs)
    assert planes.space.shape == (200, 80, 90)
    # 200 numbers along z on the 100 rows of the picture across y.
    assert planes.plane("y", 0).roi[2:] == (90, 100)


def test_slices_that_tell_no_axis_lie_across_z(tmp_path):
    refs = [ref._replace(axis=None) for ref in pictures(tmp_path, "z", (1, 2, 3), (64, 64))]
    assert SlicePlanes(refs).plane("z", 3).number == 3


@pytest.fixture
def sixteen_bits(tmp_path: Path) -> Path:
    voxels = 12_000 + voxels_with_pore().astype(np.uint16) * 78
    return write_stack(tmp_path / "001" / "ct" / "volume.tif", voxels)


def test_planes_are_at_first_under_a_window_of_their_own_and_then_under_that_of_slices(
    sixteen_bits, tmp_path
):
    lot = volume_lot(tmp_path, sixteen_bits)
    stack = StackDisplay(lot.batteries[0].ct)
    display = PlaneDisplay(VolumePlanes(open_volume(VolumeRef(sixteen_bits))), None, stack)
    number, first = display.plane("z", 20)
    assert number == 20
    # Readable at once.
    assert 60 < first.window.apply(first.stored).mean() < 200
    display.settle()
    slice_of_lot = next(r for r in lot.batteries[0].ct if (r.axis, r.number) == ("z", 20))
    shown = load_shown(slice_of_lot.source, side=2000, stack=stack)
    windows = {display.plane(axis, 15)[1].window for axis in AXES}
    assert windows == {shown.window}


def test_planes_of_a_judged_battery_are_as_the_model_saw_it_from_the_first(sixteen_bits):
    judged = StackGrey(method="auto", low=12_000.0, high=12_000.0 + 255 * 78)
    display = PlaneDisplay(VolumePlanes(open_volume(VolumeRef(sixteen_bits))), judged, None)
    _, shown = display.plane("x", SHAPE[2] // 2)
    assert tuple(shown.window) == tuple(shown.seen) == (judged.low, judged.high)
    assert not display.settle()
