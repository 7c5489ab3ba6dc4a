"""Random changes of training images: picture and polygons move together."""

import numpy as np
import pytest

from inspection.images.heatmaps import peak_of
from inspection.records import Rect
from training.data.transforms import Augmentation, draw_mask, get_transforms, heat_target


@pytest.mark.parametrize("scale", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(12))
def test_polygons_move_with_the_picture(seed: int, scale: float) -> None:
    polygon = np.array([[10, 20], [22, 20], [22, 44], [10, 44]], np.float32)
    pixels = draw_mask([polygon], (48, 96)) * 255
    change = get_transforms("ct", "train", Augmentation(scale=scale))
    moved, polygons = change(pixels, [polygon], np.random.default_rng(seed))
    there = draw_mask(polygons, (48, 96)).astype(bool)
    bright = moved > 127
    assert (there & bright).sum() / (there | bright).sum() > (0.8 if scale else 0.85)


def test_images_are_enlarged_and_reduced_where_that_is_asked_for() -> None:
    polygon = np.array([[10, 20], [22, 20], [22, 44], [10, 44]], np.float32)
    pixels = draw_mask([polygon], (48, 96)) * 255
    areas = []
    for scale in (0.0, 0.15):
        change = get_transforms("ct", "train", Augmentation(scale=scale, rotation=0))
        found = [change(pixels, [polygon], np.random.default_rng(s))[0] for s in range(20)]
        areas.append([int((image > 127).sum()) / int((pixels > 0).sum()) for image in found])
    assert set(areas[0]) == {1.0}
    assert min(areas[1]) < 0.9
    assert max(areas[1]) > 1.1


def test_validation_images_are_left_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (20, 10), np.uint8)
    for mode in ("val", "test"):
        change = get_transforms("ct", mode, Augmentation())  # type: ignore[arg-type]
        np.testing.assert_array_equal(change(pixels, [], np.random.default_rng(1))[0], pixels)


@pytest.mark.parametrize(("x", "y"), [(64.0, 136.0), (70.5, 129.0), (58.0, 143.5)])
def test_the_wanted_map_peaks_at_the_defect(x: float, y: float) -> None:
    sliver = np.array([[x, y - 6], [x + 1, y - 6], [x + 1, y + 6], [x, y + 6]], np.float32)
    target = heat_target([sliver], (144, 288), stride=16, sigma=0.7)
    assert target.shape == (18, 9)
    peak = peak_of(target, Rect(0, 0, 144, 288))
    assert abs(peak.x - x) <= 3
    assert abs(peak.y - y) <= 3
