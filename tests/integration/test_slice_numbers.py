"""What copies on the disk do to a verdict: nothing, and they hide nothing."""

from __future__ import annotations

import pytest

from inspection.config import InspectorConfig
from inspection.lot.scan import scan_lot
from inspection.records import image_name
from inspection.results import ImageResult
from inspection.systems.ensemble.evidence import ct_evidence


@pytest.fixture
def evidence(tmp_path):
    """What a battery's slices say, given their names; the ``hot`` ones over the threshold."""

    def evidence(*names, hot=()):
        for name in names:
            (tmp_path / "B1/ct").mkdir(parents=True, exist_ok=True)
            (tmp_path / "B1/ct" / name).write_bytes(b"a picture")
        (battery,) = scan_lot(tmp_path).batteries
        slices = [
            ImageResult(
                image=image_name(ref, tmp_path),
                modality="ct",
                axis=ref.axis,
                number=ref.number,
                state="done",
                pred_label="cell_normal",
                pred_score=0.99 if ref.path.name.startswith(hot) else 0.01,
                threshold=0.5,
            )
            for ref in battery.ct
        ]
        return ct_evidence(slices, len(battery.ct), InspectorConfig())

    return evidence


def test_a_copy_does_not_hide_that_slices_are_missing(evidence):
    found = evidence(*(f"s_{n:03}.jpg" for n in (*range(1, 6), *range(20, 25))), "s_003 - Copy.jpg")
    assert found.state == "uncertain"
    (reason,) = found.reasons
    assert (reason.code, reason.params["count"]) == ("fusion_ct_holes", 14)


def test_one_hit_in_three_formats_is_no_run(evidence):
    names = [f"s_{n:03}.jpg" for n in range(1, 8)]
    found = evidence(*names, "s_004.png", "s_004.tif", hot=("s_004",))
    assert found.state == "uncertain"
    assert [reason.code for reason in found.reasons] == ["fusion_ct_lone_hit"]


def test_neighbours_over_the_threshold_are_still_a_run(evidence):
    names = [f"s_{n:03}.jpg" for n in range(1, 8)]
    assert evidence(*names, "s_004.png", hot=("s_003", "s_004", "s_005")).state == "defect"
