"""Limits by size: what they make of a verdict, and that they never hide what was not measured."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from inspection.classes import DefectClass, SizeLimits, class_table
from inspection.messages import Message
from inspection.results import ImageResult, SliceRun, Verdict
from inspection.systems.ensemble.size_limits import apply_limits, outcome_of
from inspection.volume_results import BodySize, DefectBody

LIMITS = SizeLimits(measure="volume_mm3", accept_below=1.0, defect_above=4.0)
RUN = SliceRun(axis="z", first=10, last=19, length=10, defect_type="cell_porosity", score=0.9)
DEFECT = Verdict(
    kind="internal_defect", defect_type="cell_porosity", ct_state="defect", rgb_state="normal"
)


def classes(limits: SizeLimits | None = LIMITS) -> dict[str, DefectClass]:
    rows = dict(class_table().rows)
    rows["cell_porosity"] = rows["cell_porosity"].model_copy(update={"limits": limits})
    return rows


def body(volume: float | None, error: float = 0.05, first: int = 10, past: int = 20) -> DefectBody:
    size = BodySize(voxels=500, error=error, length=20, area=80)
    if volume is not None:
        in_mm = {"length_mm": 2.0, "area_mm2": 0.8, "volume_mm3": volume, "edge_mm": 0.1}
        size = size.model_copy(update=in_mm)
    return DefectBody(
        defect_type="cell_porosity",
        start=(first, 0, 0),
        stop=(past, 20, 5),
        place=(first, 4, 2),
        size=size,
    )


def judged(
    *bodies: DefectBody, verdict: Verdict = DEFECT, images=(), limits=LIMITS, whole: bool = True
) -> Verdict:
    return apply_limits(verdict, bodies, [RUN], images, classes(limits), whole=whole)[0]


@pytest.mark.parametrize(
    ("volume", "kind"), [(0.5, "normal"), (2.0, "review"), (5.0, "internal_defect")]
)
def test_a_size_under_between_and_over_the_limits(volume, kind):
    verdict = judged(body(volume))
    assert verdict.kind == kind
    assert verdict.reasons


def test_the_error_of_the_measure_counts_against_acceptance():
    assert judged(body(0.95, error=0.01)).kind == "normal"
    assert judged(body(0.95, error=0.1)).kind == "review"


def test_nothing_changes_without_limits_or_without_a_voxel_size():
    assert judged(body(0.5), limits=None) == DEFECT
    assert judged(body(None)).kind == "internal_defect"
    above = SizeLimits(measure="length_mm", defect_above=9.0)
    assert judged(body(0.5), limits=above).kind == "review"
    below = SizeLimits(measure="volume_mm3", accept_below=1.0)
    assert judged(body(2.0), limits=below).kind == "internal_defect"


def test_the_largest_of_several_counts():
    assert judged(body(0.5), body(5.0)).kind == "internal_defect"
    assert judged(body(0.5), body(2.0)).kind == "review"


def test_what_was_not_measured_is_never_accepted():
    place = {"start": (10, 0, 0), "stop": (20, 9, 9), "place": (15, 4, 4)}
    unclear = DefectBody(
        defect_type="cell_porosity", problem=Message(code="defect_size_unclear"), **place
    )
    assert judged(body(0.5), unclear).kind == "internal_defect"
    # Half of the run's slices show nothing of that size.
    assert judged(body(0.5, first=10, past=13)).kind == "review"
    alone = ImageResult(
        image="z/400", modality="ct", axis="z", number=400, state="done", is_anomaly=True
    )
    assert judged(body(0.5), images=[alone]).kind == "review"


def test_a_battery_that_was_not_judged_whole_is_never_normal():
    assert judged(body(0.5)).kind == "normal"
    assert judged(body(0.5), whole=False).kind == "review"


def test_an_accepted_inside_leaves_the_word_on_the_outside():
    both = DEFECT.model_copy(update={"kind": "composite_defect", "rgb_state": "defect"})
    assert judged(body(0.5), verdict=both).kind == "external_defect"
    unsure = DEFECT.model_copy(update={"rgb_state": "uncertain"})
    assert judged(body(0.5), verdict=unsure).kind == "review"
    review = DEFECT.model_copy(update={"kind": "review"})
    assert judged(body(0.5), verdict=review) == review


def test_lengths_are_known_to_a_voxel():
    limits = SizeLimits(measure="length_mm", accept_below=2.1)
    assert outcome_of(body(0.5), limits) == "defect"
    assert outcome_of(body(0.5), SizeLimits(measure="length_mm", accept_below=2.3)) == "accept"


def test_limits_that_contradict_themselves_are_refused():
    with pytest.raises(ValidationError):
        SizeLimits(measure="volume_mm3", accept_below=2.0, defect_above=1.0)
    with pytest.raises(ValidationError):
        SizeLimits(measure="volume_mm3")
