from __future__ import annotations

import threading
from pathlib import Path

import pytest
from builders.answering_lane import WORDS, AnsweringLane, Record
from builders.stages import picture_shown
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

WAIT = 30_000
TEXT = "".join(WORDS)

# The offscreen platform says so of every window that has a smallest size.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
def build(gated, record, tmp_path):
    """Build the ensemble of labels, and a VLM and a VLG that know their answers."""
    for slot in ("vlm", "vlg"):
        (tmp_path / "models" / slot).mkdir(parents=True)
    ready = threading.Event()
    ready.set()
    ensemble = gated(ready)

    def build(system, settings):
        if system == "ensemble":
            return ensemble(system, settings)
        return AnsweringLane(system, settings, record)

    return build


def opened(qtbot, station, lot: Path):
    station.controller.open_lot(lot)
    qtbot.waitUntil(lambda: station.controller.lot is not None, timeout=WAIT)
    return station


def started(qtbot, station):
    with qtbot.waitSignal(station.controller.runner.ended, timeout=WAIT):
        station.controller.start()
    qtbot.waitUntil(lambda: not station.controller.writer._pool.busy, timeout=WAIT)


def results(station):
    controller = station.controller
    return [controller.writer._store.load_battery(name) for name in controller.rows]


def systems(station, *chosen: str) -> None:
    station.window.menus.systems_chosen.emit(chosen)


def test_three_systems_fill_every_field_and_both_docks(qtbot, stations, lot, build):
    station = opened(qtbot, stations(build), lot)
    started(qtbot, station)
    for result in results(station):
        assert result.systems == dict.fromkeys(("ensemble", "vlm", "vlg"), "done")
        assert result.chosen["vlm"] == result.chosen["vlg"]
        assert result.chosen["vlm"].method == "worst_and_even"
        assert [i.image for i in result.vlm.images] == [i.image for i in result.vlg.images]
    window = station.window
    assert window.status.chips["vlm"].text.startswith("VLM: ready")
    assert window.panels["vlm"].chip.text == "Defect"
    assert window.panels["vlm"].words.text() == TEXT
    assert "Confidence 0.90" in window.panels["vlm"].facts.text()
    said = {system: chip.text for system, (_, chip) in window.panels["verdict"]._systems.items()}
    assert said["ensemble"] in ("Normal", "Defect", "Review")
    assert (said["vlm"], said["vlg"]) == ("Defect", "Defect")
    qtbot.waitUntil(lambda: picture_shown(window.panels["vlm"].stage), timeout=WAIT)
    assert len(window.panels["vlm"].stage._boxes) == 2


def test_words_arrive_in_order_while_they_are_written(qtbot, stations, lot, build, record):
    record.gate = threading.Event()
    station = opened(qtbot, stations(build), lot)
    window, runner = station.window, station.controller.runner
    heard = []
    runner.live_changed.connect(_hearing(heard))
    station.controller.choose(sorted(station.controller.rows)[0])
    station.controller.start()
    qtbot.waitUntil(lambda: window.panels["vlm"].chip.text == "Looking ...", timeout=WAIT)
    assert window.panels["vlm"].current.answer is None
    qtbot.waitUntil(lambda: picture_shown(window.panels["vlm"].stage), timeout=WAIT)
    with qtbot.waitSignal(runner.ended, timeout=WAIT):
        record.gate.set()
    texts = [live.text for live in heard if live is not None and live.text]
    assert texts
    assert all(TEXT.startswith(text) for text in texts)
    # Of every answer the last words were shown, before the answer itself.
    assert texts.count(TEXT) == 6 * 4
    counts = [len(live.answered) for live in heard if live is not None]
    assert max(counts) == 4
    assert heard[-1] is None


def _hearing(heard: list):
    def hear(system: str, live) -> None:
        if system == "vlm":
            heard.append(live)

    return hear


