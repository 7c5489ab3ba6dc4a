"""Three systems on one battery: the same form, agreement, conflicts, overlapping boxes."""

from __future__ import annotations

import pytest
from builders.compared_sessions import (
    FAILURE,
    POROSITY,
    Word,
    battery_result,
    box,
    ensemble_image,
    vlg_image,
    vlm_image,
)
from hypothesis import given
from hypothesis import strategies as st

from inspection.agreement.battery import box_overlap, compare_battery
from inspection.messages import Message, wordings
from inspection.results import ImageResult, SystemState

CT = "CT_cell_pouch_001_z_004.jpg"
RGB = "RGB_cell_cylindrical_001_002.png"


def compare(ensemble: Word, vlm: Word, vlg: Word, vlm_type: str | None = None):
    result = battery_result(
        "001",
        [ensemble_image(CT, ensemble)],
        [vlm_image(CT, vlm, defect_type=vlm_type)] if vlm else [],
        [vlg_image(CT, vlg)] if vlg else [],
    )
    (image,) = compare_battery(result).images
    return image


@pytest.mark.parametrize(
    ("ensemble", "vlm", "vlg", "agreement"),
    [
        ("normal", "normal", "normal", "agree"),
        ("defect", "defect", "defect", "agree"),
        ("normal", "defect", "normal", "conflict"),
        ("defect", "review", "normal", "conflict"),
        # Who abstains agrees with nobody, and contradicts nobody.
        ("normal", "review", "normal", "open"),
        ("normal", "failed", "normal", "open"),
        ("failed", "review", "failed", "open"),
        # Who was not asked leaves the others to agree.
        ("normal", None, "normal", "agree"),
        ("defect", "normal", None, "conflict"),
    ],
)
def test_agreement(ensemble: Word, vlm: Word, vlg: Word, agreement: str):
    image = compare(ensemble, vlm, vlg)
    assert image.judgement == agreement
    assert image.conflict == (agreement == "conflict")


def test_types_conflict_where_two_are_named():
    image = compare("defect", "defect", "defect", "module_porosity")
    assert (image.judgement, image.defect_type) == ("agree", "conflict")
    assert image.conflict
    assert compare("defect", "defect", "defect", POROSITY).defect_type == "agree"


def test_a_system_that_names_no_type_contradicts_none():
    # The exterior autoencoder says defect and no more.
    result = battery_result(
        "001",
        [ensemble_image(RGB, "defect")],
        [vlm_image(RGB, "defect", defect_type="pollution")],
    )
    (image,) = compare_battery(result).images
    assert image.cells["ensemble"].defect_type is None
    assert (image.judgement, image.defect_type) == ("agree", "open")


def test_every_system_is_told_in_the_same_form():
    result = battery_result(
        "001",
        [ensemble_image(CT, "defect", [box()])],
        [vlm_image(CT, "defect", [box(x=20)], POROSITY, "기공이 보입니다.")],
        [vlg_image(CT, "defect", [box(x=30)])],
    )
    (image,) = compare_battery(result).images
    assert [cell.judgement for cell in image.cells.values()] == ["defect"] * 3
    assert [cell.defect_type for cell in image.cells.values()] == [POROSITY] * 3
    assert image.cells["vlm"].explanation == "기공이 보입니다."
    assert image.cells["vlg"].boxes[0].score == 0.8
    assert [cell.seconds for cell in image.cells.values()] == [0.02, 2.0, 0.5]
    assert image.size == (100, 80)
    assert image.overlaps["ensemble", "vlm"].best == pytest.approx(1 / 3)
    assert image.overlaps["vlm", "vlg"].mean == pytest.approx(1 / 3)
    assert image.overlaps["ensemble", "vlg"].best == 0.0


def test_only_what_the_others_looked_at_is_compared():
    result = battery_result(
        "001",
        [ensemble_image(CT, "normal"), ensemble_image(RGB, "normal")],
        [vlm_image(RGB, "normal")],
    )
    assert [image.image for image in compare_battery(result).images] == [RGB]
    both = compare_battery(result, [CT, RGB]).images
    assert [image.image for image in both] == [CT, RGB]
    assert both[0].cells["vlm"].state == "missing"
    assert both[0].cells["vlm"].reason == Message(code="comparison_not_looked_at")


def test_a_slice_is_named_by_its_likeliest_defect():
    # Two defect classes together outweigh the normal one in front.
    image = ensemble_image(CT, "defect").model_copy(
        update={
            "pred_label": "module_normal",
            "probabilities": {
                "module_normal": 0.4,
                "module_porosity": 0.25,
                "module_resin_overflow": 0.35,
            },
        }
    )
    result = battery_result("001", [ImageResult.model_validate(image.model_dump())])
    (compared,) = compare_battery(result, [CT]).images
    assert compared.cells["ensemble"].defect_type == "module_resin_overflow"


