"""Runs of slices that meet in space are one body, where they meet."""

from __future__ import annotations

from app.planes.bodies import bodies_of
from inspection.results import BatteryResult, Box, ImageResult, Peak, SliceRun, Verdict
from inspection.volume_results import BodySize, DefectBody
from inspection.volumes.planes import AXES, PLANES, Space

SPACE = Space((90, 80, 100))
PORE = {"z": (30, 40), "y": (50, 58), "x": (20, 26)}
HALO = 9
"""Heat reaches further than what is hot."""


def slices_through(pore, axis, score=0.9) -> list[ImageResult]:
    (top, bottom), (left, right) = (pore[name] for name in PLANES[axis])
    height, width = SPACE.size(axis)
    box = Box(
        x=left - HALO, y=top - HALO, w=right - left + 2 * HALO, h=bottom - top + 2 * HALO, score=0.7
    )
    peak = Peak(x=(left + right) // 2, y=(top + bottom) // 2, value=0.9)
    return [
        ImageResult(
            image=f"{axis}{number}",
            modality="ct",
            axis=axis,
            number=number,
            state="done",
            pred_score=score,
            threshold=0.5,
            pred_boxes=[box],
            peak=peak,
            width=width,
            height=height,
        )
        for number in range(*pore[axis])
    ]


def run_through(pore, axis, score=0.9, name="cell_porosity") -> SliceRun:
    first, end = pore[axis]
    return SliceRun(
        axis=axis, first=first, last=end - 1, length=end - first, defect_type=name, score=score
    )


def judged(*pores) -> BatteryResult:
    return BatteryResult(
        battery_id="001",
        state="done",
        verdict=Verdict(kind="internal_defect"),
        images=[i for pore in pores for axis in AXES for i in slices_through(pore, axis)],
        runs=[run_through(pore, axis) for pore in pores for axis in AXES],
    )


def test_runs_on_three_axes_are_one_body_as_large_as_what_they_share():
    (body,) = bodies_of(judged(PORE), SPACE)
    assert body.extents == PORE
    assert body.defect is None
    for axis in AXES:
        assert abs(body.peak.along(axis) - sum(PORE[axis]) / 2) <= 1


def test_bodies_apart_stay_apart_and_the_worst_is_first():
    other = {"z": (70, 75), "y": (10, 16), "x": (60, 70)}
    result = judged(PORE, other)
    louder = [
        run.model_copy(update={"score": 0.99}) if run.first in (70, 10, 60) else run
        for run in result.runs
    ]
    first, second = bodies_of(result.model_copy(update={"runs": louder}), SPACE)
    assert (first.extents, second.extents) == (other, PORE)


def test_a_plane_cuts_a_body_only_where_it_lies():
    (body,) = bodies_of(judged(PORE), SPACE)
    assert body.on_plane("z", 35) == (20, 50, 6, 8)
    assert body.on_plane("z", 40) is None
    assert body.on_plane("x", 20) == (50, 30, 8, 10)


def test_pictures_of_another_scale_than_the_numbers_are_brought_to_them():
    images = [
        image.model_copy(update={"width": image.width * 2, "height": image.height * 2})
        for image in slices_through(PORE, "z")
    ]
    result = judged(PORE).model_copy(update={"images": images, "runs": [run_through(PORE, "z")]})
    (body,) = bodies_of(result, SPACE)
    assert body.peak == (34, 27, 11)


def test_two_spots_on_the_same_slices_are_two_bodies():
    other = {**PORE, "x": (60, 70)}
    images = [
        image.model_copy(update={"pred_boxes": [*image.pred_boxes, *beside.pred_boxes]})
        for image, beside in zip(slices_through(PORE, "z"), slices_through(other, "z"), strict=True)
    ]
    result = judged().model_copy(update={"images": images, "runs": [run_through(PORE, "z")]})
    bodies = bodies_of(result, SPACE)
    assert sorted(body.extents["x"] for body in bodies) == [(11, 35), (51, 79)]
    assert {body.extents["z"] for body in bodies} == {PORE["z"]}


def test_a_measured_body_is_as_large_as_it_was_measured():
    size = BodySize(voxels=450, error=0.05, length=11, area=80)
    box = {"start": (31, 51, 20), "stop": (39, 57, 25), "place": (34, 53, 22)}
    measured = DefectBody(defect_type="cell_porosity", size=size, **box)
    elsewhere = {"start": (70, 10, 60), "stop": (75, 16, 70), "place": (72, 12, 64)}
    unmeasured = DefectBody(defect_type="cell_porosity", **elsewhere)
    result = judged(PORE).model_copy(update={"defects": [unmeasured, measured]})
    body, other = bodies_of(result, SPACE)
    assert (body.defect, other.defect) == (measured, unmeasured)
    assert body.extents == {"z": (31, 39), "y": (51, 57), "x": (20, 25)}
    assert body.peak == (34, 53, 22)
    # The score is that of the runs through it.
    assert (body.score, other.score) == (0.9, None)


def test_nothing_is_made_of_a_run_whose_slices_are_not_kept():
    assert bodies_of(judged(PORE).model_copy(update={"images": []}), SPACE) == ()
    assert bodies_of(None, SPACE) == ()