def test_cancelling_in_the_midst_of_an_answer_leaves_the_battery_for_later(
    qtbot, stations, lot, build, record
):
    record.gate = threading.Event()
    station = opened(qtbot, stations(build), lot)
    runner = station.controller.runner
    station.controller.start()
    qtbot.waitUntil(lambda: bool(runner.status.live.get("vlm")), timeout=WAIT)
    with qtbot.waitSignal(runner.ended, timeout=WAIT):
        runner.cancel()
    assert not runner.status.live
    assert station.window.panels["vlm"].missing.isVisibleTo(station.window.panels["vlm"])
    assert all("running" not in r.systems.values() for r in station.controller.rows.values())
    assert station.window.panels["vlm"].missing.chip.text == "Cancelled"
    record.gate.set()
    started(qtbot, station)
    assert all(result.vlm is not None for result in results(station))


def test_a_lane_that_fails_leaves_the_others_whole_and_is_loaded_again(
    qtbot, stations, lot, build, record
):
    station = opened(qtbot, stations(build), lot)
    record.fails = tuple(station.controller.rows)
    started(qtbot, station)
    for result in results(station):
        assert result.systems["ensemble"] == "done"
        assert result.systems["vlm"] == "failed"
        assert "driver" in result.system_messages["vlm"].text("en")
        assert result.verdict.kind != "not_inspected"
    assert ("close", "vlm") in record.calls
    record.fails = ()
    started(qtbot, station)
    assert record.calls.count(("load", "vlm")) == 2
    assert all(result.systems["vlm"] == "done" for result in results(station))


def test_a_window_closed_while_a_vlm_writes_closes_its_lanes(qtbot, stations, lot, build, record):
    record.gate = threading.Event()
    station = opened(qtbot, stations(build), lot)
    station.controller.start()
    qtbot.waitUntil(lambda: bool(station.controller.runner.status.live.get("vlm")), timeout=WAIT)
    stations.close(station)
    assert record.calls.count(("close", "vlm")) == record.calls.count(("load", "vlm")) == 1


def test_models_are_loaded_once_over_two_runs_until_they_are_unloaded(
    qtbot, stations, lot, build, record
):
    station = opened(qtbot, stations(build), lot)
    started(qtbot, station)
    with qtbot.waitSignal(station.controller.runner.ended, timeout=WAIT):
        station.controller.inspect_again(station.controller.current_id)
    assert record.calls.count(("load", "vlm")) == 1
    assert ("close", "vlm") not in record.calls
    station.window.actions_["unload"].trigger()
    chips = station.window.status.chips
    qtbot.waitUntil(lambda: chips["vlm"].text == "VLM: idle", timeout=WAIT)
    assert record.calls.count(("close", "vlm")) == 1
    with qtbot.waitSignal(station.controller.runner.ended, timeout=WAIT):
        station.controller.inspect_again(station.controller.current_id)
    assert record.calls.count(("load", "vlm")) == 2


def test_another_device_loads_the_models_anew(qtbot, stations, lot, build, record):
    station = opened(qtbot, stations(build), lot)
    started(qtbot, station)
    settings = station.controller.settings
    station.controller.change(settings.model_copy(update={"device": "cpu"}))
    with qtbot.waitSignal(station.controller.runner.ended, timeout=WAIT):
        station.controller.inspect_again(station.controller.current_id)
    assert [what for what, system in record.calls if system == "vlg" and what in ("load", "close")]
    assert record.calls.count(("load", "vlg")) == 2
    assert record.calls.count(("close", "vlg")) == 1


