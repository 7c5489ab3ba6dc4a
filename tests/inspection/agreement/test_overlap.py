"""Boxes against polygons: overlap, merging, greedy matching."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection.agreement.overlap import (
    box_figures,
    defect_rectangles,
    locate,
    overlap,
    share_ground,
)
from inspection.results import Box

rectangles = st.tuples(
    st.integers(0, 200), st.integers(0, 200), st.integers(1, 100), st.integers(1, 100)
)


def corners(x: int, y: int, w: int, h: int) -> np.ndarray:
    return np.array([[x, y, x + w, y + h]], np.float64)


def square(x: float, y: float, w: float, h: float) -> np.ndarray:
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def box(x: int, y: int, w: int, h: int, score: float | None = None) -> Box:
    return Box(x=x, y=y, w=w, h=h, score=score)


@given(rectangles, rectangles)
def test_overlap_is_symmetric_and_counts_pixels(first, second):
    found = overlap(corners(*first), corners(*second))[0, 0]
    assert found == overlap(corners(*second), corners(*first))[0, 0]
    canvas = np.zeros((2, 310, 310), bool)
    for layer, (x, y, w, h) in zip(canvas, (first, second), strict=True):
        layer[y : y + h, x : x + w] = True
    assert found == pytest.approx((canvas[0] & canvas[1]).sum() / (canvas[0] | canvas[1]).sum())


@given(rectangles)
def test_a_box_overlaps_itself_wholly(rectangle):
    assert overlap(corners(*rectangle), corners(*rectangle))[0, 0] == 1.0


def test_boxes_that_only_touch_do_not_overlap():
    assert overlap(corners(0, 0, 10, 10), corners(10, 0, 10, 10))[0, 0] == 0.0


def test_an_area_of_nothing_overlaps_nothing():
    line = np.array([[5.0, 0.0, 5.0, 9.0]])
    assert overlap(line, line)[0, 0] == 0.0


@given(st.lists(rectangles, max_size=6), st.lists(rectangles, max_size=6), st.randoms())
def test_each_defect_is_found_once_at_most(predicted, truth, order):
    polygons = [square(*rectangle) for rectangle in truth]
    boxes = [box(*rectangle, score=n / 10) for n, rectangle in enumerate(predicted)]
    found = locate(boxes, polygons, iou=0.3)
    assert found.matched <= min(found.boxes, found.defects)
    assert found.defects <= len(truth)
    assert found.matched <= sum(value > 0.3 for value in found.best)
    # The scores decide, not the order in which boxes are given.
    order.shuffle(boxes)
    assert locate(boxes, polygons, iou=0.3) == found


def test_the_highest_score_takes_the_defect():
    # Both boxes are over 0.5 on the one defect: the surer one counts, the other is a false alarm.
    boxes = [box(0, 0, 10, 10, 0.6), box(0, 0, 10, 9, 0.9)]
    figures = box_figures([locate(boxes, [square(0, 0, 10, 10)])], 0.5)
    assert (figures["precision"], figures["recall"]) == (0.5, 1.0)
    assert figures["f1"] == pytest.approx(2 / 3)
    assert figures["mean_best_iou"] == 1.0


def test_an_overlap_of_exactly_the_threshold_is_not_enough():
    # 10x10 in 10x20: IoU is 0.5.
    boxes, polygons = [box(0, 0, 10, 10, 1.0)], [square(0, 0, 10, 20)]
    assert locate(boxes, polygons, 0.5).matched == 0
    assert locate(boxes, polygons, 0.49).matched == 1


def test_boxes_on_normal_images_are_false_alarms_and_missed_defects_count():
    images = [
        locate([box(0, 0, 5, 5, 0.9)], []),
        locate([], [square(0, 0, 9, 9)]),
        locate([], []),
        locate([box(0, 0, 9, 9, 0.9)], [square(0, 0, 9, 9)]),
    ]
    figures = box_figures(images, 0.5)
    assert (figures["images"], figures["defects"], figures["boxes"]) == (4, 2, 2)
    assert (figures["precision"], figures["recall"], figures["f1"]) == (0.5, 0.5, 0.5)
    assert figures["mean_best_iou"] == 0.5


def test_nothing_to_count_has_no_figure():
    figures = box_figures([locate([], [])], 0.5)
    assert figures["f1"] is figures["precision"] is figures["mean_best_iou"] is None


# -- polygons --------------------------------------------------------------------------------


def test_a_polygon_counts_as_its_bounding_box():
    sliver = np.array([[10, 0], [13, 0], [103, 290], [100, 290]], np.float32)
    assert defect_rectangles([sliver]).tolist() == [[10, 0, 103, 290]]


def test_polygons_that_share_ground_are_one_defect():
    inside = [square(0, 0, 50, 50), square(10, 10, 5, 5)]
    assert defect_rectangles(inside).tolist() == [[0, 0, 50, 50]]
    assert defect_rectangles(inside[::-1]).tolist() == [[0, 0, 50, 50]]
    crossing = [square(0, 20, 60, 4), square(30, 0, 4, 60)]
    assert defect_rectangles(crossing).tolist() == [[0, 0, 60, 60]]
    touching = [square(0, 0, 10, 10), square(10, 0, 10, 10)]
    assert defect_rectangles(touching).tolist() == [[0, 0, 20, 10]]
    # A bridge joins two that do not touch each other.
    bridged = [square(0, 0, 10, 10), square(30, 0, 10, 10), square(5, 4, 30, 2)]
    assert defect_rectangles(bridged).tolist() == [[0, 0, 40, 10]]


def test_polygons_whose_bounding_boxes_alone_meet_stay_apart():
    # Two parallel diagonal slivers.
    first = np.array([[0, 0], [4, 0], [104, 100], [100, 100]], np.float32)
    second = first + np.float32((30, 0))
    assert not share_ground(first, second)
    assert len(defect_rectangles([first, second])) == 2


@given(rectangles, rectangles)
def test_sharing_ground_agrees_with_the_rectangles_themselves(first, second):
    a, b = square(*first), square(*second)
    ax, ay, aw, ah = first
    bx, by, bw, bh = second
    meet = ax <= bx + bw and bx <= ax + aw and ay <= by + bh and by <= ay + ah
    assert share_ground(a, b) == share_ground(b, a) == meet


def test_no_polygon_is_no_defect():
    assert defect_rectangles([]).shape == (0, 4)
