"""Whatever a VLM writes is read without an error, and only what plainly says so is normal."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inspection.records import Rect
from inspection.results import Box, VlmImage
from inspection.systems.vlm.answers import MAX_CHARACTERS, judge_battery, read_answer
from inspection.systems.vlm.boxes import BoxFrame

SOURCE = Rect(0, 0, 800, 600)
INPUT = (812, 588)
SCALES = ("token_thousandths", "input_pixels", "json_thousandths")
THOUSANDTHS = BoxFrame("json_thousandths", SOURCE, INPUT)

GOOD = {
    "judgement": "normal", "defect_type": None, "explanation": "The layers are even.",
    "confidence": 0.9, "bboxes": [],
}  # fmt: skip
BAD = {
    "judgement": "defect", "defect_type": "cell_porosity", "explanation": "A dark pore.",
    "confidence": 0.8, "bboxes": [[250, 250, 500, 750]],
}  # fmt: skip


def read(text, modality="ct", frame=THOUSANDTHS, battery_type="cell", **more):
    return read_answer(text, modality=modality, frame=frame, battery_type=battery_type, **more)


# -- each form, as models write it -----------------------------------------------------------


def test_the_json_that_is_asked_for():
    answer = read(json.dumps(BAD))
    assert (answer.judgement, answer.defect_type, answer.form) == (
        "defect", "cell_porosity", "json",
    )  # fmt: skip
    assert (answer.explanation, answer.confidence) == ("A dark pore.", 0.8)
    assert answer.boxes == (Box(x=200, y=150, w=200, h=300),)
    assert read(json.dumps(GOOD)).judgement == "normal"


@pytest.mark.parametrize(
    "wrapped",
    [
        "```json\n%s\n```",
        "Here is my answer:\n```\n%s\n```",
        "<think>\n</think>\n%s",
        "%s\n\n",
    ],
)
def test_json_may_be_fenced_or_led_in(wrapped):
    assert read(wrapped % json.dumps(GOOD, indent=2)).judgement == "normal"
    assert read(wrapped % json.dumps(BAD)).judgement == "defect"


def test_json_in_python_s_clothes_and_with_a_comma_too_many():
    text = "{'judgement': 'defect', 'defect_type': 'pollution', 'bboxes': [[0, 0, 500, 500],],}"
    answer = read(text, "rgb")
    assert (answer.judgement, answer.defect_type) == ("defect", "pollution")
    assert answer.boxes == (Box(x=0, y=0, w=400, h=300),)


def test_the_boxes_of_qwen3_name_a_defect_without_a_judgement():
    text = '[{"bbox_2d": [100, 100, 200, 200], "label": "scratch"}]'
    answer = read(text, "rgb")
    assert (answer.judgement, answer.defect_type) == ("defect", "damaged")


def test_the_box_tokens_of_qwen2():
    text = (
        "<|object_ref_start|>a dark pore<|object_ref_end|>"
        "<|box_start|>(250,250),(500,750)<|box_end|>"
    )
    answer = read(text, frame=BoxFrame("token_thousandths", SOURCE, INPUT))
    assert (answer.judgement, answer.defect_type, answer.form) == (
        "defect", "cell_porosity", "boxes",
    )  # fmt: skip
    assert answer.boxes == (Box(x=200, y=150, w=200, h=300),)


@pytest.mark.parametrize(
    ("scale", "written"),
    [
        ("token_thousandths", [250, 250, 500, 750]),
        ("json_thousandths", [250, 250, 500, 750]),
        ("input_pixels", [203, 147, 406, 441]),
    ],
)
def test_the_conventions_of_the_families_name_the_same_source_pixels(scale, written):
    frame = BoxFrame(scale, SOURCE, INPUT)
    answer = read(json.dumps({**BAD, "bboxes": [written]}), frame=frame)
    assert answer.boxes == (Box(x=200, y=150, w=200, h=300),)


def test_boxes_on_a_part_of_the_source_are_in_pixels_of_the_whole():
    frame = BoxFrame("json_thousandths", Rect(100, 40, 800, 600), INPUT)
    assert read(json.dumps(BAD), frame=frame).boxes == (Box(x=300, y=190, w=200, h=300),)


@pytest.mark.parametrize(
    ("text", "judgement"),
    [
        ("The slice is normal.", "normal"),
        ("No defects are visible.", "normal"),
        ("결함이 없습니다.", "normal"),
        ("정상입니다.", "normal"),
        ("There is porosity near the tab.", "defect"),
        ("중앙에 기공이 보입니다.", "defect"),
        ("There may be a pore.", "review"),
        ("정상이 아닙니다.", "defect"),
        ("This is not normal.", "defect"),
        ("The slice is normal except for a pore.", "review"),
        ("결함이 없다고 할 수 없습니다.", "review"),
        ("I cannot judge this picture.", "review"),
        ("A lithium-ion battery.", "review"),
        ("", "review"),
    ],
)
def test_prose_in_both_languages(text, judgement):
    assert read(text).judgement == judgement


def test_korean_keys_and_words():
    text = '{"판정": "불량", "결함 유형": "오염", "설명": "얼룩이 있습니다.", "신뢰도": "85%"}'
    answer = read(text, "rgb")
    assert (answer.judgement, answer.defect_type, answer.confidence) == (
        "defect", "pollution", 0.85,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "battery"), [("cell_porosity", "cell"), ("module_porosity", "module")]
)
def test_porosity_is_that_of_the_battery(kind, battery):
    text = json.dumps({**BAD, "defect_type": "porosity"})
    assert read(text, battery_type=battery).defect_type == kind


@pytest.mark.parametrize(
    "changed",
    [
        {"defect_type": "cell_porosity"},
        {"defect_type": "something else"},
        {"bboxes": [[1, 1, 9, 9]]},
        {"bboxes": "somewhere"},
        {"explanation": "There is a large dark pore."},
        {"judgement": "normal or defect"},
        {"judgement": '"normal", "defect", "review" 중 하나'},
        {"judgement": None},
        {"judgement": ["normal"]},
        {"explanation": "The cell is swollen and leaks electrolyte."},
        {"explanation": "셀이 부풀어 있고 전해액이 누출되었습니다."},
        {"explanation": "No defects, but a dent at the left."},
        {"explanation": "결함은 없지만 오염이 보입니다."},
        {"note": "a pore at the left"},
        {"images": [{"judgement": "defect"}]},
    ],
)
def test_a_normal_answer_that_contradicts_itself_is_for_review(changed):
    assert read(json.dumps({**GOOD, **changed})).judgement == "review"


@pytest.mark.parametrize(
    "changed",
    [
        {"explanation": "There is no swelling or leakage, and no dents."},
        {"explanation": "부풀음이나 누출이 보이지 않습니다."},
        {"explanation": "No defects are visible, but the picture is dark."},
        {"severity": "none", "surface": {"defects": "no defect", "wrap": ["clean", 0.9]}},
    ],
)
def test_a_normal_answer_may_say_at_length_what_it_has_not_found(changed):
    assert read(json.dumps({**GOOD, **changed})).judgement == "normal"


def test_two_answers_that_differ_are_for_review():
    assert read(json.dumps(GOOD) + json.dumps(BAD)).judgement == "review"
    twice = '{"judgement": "normal", "judgement": "defect", "defect_type": null, "bboxes": []}'
    assert read(twice).judgement == "review"


def test_a_type_of_the_other_modality_is_for_review():
    assert read(json.dumps(BAD), "rgb").judgement == "review"


def test_a_defect_cut_off_after_its_judgement_still_counts():
    answer = read(json.dumps(BAD)[:70], finished=False)
    assert (answer.judgement, answer.defect_type) == ("defect", "cell_porosity")


# -- anything at all -------------------------------------------------------------------------

words = st.sampled_from(
    ["normal", "defect", "정상", "결함", "기공이 없", "no ", "not ", '"', "{", "}", "[", "]", ",",
     ":", "```json", "<|box_start|>", "(12,34),(56,78)", "(1.2.3,NaN),(9e999,-5)", "<|box_end|>",
     "<|object_ref_start|>", "pore", "<|object_ref_end|>", '"bboxes"', '"judgement"', "NaN",
     "Infinity", "1e999", "-0", "null", "\\u0000", "\\", "\ud7ff", "\x00", "9" * 400, "판정"]
)  # fmt: skip
noise = st.one_of(st.text(), st.lists(st.one_of(words, st.text(max_size=5))).map("".join))
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**400), float("nan"), float("inf"), True, None, "12", "NaN"]),
)
values = st.recursive(
    st.one_of(numbers, noise),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
boxes = st.one_of(
    values,
    st.lists(st.lists(numbers, min_size=4, max_size=4), max_size=4),
    st.lists(st.fixed_dictionaries({"bbox_2d": st.lists(numbers, max_size=5)}), max_size=3),
)
statements = st.fixed_dictionaries(
    {},
    optional={
        "judgement": st.one_of(st.sampled_from(["normal", "defect", "review"]), values),
        "defect_type": st.one_of(st.sampled_from(["cell_porosity", "pollution", None]), values),
        "explanation": values,
        "confidence": st.one_of(numbers, values),
        "bboxes": boxes,
    },
)
frames = st.builds(
    BoxFrame,
    st.sampled_from(SCALES),
    st.builds(
        Rect,
        st.integers(0, 5_000),
        st.integers(0, 5_000),
        st.integers(1, 20_000),
        st.integers(1, 20_000),
    ),
    st.tuples(st.integers(28, 4_000), st.integers(28, 4_000)),
)
modalities = st.sampled_from(["ct", "rgb"])


def assert_sound(answer, frame):
    region = frame.region
    for box in answer.boxes:
        assert region.x <= box.x
        assert region.y <= box.y
        assert box.x + box.w <= region.x + region.w
        assert box.y + box.h <= region.y + region.h
    assert answer.confidence is None or 0 <= answer.confidence <= 1
    # The record must take it: that is what is written to the disk.
    VlmImage(
        image="a.png", modality="ct", number=1, state="done", prediction=answer.judgement,
        defect_type=answer.defect_type, explanation=answer.explanation,
        confidence=answer.confidence, bbox=list(answer.boxes), form=answer.form,
    ).model_dump_json()  # fmt: skip


@given(noise, modalities, frames, st.booleans())
@example("[" * 19_000, "ct", THOUSANDTHS, True)
@example('{"a":' * 3_000, "ct", THOUSANDTHS, True)
@example('{"judgement": "normal"' + "}" * 10_000, "ct", THOUSANDTHS, True)
@example("no defect " * 1_999, "rgb", THOUSANDTHS, True)
@example("(1,2),(3,4)" * 1_800, "rgb", THOUSANDTHS, True)
@example('"' * 19_999, "rgb", THOUSANDTHS, True)
@settings(max_examples=300, deadline=None)
def test_no_text_raises(text, modality, frame, finished):
    assert_sound(read(text, modality, frame, finished=finished), frame)


@given(statements, noise, noise, modalities, frames)
@settings(max_examples=300, deadline=None)
def test_no_json_raises(statement, before, after, modality, frame):
    text = before + json.dumps(statement, ensure_ascii=False) + after
    assert_sound(read(text, modality, frame), frame)


@given(st.lists(numbers, min_size=4, max_size=4), frames)
@settings(max_examples=200, deadline=None)
def test_a_box_is_within_the_image_or_there_is_none(corners, frame):
    assert_sound(read(json.dumps({**BAD, "bboxes": [corners]}), frame=frame), frame)
    tokens = "<|box_start|>({},{}),({},{})<|box_end|>".format(*corners)
    assert_sound(read(tokens, frame=frame), frame)


@given(frames, st.data())
@settings(max_examples=200, deadline=None)
def test_a_box_of_the_source_comes_back_as_itself(frame, data):
    width, height = frame.region.w, frame.region.h
    left, right = sorted(
        data.draw(st.lists(st.integers(0, width), min_size=2, max_size=2, unique=True))
    )
    top, bottom = sorted(
        data.draw(st.lists(st.integers(0, height), min_size=2, max_size=2, unique=True))
    )
    whole = frame.input if frame.scale == "input_pixels" else (1000, 1000)
    corners = [
        left * whole[0] / width, top * whole[1] / height,
        right * whole[0] / width, bottom * whole[1] / height,
    ]  # fmt: skip
    (box,) = read(json.dumps({**BAD, "bboxes": [corners]}), frame=frame).boxes
    corner = frame.region.x + left, frame.region.y + top
    assert box == Box(x=corner[0], y=corner[1], w=right - left, h=bottom - top)


@given(st.integers(0, 400), st.sampled_from(["%s", "```json\n%s", "판정: %s"]), st.booleans())
@settings(deadline=None)
def test_a_truncated_json_is_never_normal(length, form, finished):
    text = form % json.dumps(GOOD, ensure_ascii=False)
    cut = text[: min(length, len(text) - 1)]
    assert read(cut, finished=finished).judgement != "normal"


@pytest.mark.parametrize(
    "text", ["The slice is normal.", "결함이 없습니다", json.dumps(GOOD), "There is a defect"]
)
def test_what_was_stopped_in_the_middle_is_never_normal_and_prose_says_nothing(text):
    assert read(text, finished=False).judgement == "review"


@given(st.integers(1, 100))
def test_an_endless_answer_is_not_read(more):
    text = json.dumps(GOOD) + " " * (MAX_CHARACTERS + more)
    assert (read(text).judgement, read(text).form) == ("review", "unread")


# -- a battery -------------------------------------------------------------------------------


def image(prediction, confidence=None, **more):
    return VlmImage(
        **{
            "image": f"{prediction}-{confidence}.png", "modality": "ct", "number": 1,
            "state": "done", "prediction": prediction, "confidence": confidence,
            "explanation": f"{prediction} {confidence}", "form": "json", **more,
        }
    )  # fmt: skip


FAILED = image(None, state="failed", form=None)


@pytest.mark.parametrize(
    ("images", "prediction", "decides"),
    [
        ([image("normal", 0.9), image("defect", 0.3), image("defect", 0.6)], "defect", 2),
        ([image("normal", 0.9), image("review"), image("normal", 0.8)], "review", 1),
        ([image("normal", 0.9), image("normal", 0.4)], "normal", 1),
        ([image("defect", 0.2), FAILED], "defect", 0),
        ([image("normal", 0.9), FAILED], "review", None),
        ([FAILED], "review", None),
        ([], "review", None),
    ],
)
def test_a_defect_counts_before_a_doubt_and_a_gap_is_never_normal(images, prediction, decides):
    result = judge_battery(images)
    assert result.prediction == prediction
    assert result.image == (None if decides is None else images[decides].image)
    assert result.images == images


def test_an_unread_answer_is_shown_as_it_was_written():
    result = judge_battery([image("review", form="unread", explanation="", answer="Rosebud.")])
    assert (result.prediction, result.explanation) == ("review", "Rosebud.")
