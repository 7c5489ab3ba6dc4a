"""What a VLM is taught to say is what the station reads out of an answer."""

from __future__ import annotations

import numpy as np
import pytest
from builders.labelled_pictures import picture_of

from inspection.records import Rect
from inspection.systems.vlm.answers import read_answer
from inspection.systems.vlm.boxes import BoxFrame
from training.vlm.answers import answer_of, corners_of, explain

FRAME = BoxFrame("token_thousandths", Rect(0, 0, 1000, 1000), (28, 28))
DEFECTS = (
    ("ct", "cell_porosity", "porosity"),
    ("ct", "module_porosity", "porosity"),
    ("ct", "module_resin_overflow", "resin_overflow"),
    ("rgb", "pollution", "pollution"),
    ("rgb", "damaged", "damaged"),
)
NORMALS = (("ct", "cell_normal"), ("ct", "module_normal"), ("rgb", "normal"))


def everywhere():
    """Boxes of all three sizes in all nine places."""
    for centre_x in (0.15, 0.5, 0.85):
        for centre_y in (0.15, 0.5, 0.85):
            for half in (0.02, 0.045, 0.1):
                yield [centre_x - half, centre_y - half, centre_x + half, centre_y + half]


def read(example, language, confidence=90):
    text = "".join(piece for piece, _ in answer_of(example, language, confidence))
    return read_answer(text, modality=example.modality, frame=FRAME)


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize(("modality", "name", "kind"), DEFECTS)
def test_every_defect_in_every_place_is_read_back(modality, name, kind, language):
    for box in everywhere():
        answer = read(picture_of(modality, name, [kind], [box]), language, 75)
        assert (answer.judgement, answer.form) == ("defect", "json")
        assert (answer.defect_type, answer.confidence) == (name, 0.75)
        (found,) = answer.boxes
        left, top, right, bottom = (1000 * share for share in box)
        assert abs(found.x - left) <= 1
        assert abs(found.y - top) <= 1
        assert abs(found.x + found.w - right) <= 1
        assert abs(found.y + found.h - bottom) <= 1


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize(("modality", "name"), NORMALS)
@pytest.mark.parametrize("confidence", [50, 75, 95])
def test_a_normal_picture_is_read_as_normal(modality, name, language, confidence):
    answer = read(picture_of(modality, name), language, confidence)
    assert (answer.judgement, answer.defect_type, answer.boxes) == ("normal", None, ())


def test_place_size_and_number_are_told():
    corner = picture_of("ct", "cell_porosity", ["porosity"], [[0.05, 0.05, 0.08, 0.09]])
    assert "upper left" in explain(corner, "en")
    assert "small" in explain(corner, "en")
    assert "왼쪽 위" in explain(corner, "ko")
    assert "작은" in explain(corner, "ko")
    both = [[0.1, 0.1, 0.15, 0.15], [0.8, 0.8, 0.95, 0.95]]
    several = picture_of("rgb", "pollution", ["pollution"] * 2, both)
    # The largest is described, and how many there are.
    assert "lower right" in explain(several, "en")
    assert "two" in explain(several, "en")
    assert "오른쪽 아래" in explain(several, "ko")
    assert "두 군데" in explain(several, "ko")


def test_defects_of_several_kinds_are_not_counted_as_one_kind():
    both = [[0.1, 0.1, 0.15, 0.15], [0.8, 0.8, 0.95, 0.95]]
    mixed = picture_of("rgb", "pollution", ["damaged", "pollution"], both)
    same = picture_of("rgb", "pollution", ["pollution"] * 2, both)
    assert "two defects" in explain(mixed, "en")
    assert "two such places" in explain(same, "en")
    assert "결함은 모두 두 군데" in explain(mixed, "ko")


@pytest.mark.parametrize(("language", "many"), [("en", "more than five"), ("ko", "다섯 군데를 넘")])
def test_more_defects_than_are_counted_are_not_called_five(language, many):
    six = [[0.1 * i, 0.1, 0.1 * i + 0.05, 0.2] for i in range(6)]
    text = explain(picture_of("ct", "cell_porosity", ["porosity"] * 6, six), language)
    assert many in text


def test_no_explanation_is_longer_than_two_sentences():
    for language in ("en", "ko"):
        for _, name, kind in DEFECTS:
            for box in everywhere():
                seen = picture_of("ct", name, [kind] * 2, [box, [0.4, 0.4, 0.41, 0.41]])
                assert explain(seen, language).count(".") <= 2


@pytest.mark.parametrize("kind", ["porosity", "resin_overflow", "pollution", "damaged"])
def test_the_same_kind_of_defect_is_described_in_several_ways(kind):
    told = {explain(picture_of("ct", kind, [kind], [box]), "en")[:12] for box in everywhere()}
    sizes = ("small", "medium-sized", "large")
    wordings = {text for text in told if not any(size in text for size in sizes)} | {
        text.split(size)[0] for text in told for size in sizes if size in text
    }
    assert len(wordings) > 1


def test_a_box_spans_something_however_small_the_defect():
    for edge in (0.0, 0.4999, 1.0):
        left, top, right, bottom = corners_of(np.full(4, edge, np.float32))
        assert 0 <= left < right <= 1000
        assert 0 <= top < bottom <= 1000


def test_a_family_that_writes_pixels_is_taught_pixels_of_its_input():
    box = np.array([0.5, 0.25, 0.75, 1.0], np.float32)
    assert corners_of(box, (56, 84)) == [28, 21, 42, 84]
    frame = BoxFrame("input_pixels", Rect(100, 200, 560, 840), (56, 84))
    example = picture_of("ct", "cell_porosity", ["porosity"], [box])
    text = "".join(piece for piece, _ in answer_of(example, "en", 90, (56, 84)))
    (found,) = read_answer(text, modality="ct", frame=frame).boxes
    assert (found.x, found.y, found.w, found.h) == (380, 410, 140, 630)