def test_systems_switched_on_later_fill_in_and_no_other_is_asked_again(
    qtbot, stations, lot, build, record
):
    first = opened(qtbot, stations(build), lot)
    systems(first, "ensemble", "vlm")
    started(qtbot, first)
    before = {result.battery_id: result for result in results(first)}
    folder = first.controller.writer.folder
    stations.close(first)
    record.calls.clear()

    again = stations(build)
    again.controller.open_session(folder)
    qtbot.waitUntil(lambda: bool(again.controller.rows), timeout=WAIT)
    systems(again, "ensemble", "vlm", "vlg")
    started(qtbot, again)
    asked = {system for _, system in record.calls}
    assert asked == {"vlg"}
    for result in results(again):
        earlier = before[result.battery_id]
        assert (result.vlm, result.verdict) == (earlier.vlm, earlier.verdict)
        assert result.images == earlier.images
        assert result.chosen["vlg"] == earlier.chosen["vlm"]
    slots = [model.slot for model in again.controller.writer.record.models]
    assert sorted(slots) == ["ct_cnn", "vlg", "vlm"]
    with qtbot.waitSignal(again.controller.nothing_left, timeout=WAIT):
        again.controller.start()


def test_a_battery_inspected_again_keeps_the_word_of_a_system_switched_off(
    qtbot, stations, lot, build, record
):
    station = opened(qtbot, stations(build), lot)
    started(qtbot, station)
    systems(station, "ensemble")
    battery_id = station.controller.current_id
    with qtbot.waitSignal(station.controller.runner.ended, timeout=WAIT):
        station.controller.inspect_again(battery_id)
    qtbot.waitUntil(lambda: not station.controller.writer._pool.busy, timeout=WAIT)
    assert station.controller.writer._store.load_battery(battery_id).vlm is not None


def test_a_run_that_only_fills_in_can_be_cancelled_without_losing_what_was_done(
    qtbot, stations, lot, build, record
):
    station = opened(qtbot, stations(build), lot)
    systems(station, "ensemble")
    started(qtbot, station)
    record.gate = threading.Event()
    systems(station, "ensemble", "vlm")
    runner = station.controller.runner
    station.controller.start()
    qtbot.waitUntil(lambda: bool(runner.status.live.get("vlm")), timeout=WAIT)
    with qtbot.waitSignal(runner.ended, timeout=WAIT):
        runner.cancel()
    rows = station.controller.rows.values()
    assert all(row.state == "done" and row.kind is not None for row in rows)


def test_what_only_a_system_switched_off_had_left_is_done(qtbot, stations, lot, build, record):
    record.gate = threading.Event()
    first = opened(qtbot, stations(build), lot)
    first.controller.start()
    rows = first.controller.rows
    qtbot.waitUntil(
        lambda: all(row.systems.get("vlg") == "done" for row in rows.values()), timeout=WAIT
    )
    folder = first.controller.writer.folder
    stations.close(first)
    again = stations(build)
    again.controller.open_session(folder)
    qtbot.waitUntil(lambda: bool(again.controller.rows), timeout=WAIT)
    systems(again, "ensemble", "vlg")
    record.calls.clear()
    started(qtbot, again)
    assert not record.calls
    assert {row.state for row in again.controller.writer.record.batteries} == {"done"}


def test_a_session_goes_on_under_the_policy_it_was_begun_with(qtbot, stations, lot, build):
    station = opened(qtbot, stations(build), lot)
    policy = station.controller.policy
    fewer = policy.inspector.sampling.model_copy(update={"images_per_battery": 2})
    changed = policy.inspector.model_copy(update={"sampling": fewer})
    station.controller.policy = type(policy)(changed, policy.path)
    systems(station, "ensemble")
    started(qtbot, station)
    station.controller.policy = policy
    systems(station, "ensemble", "vlm")
    started(qtbot, station)
    assert {len(result.vlm.images) for result in results(station)} == {2}


