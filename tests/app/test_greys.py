"""Level and width of CT pictures: what the operator sees changes, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from builders.stages import drag_right, greys_shown, picture_shown, readout
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from app.wording import languages
from inspection.results import StackGrey

WAIT = 10_000
OTHERS = [f"{number:0{digits}}" for number in range(3, 7) for digits in (3, 4)]
OFFSET, GAIN = 12_000, 78
JUDGED = StackGrey(
    method="auto", low=12_000.0, high=12_000.0 + 255 * GAIN, air=12_470.0, body=21_360.0
)

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture(scope="module")
def lot16(lot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the lot's batteries as a reconstruction is exported: CT of 16 bits with an offset."""
    others = shutil.ignore_patterns(*(f"*_{mark}_*" for mark in OTHERS))
    folder = tmp_path_factory.mktemp("lots") / "lot16"
    shutil.copytree(lot, folder, ignore=others)
    for path in [*folder.rglob("CT_*.jpg"), *folder.rglob("CT_*.png")]:
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        tifffile.imwrite(path.with_suffix(".tif"), (OFFSET + grey.astype(int) * GAIN).astype("u2"))
        path.unlink()
    return folder


@pytest.fixture
def station(qtbot, stations, lot16: Path):
    """The window on the 16-bit lot, nothing judged."""
    return opened(qtbot, stations(), lot16)


def opened(qtbot, station, lot: Path):
    # Wide enough for the readout's words.
    station.window.resize(1600, 960)
    station.controller.open_lot(lot)
    qtbot.waitUntil(lambda: picture_shown(stage_of(station)), timeout=WAIT)
    return station


def judge(qtbot, station) -> None:
    """Judge the current battery under a window."""
    controller = station.controller
    with qtbot.waitSignal(controller.runner.ended, timeout=WAIT):
        controller.start()
    qtbot.waitUntil(lambda: not controller.writer._pool.busy, timeout=WAIT)
    result = controller.current_view().result
    controller.show_result(result.model_copy(update={"grey": JUDGED}))
    told = f"Level {OFFSET + 255 * GAIN / 2:.0f}\nWidth {255 * GAIN}"
    qtbot.waitUntil(lambda: readout(stage_of(station)).startswith(told), timeout=WAIT)


def stage_of(station):
    return station.window.panels["ct"].stage


def press(station, key: str) -> None:
    station.window.activateWindow()
    QApplication.processEvents()
    QTest.keyClick(station.window, key)
    # What many moves of a mouse ask for is painted once.
    QApplication.processEvents()


def changed(qtbot, station, before: np.ndarray) -> np.ndarray:
    qtbot.waitUntil(lambda: not np.array_equal(greys_shown(stage_of(station)), before))
    return greys_shown(stage_of(station))


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_sixteen_bits_are_readable_before_they_are_judged_and_it_is_said(station):
    shown = greys_shown(stage_of(station))
    assert np.percentile(shown, 90) > 90
    assert np.percentile(shown, 2) < 40
    assert "◐ display only\nno verdict" in readout(stage_of(station))


def test_a_drag_changes_what_is_seen_and_no_result(qtbot, station):
    judge(qtbot, station)
    view = station.controller.current_view()
    saved = files_of(station.controller.writer.folder)
    before = greys_shown(stage_of(station))
    assert "◐" not in readout(stage_of(station))

    drag_right(stage_of(station), 0, -80)
    brighter = changed(qtbot, station, before)
    assert brighter.mean() > before.mean()
    drag_right(stage_of(station), -150, 0)
    harder = changed(qtbot, station, brighter)
    assert harder.std() > brighter.std()
    assert "◐ display only" in readout(stage_of(station))

    assert station.controller.current_view() == view
    assert files_of(station.controller.writer.folder) == saved
    press(station, "0")
    assert np.array_equal(changed(qtbot, station, harder), before)
    assert "◐" not in readout(stage_of(station))


def test_keys_and_their_opposites(qtbot, station):
    first = greys_shown(stage_of(station))
    for there, back in ((".", ","), ("]", "[")):
        press(station, there)
        moved = changed(qtbot, station, first)
        press(station, back)
        assert np.array_equal(changed(qtbot, station, moved), first)


