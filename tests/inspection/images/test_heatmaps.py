"""Boxes, peaks and crops of heat-maps are where the heat is, in source pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inspection.images.heatmaps import (
    boxes_from_heatmap,
    boxes_in_source,
    colourise,
    crop_to_content,
    overlay,
    peak_of,
    to_source,
)
from inspection.records import Rect

ROI = Rect(0, 0, 40, 80)


def blob(x: float, y: float, size: tuple[int, int], sigma: float) -> np.ndarray:
    """A hot spot at (x, y) of a map of ``size`` (width, height), continuous coordinates."""
    columns, rows = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    distance = (columns[None] - x) ** 2 + (rows[:, None] - y) ** 2
    return np.exp(-distance / (2 * sigma**2)).astype(np.float32)


def test_boxes_are_the_connected_regions_hottest_first() -> None:
    heat = np.zeros((60, 60), np.float32)
    heat[5:15, 10:22] = 0.6
    heat[40:55, 30:40] = 0.9
    heat[0, 0] = 1.0
    boxes = boxes_from_heatmap(heat, 0.5, min_area=100)
    assert [(b.x, b.y, b.w, b.h) for b in boxes] == [(30, 40, 10, 15), (10, 5, 12, 10)]
    assert [b.score for b in boxes] == pytest.approx([0.9, 0.6])


def test_diagonal_neighbours_belong_together() -> None:
    heat = np.eye(12, dtype=np.float32)
    assert len(boxes_from_heatmap(heat, 0.5, min_area=1)) == 1


def test_boxes_need_a_map() -> None:
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        boxes_from_heatmap(np.zeros((2, 3, 4), np.float32), 0.5, 1)


maps = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24),
    elements=st.floats(0, 1, width=32),
)


@settings(deadline=None)
@given(heat=maps, threshold=st.floats(0, 1), min_area=st.integers(1, 30))
def test_boxes_hold_exactly_the_hot_pixels(
    heat: np.ndarray, threshold: float, min_area: int
) -> None:
    hot = heat > np.float32(threshold)
    everything = boxes_from_heatmap(heat, np.float32(threshold), 1)
    covered = np.zeros_like(hot)
    for box in everything:
        covered[box.y : box.y + box.h, box.x : box.x + box.w] = True
        assert hot[box.y : box.y + box.h, box.x : box.x + box.w].any()
        assert box.score is not None
        assert threshold - 1e-6 <= box.score <= 1.0
    assert not (hot & ~covered).any()
    kept = boxes_from_heatmap(heat, np.float32(threshold), min_area)
    assert all(box in everything for box in kept)
    assert [b.score for b in kept] == sorted((b.score for b in kept), reverse=True)


@settings(deadline=None)
@given(
    heat=maps,
    roi=st.builds(
        Rect, st.integers(0, 50), st.integers(0, 50), st.integers(1, 90), st.integers(1, 90)
    ),
)
def test_peak_and_boxes_stay_inside_the_roi(heat: np.ndarray, roi: Rect) -> None:
    peak = peak_of(heat, roi)
    assert roi.x <= peak.x < roi.x + roi.w
    assert roi.y <= peak.y < roi.y + roi.h
    for box in boxes_in_source(heat, roi, 0.5, 1):
        assert roi.x <= box.x
        assert box.x + box.w <= roi.x + roi.w
        assert roi.y <= box.y
        assert box.y + box.h <= roi.y + roi.h
    assert to_source(heat, roi).shape == (roi.h, roi.w)


@settings(deadline=None)
@given(x=st.floats(4, 5), y=st.floats(8, 9))
def test_the_peak_lies_between_cells_where_the_heat_does(x: float, y: float) -> None:
    # 9 x 18 cells of 16 pixels; a source three times the size of the input.
    heat = blob(x, y, (9, 18), sigma=0.9)
    fine = crop_to_content(heat, Rect(0, 0, 144, 288), (144, 288))
    peak = peak_of(fine, Rect(100, 50, 432, 864))
    assert peak.x == pytest.approx(100 + x * 48, abs=0.15 * 48)
    assert peak.y == pytest.approx(50 + y * 48, abs=0.15 * 48)


def test_the_peak_of_a_plateau_is_its_middle() -> None:
    heat = np.zeros((20, 10), np.float32)
    heat[8:13, 3:6] = 1.0
    peak = peak_of(heat, Rect(0, 0, 100, 200))
    assert (peak.x, peak.y, peak.value) == (45, 105, 1.0)


def test_a_crop_drops_the_padding() -> None:
    # The content is the middle third of the input; the heat sits in its left half.
    heat = blob(4.0, 9.0, (9, 18), sigma=0.8)
    fine = crop_to_content(heat, Rect(48, 0, 48, 288), (144, 288))
    peak = peak_of(fine, Rect(0, 0, 480, 2880))
    assert peak.x == pytest.approx((4.0 * 16 - 48) * 10, abs=20)
    assert peak.y == pytest.approx(9.0 * 160, abs=20)


def test_a_map_at_input_resolution_is_cut_exactly() -> None:
    heat = np.arange(48, dtype=np.float32).reshape(6, 8) / 48
    part = crop_to_content(heat, Rect(2, 1, 3, 4), (8, 6))
    np.testing.assert_array_equal(part, heat[1:5, 2:5])


def test_boxes_of_a_large_source_match_the_small_one() -> None:
    heat = blob(3.0, 9.0, (9, 18), sigma=1.0)
    fine = crop_to_content(heat, Rect(0, 0, 144, 288), (144, 288))
    small = boxes_in_source(fine, Rect(0, 0, 450, 900), 0.5, 100)
    large = boxes_in_source(fine, Rect(0, 0, 2000, 4000), 0.5, 100)
    assert len(small) == len(large) == 1
    for name in ("x", "y", "w", "h"):
        expected = getattr(small[0], name) * 4000 / 900
        assert getattr(large[0], name) == pytest.approx(expected, abs=20)
    assert boxes_in_source(fine, Rect(0, 0, 2000, 4000), 0.5, 10**7) == []
    assert boxes_in_source(fine * 0.5, Rect(0, 0, 2000, 4000), 0.5, 1) == []


def test_colours_are_on_a_fixed_scale() -> None:
    faint, full = np.full((4, 4), 0.1, np.float32), np.ones((4, 4), np.float32)
    assert colourise(np.zeros((4, 4), np.float32)).max() < 10
    assert colourise(faint).max() < 80
    # Inferno ends in yellow: red and green high; this also pins the channel order to RGB.
    assert colourise(full)[0, 0, 0] > 200
    both = colourise(np.array([[0.1, 1.0]], np.float32))
    np.testing.assert_array_equal(both[0, 0], colourise(faint)[0, 0])


def test_an_overlay_is_six_tenths_picture() -> None:
    picture = np.full((8, 4), 200, np.uint8)
    cold = overlay(picture, np.zeros((2, 1), np.float32))
    assert cold.shape == (8, 4, 3)
    assert abs(int(cold[0, 0, 0]) - 120) <= 1