def test_both_docks_step_together_with_the_keyboard(qtbot, stations, lot, build):
    station = opened(qtbot, stations(build), lot)
    started(qtbot, station)
    window = station.window
    first = window.panels["vlm"].current.shown.name
    window.panels["vlm"].step(-3)
    window.activateWindow()
    window.panels["lot"].table.setFocus()
    QTest.keyClick(window, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert window.panels["vlm"].position.text() == "2 / 4"
    assert window.panels["vlg"].current.shown == window.panels["vlm"].current.shown
    station.controller.choose(sorted(station.controller.rows)[-1])
    assert window.panels["vlm"].current.shown.name != first


def test_a_picture_that_comes_late_never_stands_beside_another_image_s_answer(
    qtbot, stations, lot, build
):
    station = opened(qtbot, stations(build), lot)
    started(qtbot, station)
    vlm = station.window.panels["vlm"]
    qtbot.waitUntil(lambda: picture_shown(vlm.stage), timeout=WAIT)
    vlm.step(1)
    vlm.step(-1)
    vlm.step(3)
    vlm.step(-1)
    qtbot.waitUntil(
        lambda: not station.controller.files.busy and vlm._picture.shown == vlm.current.shown,
        timeout=WAIT,
    )
    assert vlm._asked is None


def test_the_next_image_is_read_from_its_top(qtbot, stations, lot, build):
    station = opened(qtbot, stations(build), lot)
    started(qtbot, station)
    vlg = station.window.panels["vlg"]
    station.window.workbench.docks["vlg"].raise_()
    bar = vlg.area.verticalScrollBar()
    vlg.area.widget().setMinimumHeight(2000)
    qtbot.waitUntil(lambda: bar.maximum() > 0, timeout=WAIT)
    bar.setValue(bar.maximum())
    vlg.retranslate()
    assert bar.value() == bar.maximum()
    vlg.step(1 if vlg.on.isEnabled() else -1)
    assert bar.value() == 0


def test_a_chosen_box_is_brought_out_on_the_picture(qtbot, stations, lot, build):
    station = opened(qtbot, stations(build), lot)
    started(qtbot, station)
    window = station.window
    window.workbench.docks["vlg"].raise_()
    vlg = window.panels["vlg"]
    qtbot.waitUntil(lambda: picture_shown(vlg.stage), timeout=WAIT)
    assert vlg.chip.text == "Boxes: 2"
    assert [vlg.list.topLevelItem(n).text(2) for n in range(2)] == ["0.80", "0.40"]
    # What else a spot may be stands beside its name.
    assert [vlg.list.topLevelItem(n).text(0) for n in range(2)] == [
        "Pollution, or Damaged 0.31",
        "Damaged",
    ]
    vlg.list.setFocus()
    QTest.keyClick(vlg.list, Qt.Key.Key_Down)
    QTest.keyClick(vlg.list, Qt.Key.Key_Down)
    chosen = vlg.list.chosen
    frames = vlg.stage._boxes
    assert chosen is not None
    assert [frame.opacity() == 1.0 for frame in frames] == [n == chosen for n in range(2)]


def test_an_answer_that_could_not_be_read_is_shown_as_it_was_written(
    qtbot, stations, lot, build, record
):
    record.form = "unread"
    station = opened(qtbot, stations(build), lot)
    started(qtbot, station)
    vlm = station.window.panels["vlm"]
    assert vlm.chip.text == "Review"
    assert vlm.words.text() == TEXT
    assert "review" in vlm.remark.text()
    station.window.actions_.languages["ko"].trigger()
    qtbot.waitUntil(lambda: vlm.chip.text == "검토 필요", timeout=WAIT)
    assert "검토 필요" in vlm.remark.text()


def test_without_the_ensemble_the_docks_say_how_images_were_chosen(qtbot, stations, lot, build):
    station = opened(qtbot, stations(build), lot)
    systems(station, "vlm")
    started(qtbot, station)
    assert "ensemble" in station.window.panels["vlm"].notes.text()


def test_libraries_that_cannot_be_imported_early_keep_nothing_from_working(
    qtbot, stations, lot, build, monkeypatch
):
    def broken() -> None:
        raise OSError("a library is missing")

    monkeypatch.setattr("inspection.systems.ensemble.detectors.import_detectors", broken)
    station = opened(qtbot, stations(build), lot)
    station.controller.runner.warm_up()
    started(qtbot, station)
    assert {result.systems["ensemble"] for result in results(station)} == {"done"}
