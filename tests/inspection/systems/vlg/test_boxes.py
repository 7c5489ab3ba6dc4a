"""From a model's numbers to boxes: phrases by their tokens, thresholds, overlap, source pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection.records import Rect
from inspection.systems.vlg.boxes import Raw, caption_of, detect, spans_of
from inspection.systems.vlg.config import VlgLimits

LIMITS = VlgLimits(
    box_threshold=0.5,
    text_threshold=0.3,
    nms_iou=0.5,
    spot_iou=0.5,
    spot_containment=1.0,
    max_boxes=10,
    short_side=800,
    long_side=1333,
    floor_short_side=400,
)
SPANS = {"pore": [1], "resin overflow": [3, 4]}
TYPES = {"pore": "cell_porosity", "resin overflow": "module_resin_overflow"}
REGION = Rect(0, 0, 1000, 500)
CENTRE = (0.5, 0.5, 0.2, 0.2)


def raw(*rows, boxes=None, spans=SPANS) -> Raw:
    """Rows are the probabilities of [CLS], pore, full stop, resin, overflow, full stop."""
    places = boxes or [CENTRE] * len(rows)
    return Raw(np.array(rows, np.float32), np.array(places, np.float32), spans)


def found(*answers, types=TYPES, region=REGION, **limits):
    return detect(answers, types, LIMITS.model_copy(update=limits), region=region)


def test_a_phrase_has_the_tokens_that_stand_where_it_stands():
    phrases = ["gas bubble", "pore"]
    assert caption_of(phrases) == "gas bubble. pore."
    #          [CLS]   gas     bub     ##ble    .         por       ##e       .         [SEP]
    offsets = [(0, 0), (0, 3), (4, 7), (7, 10), (10, 11), (12, 15), (15, 16), (16, 17), (0, 0)]
    assert spans_of(phrases, offsets) == {"gas bubble": [1, 2, 3], "pore": [5, 6]}


def test_a_box_belongs_to_the_phrase_it_answers_to():
    (box,) = found(raw([0.9, 0.1, 0.9, 0.6, 0.8, 0.9]))
    assert (box.phrase, box.defect_type) == ("resin overflow", "module_resin_overflow")
    assert box.score == pytest.approx(0.8)
    assert box.box.score == box.score


def test_the_surest_word_must_pass_one_threshold_and_the_mean_the_other():
    assert found(raw([0, 0.49, 0, 0, 0, 0])) == []
    assert len(found(raw([0, 0.5, 0, 0, 0, 0]))) == 1
    # "overflow" alone is no resin overflow.
    assert found(raw([0, 0, 0, 0.05, 0.5, 0])) == []
    assert len(found(raw([0, 0, 0, 0.1, 0.5, 0]))) == 1
    # What marks the ends of phrases is no phrase.
    assert found(raw([1, 0, 1, 0, 0, 1])) == []


def test_a_phrase_that_cannot_occur_in_the_battery_is_dropped():
    answer = raw([0, 0, 0, 0.9, 0.9, 0])
    assert found(answer, types={"pore": "cell_porosity"}) == []


def test_of_two_boxes_on_one_defect_the_surer_stays():
    near = (0.51, 0.5, 0.2, 0.2)
    answer = raw([0, 0.7, 0, 0, 0, 0], [0, 0.9, 0, 0, 0, 0], boxes=[CENTRE, near])
    assert [round(b.score, 2) for b in found(answer)] == [0.9]
    assert [round(b.score, 2) for b in found(answer, nms_iou=1.0)] == [0.9, 0.7]


def alternatives(detection):
    return [(one.phrase, one.defect_type, round(one.score, 2)) for one in detection.alternatives]


def test_one_spot_has_one_name_and_what_else_it_may_be():
    answer = raw([0, 0.7, 0, 0, 0, 0], [0, 0, 0, 0.8, 0.8, 0])
    (spot,) = found(answer)
    assert spot.defect_type == "module_resin_overflow"
    assert alternatives(spot) == [("pore", "cell_porosity", 0.7)]
    # Synonyms are no alternative.
    (spot,) = found(answer, types=dict.fromkeys(TYPES, "cell_porosity"))
    assert alternatives(spot) == []


def test_a_box_that_answers_to_two_phrases_tells_both():
    (spot,) = found(raw([0, 0.6, 0, 0.7, 0.9, 0]))
    assert (spot.phrase, round(spot.score, 2)) == ("resin overflow", 0.9)
    assert alternatives(spot) == [("pore", "cell_porosity", 0.6)]
    # What cannot occur in the battery is none either.
    (spot,) = found(raw([0, 0.9, 0, 0.7, 0.7, 0]), types={"pore": "cell_porosity"})
    assert alternatives(spot) == []


def test_what_lies_in_another_box_is_the_same_spot():
    small = (0.5, 0.5, 0.05, 0.05)
    answer = raw([0, 0.7, 0, 0, 0, 0], [0, 0, 0, 0.8, 0.8, 0], boxes=[small, CENTRE])
    assert len(found(answer)) == 2
    (spot,) = found(answer, spot_containment=0.8)
    assert spot.box.w == 200
    assert alternatives(spot) == [("pore", "cell_porosity", 0.7)]
    apart = raw([0, 0.7, 0, 0, 0, 0], [0, 0, 0, 0.8, 0.8, 0], boxes=[(0.1, 0.1, 0.1, 0.1), CENTRE])
    assert len(found(apart, spot_containment=0.8)) == 2


def test_an_alternative_is_told_once_with_its_best_score():
    rows = [[0, 0.6, 0, 0, 0, 0], [0, 0.7, 0, 0, 0, 0], [0, 0, 0, 0.9, 0.9, 0]]
    (spot,) = found(raw(*rows))
    assert alternatives(spot) == [("pore", "cell_porosity", 0.7)]


def test_the_limits_of_a_spot_are_settings():
    answer = raw([0, 0.7, 0, 0, 0, 0], [0, 0, 0, 0.8, 0.8, 0])
    assert len(found(answer, spot_iou=1.0)) == 2


def test_several_passes_count_as_one():
    first = raw([0, 0.7, 0], spans={"pore": [1]})
    second = raw([0, 0.9, 0], spans={"void": [1]})
    types = {"pore": "cell_porosity", "void": "cell_porosity"}
    assert [b.phrase for b in found(first, second, types=types)] == ["void"]


def test_the_surest_boxes_come_first_and_the_count_is_limited():
    rows = [[0, p, 0, 0, 0, 0] for p in (0.6, 0.9, 0.7)]
    boxes = [(0.1, 0.5, 0.1, 0.1), (0.5, 0.5, 0.1, 0.1), (0.9, 0.5, 0.1, 0.1)]
    scores = [round(b.score, 1) for b in found(raw(*rows, boxes=boxes))]
    assert scores == [0.9, 0.7, 0.6]
    assert len(found(raw(*rows, boxes=boxes), max_boxes=2)) == 2


def test_boxes_are_in_source_pixels_of_what_the_model_saw():
    (box,) = found(raw([0, 0.9, 0, 0, 0, 0]), region=Rect(100, 50, 1000, 500))
    assert (box.box.x, box.box.y, box.box.w, box.box.h) == (500, 250, 200, 100)


def test_what_reaches_over_the_edge_is_cut():
    answer = raw([0, 0.9, 0, 0, 0, 0], boxes=[(0.0, 0.95, 0.4, 0.4)])
    (box,) = found(answer)
    assert (box.box.x, box.box.y, box.box.w, box.box.h) == (0, 375, 200, 125)
    assert found(raw([0, 0.9, 0, 0, 0, 0], boxes=[(-0.2, 0.5, 0.1, 0.1)])) == []


share = st.floats(-0.5, 1.5, width=32)


@given(st.tuples(share, share, share, share), st.integers(1, 4000), st.integers(1, 4000))
def test_a_box_never_leaves_the_image(shares, width, height):
    for detection in found(
        raw([0, 0.9, 0, 0, 0, 0], boxes=[shares]), region=Rect(0, 0, width, height)
    ):
        box = detection.box
        assert box.x + box.w <= width
        assert box.y + box.h <= height


def test_numbers_that_are_none_are_refused():
    with pytest.raises(ValueError, match="finite"):
        raw([0, float("nan"), 0, 0, 0, 0])
    with pytest.raises(ValueError, match="needed"):
        Raw(np.zeros((2, 3), np.float32), np.zeros((1, 4), np.float32), {})
