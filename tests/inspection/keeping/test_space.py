"""The disk is asked before an inspection, by what earlier ones took."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from builders.finished_session import finished_session

from inspection.config import load_inspector
from inspection.keeping.space import RESERVE, SpaceEstimate, estimate_space
from inspection.records import Battery, ImageRef


def batteries(count):
    image = ImageRef(Path("/lot/1.jpg"), "ct", "1", "z", 0, "cell", "pouch", None)
    return [Battery(str(n), str(n), None, ct=(image,) * 10) for n in range(count)]


def test_the_estimate_is_what_the_sessions_of_this_station_took(tmp_path):
    root = tmp_path / "sessions"
    session = finished_session(root, evidence=50_000)
    result = session / "batteries" / "001.json"
    estimate = estimate_space(batteries(3), root, load_inspector().aggregation)
    assert estimate.needed == pytest.approx(30 * (50_000 + result.stat().st_size))
    assert estimate.free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.05)


def test_without_an_earlier_session_more_images_need_more(tmp_path):
    aggregation = load_inspector().aggregation
    few = estimate_space(batteries(1), tmp_path / "none" / "yet", aggregation)
    many = estimate_space(batteries(50), tmp_path / "none" / "yet", aggregation)
    assert 0 < few.needed * 49 < many.needed


def test_a_session_fits_only_with_something_left():
    assert SpaceEstimate(needed=10, free=RESERVE + 10).enough
    assert not SpaceEstimate(needed=11, free=RESERVE + 10).enough
