"""Sessions that outlive the files that they judged: what was kept is shown, and says so."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from builders.pore_lots import pore_lot
from builders.stages import greys_shown, heat_visible, picture_shown
from builders.truth_lane import build_truth_lane, middle_of, truth_of
from builders.windows import press, reviewed
from PySide6.QtWidgets import QApplication

from app.lot.review import answered_images
from app.widgets.pictures import load_content_picture
from app.wording import languages
from inspection.results import VlmImage, VlmResult
from inspection.volumes.opening import close_volumes
from inspection.volumes.planes import AXES

WAIT = 10_000

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture(scope="module", params=["jpeg", "tiff-stack", "dicom"])
def lot(request, tmp_path_factory) -> Path:
    return pore_lot(tmp_path_factory.mktemp("lots"), request.param)


@pytest.fixture(scope="module")
def session(judge, lot) -> Path:
    """The session of a lot whose CT has gone since."""
    folder = judge(lot, build_truth_lane)
    shutil.rmtree(lot / "001" / "ct")
    # As by another start of the program, which has nothing open.
    close_volumes()
    return folder


@pytest.fixture
def station(qtbot, stations, session):
    """A window with the session."""
    made = stations(build_truth_lane)
    made.window.resize(1600, 960)
    return reviewed(qtbot, made, session)


def name_of_file(lot: Path) -> str:
    return {"tiff-stack": "volume.tif", "dicom": "ct"}.get(lot.name, ".jpg")


def test_a_slice_whose_file_has_gone_shows_the_picture_that_was_kept(qtbot, station, lot):
    panel = station.window.panels["ct"]
    press(station, "W")
    qtbot.waitUntil(lambda: picture_shown(panel.stage), timeout=WAIT)
    assert panel.current.name in station.controller.current_view().result.worst_slices
    assert heat_visible(panel.stage)
    assert greys_shown(panel.stage).std() > 10
    told = panel.stage.notice.text()
    assert name_of_file(lot) in told
    assert told.endswith("is no longer there; this is the picture that the session has kept.")
    # It is told below the picture, not over what it shows.
    assert panel.stage.notice.y() > panel.stage.height() * 0.7
    languages.use("ko")
    QApplication.processEvents()
    assert panel.stage.notice.text().endswith("세션에 보관된 이미지입니다.")


def test_a_slice_without_a_kept_picture_shows_where_it_was_hot(qtbot, station, lot):
    panel = station.window.panels["ct"]
    view = station.controller.current_view()
    worst = view.result.worst_slices
    hot = next(i for i in view.ct if i.result.is_anomaly and i.name not in worst)
    panel._go(hot.ref.axis, panel._groups[hot.ref.axis].index(hot))
    told = "of this image the session has kept the heat-map alone."
    qtbot.waitUntil(lambda: panel.stage.notice.text().endswith(told), timeout=WAIT)
    assert heat_visible(panel.stage)
    assert greys_shown(panel.stage).max() == 0


def test_an_answer_on_a_slice_that_has_gone_stands_on_the_picture_that_was_kept(qtbot, station):
    view = station.controller.current_view()
    worst = {image.name: image for image in view.ct}[view.result.worst_slices[0]]
    axis, number = worst.ref.axis, worst.ref.number
    looked_at = VlmImage(image=worst.name, modality="ct", axis=axis, number=number, state="done")
    vlm = VlmResult(prediction="defect", explanation="", images=[looked_at])
    answered = replace(view, result=view.result.model_copy(update={"vlm": vlm}))
    (entry,) = answered_images(answered, "vlm", None)
    picture = load_content_picture(entry.shown)
    assert picture.image is not None
    assert picture.problem.code == "picture_kept_gone"
    # The heat-map is the ensemble's word, not the VLM's.
    assert picture.heat is None


def test_the_planes_show_what_was_kept_where_it_lay(qtbot, station, lot):
    planes = station.window.panels["ct"].planes
    press(station, "P")
    qtbot.waitUntil(lambda: bool(planes._bodies), timeout=WAIT)
    press(station, "W")
    view = station.controller.current_view()
    worst = {image.name: image for image in view.ct}[view.result.worst_slices[0]]
    axis = worst.ref.axis
    stage = planes.views[axis]
    qtbot.waitUntil(
        lambda: stage.found is not None and stage.found.number == worst.ref.number, timeout=WAIT
    )
    qtbot.waitUntil(lambda: "that the session has kept" in planes.notes.kept.text(), timeout=WAIT)
    assert stage.notice.text() == ""
    assert greys_shown(stage).std() > 10
    # Of its voxels nothing is told, of its heat all.
    assert "heat 0.9" in planes.notes.value.text()
    assert "Value" not in planes.notes.value.text()
    assert planes.notes.greys.text() == ""
    rows, columns = planes._space.size(axis)
    assert greys_shown(stage).shape == (rows, columns)
    if lot.name != "jpeg":
        assert planes._space.shape == view.result.volume.shape
        # Pores are where they were.
        for mask in truth_of(lot, "001"):
            middle = middle_of(mask)
            assert any(
                all(
                    first <= at < past
                    for at, (first, past) in zip(middle, map(body.extents.get, AXES), strict=True)
                )
                for body in planes._bodies
            )


def test_a_volume_that_can_no_longer_be_read_shows_what_was_kept(qtbot, stations, judge, tmp_path):
    lot = pore_lot(tmp_path, "tiff-stack")
    folder = judge(lot, build_truth_lane)
    path = lot / "001" / "ct" / "volume.tif"
    path.write_bytes(path.read_bytes()[:3000])
    close_volumes()
    made = reviewed(qtbot, stations(build_truth_lane), folder)
    press(made, "W")
    stage = made.window.panels["ct"].stage
    qtbot.waitUntil(lambda: picture_shown(stage), timeout=WAIT)
    told = "volume.tif can no longer be read; this is the picture that the session has kept."
    assert stage.notice.text() == told
    assert greys_shown(stage).std() > 10