def test_nothing_is_decoded_again_for_another_window(qtbot, stations, lot16, tmp_path):
    copy = shutil.copytree(lot16, tmp_path / "lot")
    station = opened(qtbot, stations(), copy)
    before = greys_shown(stage_of(station))
    shutil.rmtree(copy)
    drag_right(stage_of(station), 60, 40)
    changed(qtbot, station, before)


def test_what_was_set_holds_for_the_stack_and_not_for_the_next_battery(qtbot, station):
    panel = station.window.panels["ct"]
    press(station, "[")
    press(station, ".")
    set_to = readout(panel.stage)
    assert "◐ display only" in set_to
    name = panel.current.name
    press(station, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: panel.current.name != name and not panel.stage.notice.text())
    assert readout(panel.stage) == set_to
    press(station, Qt.Key.Key_Down)
    assert not station.window.display.moved
    qtbot.waitUntil(lambda: readout(panel.stage) not in ("", set_to), timeout=WAIT)


def test_a_window_that_was_found_since_takes_the_place_of_what_was_set(qtbot, station):
    press(station, "]")
    assert station.window.display.moved
    judge(qtbot, station)
    assert not station.window.display.moved


def test_the_value_under_the_mouse_is_the_stored_one_and_what_the_model_sees(qtbot, station):
    judge(qtbot, station)
    panel = station.window.panels["ct"]
    values = tifffile.imread(panel.current.ref.path)
    # Within the body, of which alone values are kept.
    y, x = np.argwhere(values > OFFSET + 60 * GAIN)[500]
    stored = values[y, x]
    place = panel.stage.mapFromScene(x + 0.5, y + 0.5)
    told = f"Value {stored}\nthe model sees {(int(stored) - OFFSET) // GAIN}"
    # Whatever is shown: the model's value stays.
    for key in ("", "."):
        if key:
            press(station, key)
        QTest.mouseMove(panel.stage.viewport(), place + QPoint(0, 1))
        QTest.mouseMove(panel.stage.viewport(), place)
        qtbot.waitUntil(lambda: readout(panel.stage).endswith(told))


def test_the_right_button_does_nothing_on_a_colour_picture(qtbot, station):
    stage = station.window.panels["rgb"].stage
    qtbot.waitUntil(lambda: picture_shown(stage), timeout=WAIT)
    before = greys_shown(stage)
    drag_right(stage, 80, 80)
    assert not station.window.display.moved
    assert np.array_equal(greys_shown(stage), before)
    assert readout(stage) == ""


def test_the_verdict_tells_the_window_in_both_languages(qtbot, station):
    judge(qtbot, station)
    panel = station.window.panels["verdict"]

    def told() -> list[str]:
        return [made.text() for made in panel.findChildren(QLabel) if made.isVisible()]

    assert "Grey window: auto, 12000 to 31890 (air 12470, body 21360)" in told()
    languages.use("ko")
    QApplication.processEvents()
    assert "회색값 범위: 자동, 12000~31890 (공기 12470, 본체 21360)" in told()
    assert "레벨 21945\n폭 19890" in readout(stage_of(station))


def test_a_slice_that_was_refused_as_too_dark_is_shown_with_the_reason(
    qtbot, stations, lot16, tmp_path
):
    folder = shutil.copytree(lot16, tmp_path / "lot")
    for path in folder.rglob("CT_*.tif"):
        tifffile.imwrite(path, (tifffile.imread(path) - OFFSET) // GAIN)
    station = opened(qtbot, stations(), folder)
    with qtbot.waitSignal(station.controller.runner.ended, timeout=WAIT):
        station.controller.start()
    stage = stage_of(station)
    qtbot.waitUntil(lambda: "bits" in stage.notice.text(), timeout=WAIT)
    assert stage.caption.text() == "Not judged"
    assert np.percentile(greys_shown(stage), 90) > 90


def test_pictures_that_are_kept_stay_within_a_bound(qtbot, station, monkeypatch):
    panel = station.window.panels["ct"]
    (first,) = panel._loader._cache.values()
    monkeypatch.setattr("app.widgets.pictures.CACHED_BYTES", 2.5 * first.bytes)
    for _ in range(5):
        press(station, Qt.Key.Key_Right)
        press(station, Qt.Key.Key_X)
        qtbot.waitUntil(lambda: not station.controller.files.busy)
    kept = [picture.bytes for picture in panel._loader._cache.values()]
    assert 0 < sum(kept) <= 2.5 * first.bytes