def test_an_unread_answer_is_shown_as_it_is_and_counts_as_review():
    image = vlm_image(CT, "review").model_copy(update={"answer": "<b>???"})
    (compared,) = compare_battery(battery_result("001", [], [image])).images
    cell = compared.cells["vlm"]
    assert (cell.judgement, cell.explanation) == ("review", "<b>???")
    assert cell.reason == Message(code="comparison_unread")


def test_a_failed_image_keeps_its_reason():
    cells = compare("failed", "failed", "failed").cells
    assert all(cell.state == "failed" and cell.judgement is None for cell in cells.values())
    assert all(cell.reason == FAILURE for cell in cells.values())


@pytest.mark.parametrize("state", ["queued", "running", "cancelled", "skipped", "off", "failed"])
def test_a_silent_system_says_why_in_both_languages(state: SystemState):
    result = battery_result(
        "001", [ensemble_image(CT, "normal")], [vlm_image(CT, "normal")]
    ).model_copy(update={"systems": {"ensemble": "done", "vlm": "done", "vlg": state}})
    found = compare_battery(result)
    for cell in (found.cells["vlg"], found.images[0].cells["vlg"]):
        assert cell.state == ("failed" if state == "failed" else "missing")
        assert cell.reason is not None
        assert cell.reason.code in wordings()


def test_the_verdict_of_the_battery_is_the_stations():
    result = battery_result(
        "001", [ensemble_image(CT, "normal")], [vlm_image(CT, "normal")], [vlg_image(CT, "normal")]
    )
    found = compare_battery(result)
    assert [cell.judgement for cell in found.cells.values()] == ["normal"] * 3
    assert (found.judgement, found.conflict) == ("agree", False)
    review = result.verdict.model_copy(update={"kind": "review"})
    assert compare_battery(result.model_copy(update={"verdict": review})).judgement == "open"
    defect = result.verdict.model_copy(update={"kind": "external_defect"})
    assert compare_battery(result.model_copy(update={"verdict": defect})).conflict


def test_silence_on_an_unseen_image_clears_nothing():
    images = [vlg_image(CT, "normal"), vlg_image(RGB, "failed")]
    found = compare_battery(battery_result("001", [], [], images))
    assert found.cells["vlg"].judgement == "review"


def test_a_battery_of_the_vlg_has_the_type_of_its_surest_box():
    first = vlg_image(CT, "defect").model_copy(update={"scores": [0.4]})
    second = vlg_image(RGB, "defect", defect_type="damaged")
    cell = compare_battery(battery_result("001", [], [], [first, second])).cells["vlg"]
    assert (cell.judgement, cell.defect_type, cell.confidence) == ("defect", "damaged", 0.8)


def test_internal_and_external_types_of_one_battery_are_no_conflict():
    result = battery_result(
        "001",
        [ensemble_image(CT, "defect"), ensemble_image(RGB, "defect")],
        [
            vlm_image(RGB, "defect", defect_type="damaged"),
            vlm_image(CT, "defect", defect_type=POROSITY),
        ],
    )
    found = compare_battery(result)
    assert found.cells["vlm"].defect_type == "damaged"
    assert found.cells["ensemble"].defect_type == POROSITY
    assert (found.defect_type, found.conflict) == ("agree", False)


@pytest.mark.parametrize(
    ("method", "favours"), [("worst_and_even", True), ("even", False), ("sample", False)]
)
def test_a_choice_by_the_ensembles_scores_is_told(method, favours: bool):
    result = battery_result(
        "001", [ensemble_image(CT, "normal")], [vlm_image(CT, "normal")], method=method
    )
    assert compare_battery(result).favours_ensemble is favours


def test_without_other_systems_nothing_is_compared():
    found = compare_battery(battery_result("001", [ensemble_image(CT, "normal")]))
    assert (found.images, found.compared, found.judgement) == ((), False, "open")


def test_boxes_are_matched_one_to_one_the_best_first():
    first = [box(0, 0, 10, 10), box(100, 0, 10, 10)]
    second = [box(0, 0, 10, 10), box(0, 0, 10, 5), box(105, 0, 10, 10)]
    found = box_overlap(first, second)
    assert found is not None
    assert found.best == 1.0
    assert found.mean == pytest.approx((1.0 + 1 / 3) / 2)
    assert box_overlap(first, []) is None


boxes = st.lists(
    st.builds(box, st.integers(0, 40), st.integers(0, 40), st.integers(1, 40), st.integers(1, 40)),
    min_size=1,
    max_size=4,
)


@given(boxes, boxes)
def test_overlap_is_bounded_and_symmetric(first, second):
    found, back = box_overlap(first, second), box_overlap(second, first)
    assert found is not None
    assert back is not None
    assert found.best == back.best
    assert 0.0 <= found.mean <= found.best <= 1.0
