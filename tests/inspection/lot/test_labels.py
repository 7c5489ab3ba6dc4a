"""Label files: every oddity of real ones is mended and named."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.errors import LabelError
from inspection.lot.labels import class_of, clip_to_frame, flat_numbers, polygon_area, read_label

CT_NAME = "CT_cell_pouch_101_x_006.json"


def label_content(**changes):
    content = {
        "data_info": {
            "data_type": "ct",
            "battery_ids": 101,
            "type": "cell",
            "form": "pouch",
            "roi": [100, 200],
        },
        "swelling": {"swelling": False, "battery_outline": [1, 2, 3]},
        "defects": None,
        "image_info": {"width": 200, "height": 200, "id": 128036, "is_normal": True},
    }
    for key, value in changes.items():
        group, _, field = key.partition("__")
        if field:
            content[group][field] = value
        else:
            content[group] = value
    return content


@pytest.fixture
def read(tmp_path):
    def read(name=CT_NAME, **changes):
        path = tmp_path / name
        path.write_text(json.dumps(label_content(**changes)), encoding="utf-8")
        return read_label(path)

    return read


def codes(label):
    return [problem.code for problem in label.problems]


def defect(points, name="porosity"):
    return {"defects": [{"id": 1, "name": name, "points": points}], "image_info__is_normal": False}


def test_plain_label(read):
    label = read()
    assert (label.battery_number, label.battery_type, label.form) == (101, "cell", "pouch")
    assert (label.roi, label.size, label.is_normal) == ((100, 200), (200, 200), True)
    assert label.problems == ()
    assert class_of(label) == "cell_normal"


@pytest.mark.parametrize("ids", [101, "101", [101], ["101"], "0101", 101.0])
def test_battery_ids_in_any_writing(read, ids):
    assert read(data_info__battery_ids=ids).battery_number == 101


def test_image_id_is_never_the_battery(read):
    assert read(name="view.json", data_info__battery_ids=None).battery_number is None


def test_label_of_another_battery_is_named(read):
    label = read(data_info__battery_ids=7)
    assert codes(label) == ["label_battery_differs"]
    assert "101" in label.problems[0].text("ko")


def test_missing_keys_fall_back_to_the_file_name(tmp_path):
    path = tmp_path / "CT_module_pouch_044_z_521.json"
    path.write_text("{}", encoding="utf-8")
    label = read_label(path)
    assert (label.battery_number, label.battery_type, label.modality) == (44, "module", "ct")
    assert codes(label) == ["label_is_normal_missing"]
    assert class_of(label) is None


@pytest.mark.parametrize(
    "points",
    [
        [10, 10, 30, 10, 30, 40],
        [[10, 10], [30, 10], [30, 40]],
        [[[10, 10], [30, 10], [30, 40]]],
        [{"x": 10, "y": 10}, {"x": 30, "y": 10}, {"x": 30, "y": 40}],
    ],
)
def test_polygons_in_any_nesting(read, points):
    label = read(**defect(points))
    assert label.defects[0].points == ((10, 10), (30, 10), (30, 40))
    assert label.problems == ()


def test_odd_polygon_loses_its_last_number(read):
    label = read(**defect([10, 10, 30, 10, 30, 40, 99]))
    assert label.defects[0].points == ((10, 10), (30, 10), (30, 40))
    assert codes(label) == ["label_polygon_odd"]


def test_polygon_across_the_frame_is_cut(read):
    label = read(**defect([190, 100, 210, 100, 210, 120, 190, 120]))
    assert codes(label) == ["label_polygon_clipped"]
    assert polygon_area(label.defects[0].points) == pytest.approx(200)


@pytest.mark.parametrize(
    ("points", "code"),
    [
        ([300, 300, 320, 300, 320, 320], "label_polygon_outside"),
        ([1, 2, 3, 4], "label_polygon_short"),
        ([], "label_polygon_short"),
        (None, "label_polygon_invalid"),
        ([1, 2, "a", 4, 5, 6], "label_polygon_invalid"),
        ([1, 2, math.nan, 4, 5, 6], "label_polygon_invalid"),
    ],
)
def test_useless_polygon_is_left_out_and_the_class_not_guessed(read, points, code):
    label = read(**defect(points))
    assert label.defects == ()
    assert codes(label) == [code]
    assert class_of(label) is None


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("Damaged", "damaged"),
        ("POLLUTION", "pollution"),
        ("porosity", "porosity"),
        ("resin overflow", "resin_overflow"),
        ("Resin_Overflow", "resin_overflow"),
    ],
)
def test_defect_names_in_any_case(read, name, canonical):
    assert read(**defect([0, 0, 5, 0, 5, 5], name)).defects[0].name == canonical


def test_unknown_defect_is_kept_and_named(read):
    label = read(**defect([0, 0, 5, 0, 5, 5], "rust"))
    assert label.defects[0].name == "rust"
    assert codes(label) == ["label_defect_unknown"]
    assert class_of(label) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (
            {**defect([0, 0, 5, 0, 5, 5]), "image_info__is_normal": True},
            "label_normal_with_defects",
        ),
        ({"image_info__is_normal": False}, "label_defective_without_defects"),
    ],
)
def test_contradiction_is_reported_and_not_guessed(read, changes, code):
    label = read(**changes)
    assert codes(label) == [code]
    assert class_of(label) is None


@pytest.mark.parametrize("is_normal", [True, False])
def test_swelling_only_is_normal_in_the_five_classes(read, is_normal):
    label = read(
        name="CT_module_pouch_101_x_006.json",
        data_info__type="module",
        swelling={"swelling": True},
        image_info__is_normal=is_normal,
    )
    assert label.swelling
    assert class_of(label) == "module_normal"


def test_porosity_over_a_quarter_of_the_roi_is_flagged(read):
    small = read(**defect([0, 0, 100, 0, 100, 49, 0, 49]))
    large = read(**defect([0, 0, 100, 0, 100, 60, 0, 60]))
    assert codes(small) == []
    assert codes(large) == ["label_porosity_large"]
    assert "30 %" in large.problems[0].text()


@pytest.mark.parametrize(
    ("kind", "names", "expected"),
    [
        ("cell", ["porosity"], "cell_porosity"),
        ("module", ["porosity"], "module_porosity"),
        ("module", ["resin overflow"], "module_resin_overflow"),
        ("module", ["resin overflow", "porosity"], "module_porosity"),
        ("cell", ["resin overflow"], None),
    ],
)
def test_ct_classes(read, kind, names, expected):
    defects = [{"name": name, "points": [0, 0, 5, 0, 5, 5]} for name in names]
    label = read(
        name="slice.json", data_info__type=kind, defects=defects, image_info__is_normal=False
    )
    assert class_of(label) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [([], "normal"), (["Pollution"], "pollution"), (["Pollution", "Damaged"], "damaged")],
)
def test_rgb_classes(read, names, expected):
    label = read(
        name="RGB_cell_cylindrical_0101_001.json",
        data_info__data_type="rgb",
        defects=[{"name": name, "points": [0, 0, 5, 0, 5, 5]} for name in names] or None,
        image_info__is_normal=not names,
    )
    assert class_of(label) == expected


@pytest.mark.parametrize("roi", [[0, 10], [10], "all", [-5, 10], [1, 2, 3], {"w": 1}])
def test_unusable_roi_is_dropped_with_a_reason(read, roi):
    label = read(data_info__roi=roi)
    assert label.roi is None
    assert codes(label) == ["label_roi_invalid"]


def test_defects_and_points_beyond_any_label_are_one_finding(read):
    label = read(defects=[{}] * 50_000, image_info__is_normal=False)
    assert (codes(label), label.defects) == (["label_too_many_defects"], ())
    label = read(**defect([1, 2] * 50_000))
    assert (codes(label), label.defects) == (["label_polygon_long"], ())


def test_what_is_odd_a_thousand_times_is_not_told_a_thousand_times(read):
    label = read(defects=[{"name": f"n{n}", "points": [n]} for n in range(1000)])
    assert len(label.problems) < 50
    assert "label_normal_with_defects" in codes(label)


def test_a_key_that_is_there_twice_is_not_guessed(tmp_path):
    path = tmp_path / CT_NAME
    path.write_text('{"image_info": {"is_normal": true, "is_normal": false}}', encoding="utf-8")
    label = read_label(path)
    assert "label_key_twice" in codes(label)
    assert class_of(label, "ct") is None


def test_numbers_that_are_none_and_names_that_cannot_be_written(tmp_path):
    path = tmp_path / CT_NAME
    path.write_text(
        '{"data_info": {"roi": [1e400, -Infinity], "date": "2026-99-99"}, "image_info": {"width":'
        f' {"9" * 4000}, "is_normal": 1e999}},'
        ' "defects": [{"name": "\\ud800", "points": [NaN]}]}',
        encoding="utf-8",
    )
    label = read_label(path)
    assert (label.roi, label.size, label.defects) == (None, None, ())
    assert all(message.text("ko").encode() for message in label.problems)


def test_roi_beyond_the_image_is_cut(read):
    label = read(data_info__roi=[100, 500])
    assert label.roi == (100, 200)
    assert codes(label) == ["label_roi_beyond"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "label_empty"),
        (b'{"data_info": ', "label_not_json"),
        (b"[1, 2]", "label_not_object"),
        (b"\xff\xfe\x00", "label_not_json"),
        (b"[" * 100_000, "label_too_deep"),
        (b'{"defects": ' + b"[" * 20 + b"]" * 20 + b"}", "label_too_deep"),
        (b" " * (5 << 20), "label_too_large"),
        (
            json.dumps({"defects": [{"name": "pore", "points": [1] * 6}] * 100_000}).encode(),
            "label_too_large",
        ),
        (b'{"image_info": {"width": ' + b"9" * 5000 + b"}}", "label_not_json"),
    ],
)
def test_broken_file_is_refused_in_one_sentence(tmp_path, data, code):
    path = tmp_path / "라벨 1.json"
    path.write_bytes(data)
    with pytest.raises(LabelError) as caught:
        read_label(path)
    assert caught.value.message.code == code
    assert "라벨 1.json" in caught.value.text("ko")


def test_byte_order_mark_is_no_problem(tmp_path):
    path = tmp_path / CT_NAME
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(label_content()).encode())
    assert read_label(path).problems == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["x", "y", "name", "points", "roi"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(points=json_values, defects=json_values, info=json_values, roi=json_values)
def test_no_json_content_breaks_the_reader(tmp_path_factory, points, defects, info, roi):
    path = tmp_path_factory.getbasetemp() / CT_NAME
    for content in (
        {"data_info": info, "defects": defects, "image_info": info, "swelling": points},
        label_content(defects=[{"name": "porosity", "points": points}], data_info__roi=roi),
    ):
        path.write_text(json.dumps(content), encoding="utf-8")
        label = read_label(path)
        for problem in label.problems:
            assert problem.text("en") != problem.code
            assert problem.text("ko")
        for polygon in label.defects:
            assert len(polygon.points) >= 3
        class_of(label)


coordinates = st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(coordinates, min_size=3, max_size=12))
def test_clipped_polygon_stays_inside(points):
    for x, y in clip_to_frame(points, 100, 60):
        assert -1e-6 <= x <= 100 + 1e-6
        assert -1e-6 <= y <= 60 + 1e-6


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(coordinates, min_size=3, max_size=3))
def test_clipped_triangle_never_grows(points):
    clipped = clip_to_frame(points, 100, 60)
    if len(clipped) >= 3:
        assert polygon_area(clipped) <= min(6000, polygon_area(points)) + 0.1


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.integers(-10_000, 10_000), max_size=20))
def test_flat_and_nested_polygons_say_the_same(numbers):
    nested = [numbers[i : i + 2] for i in range(0, len(numbers), 2)]
    assert flat_numbers(numbers) == flat_numbers(nested) == [float(n) for n in numbers]


def test_clipping_keeps_a_polygon_that_is_inside():
    points = [(1.0, 1.0), (9.0, 1.0), (9.0, 9.0)]
    assert clip_to_frame(points, 10, 10) == points
    assert np.isclose(polygon_area(points), 32)
