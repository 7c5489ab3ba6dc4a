"""Going on with a session in the window: which one, with what, and over which images."""

from __future__ import annotations

import json
import os
import shutil
import threading
from datetime import datetime
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QLabel, QMessageBox, QPushButton

from app.people.decisions import Word
from inspection.session.creating import create_session
from inspection.session.record import Decision
from inspection.session.store import SessionStore

WAIT = 30_000

# The offscreen platform says so of every window that has a smallest size.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture
def own_lot(lot, tmp_path):
    """A copy of the lot, so that a test can take it away."""
    return Path(shutil.copytree(lot, tmp_path / "share" / "lot"))


def opened(qtbot, station, lot):
    with qtbot.waitSignal(station.controller.sessions_listed, timeout=WAIT):
        station.controller.open_lot(lot)
        qtbot.waitUntil(lambda: station.controller.lot is not None, timeout=WAIT)
    return station


def at_rest(qtbot, station):
    qtbot.waitUntil(lambda: not station.controller.writer._pool.busy, timeout=WAIT)
    qtbot.waitUntil(lambda: not station.controller.files.busy, timeout=WAIT)


def started(qtbot, station):
    with qtbot.waitSignal(station.controller.runner.ended, timeout=WAIT):
        station.window.actions_["start"].trigger()
    at_rest(qtbot, station)


def banner_text(station) -> str:
    return " ".join(part.text() for part in station.window.banner.findChildren(QLabel))


def broken_off(qtbot, stations, gated, lot) -> Path:
    """Leave a session of which the first battery is done, and return its folder."""
    gate = threading.Event()
    gate.set()
    station = opened(qtbot, stations(gated(gate)), lot)

    def stop(result):
        if result.state == "done":
            gate.clear()
            station.controller.runner.cancel()

    station.controller.runner.battery_changed.connect(stop)
    started(qtbot, station)
    folder = station.controller.writer.folder
    stations.close(station)
    return folder


def test_start_under_the_offer_of_an_unfinished_session_goes_on_with_it(
    qtbot, stations, gated, lot
):
    folder = broken_off(qtbot, stations, gated, lot)
    again = opened(qtbot, stations(), lot)
    assert again.window.banner.topic == "resume"
    started(qtbot, again)
    assert again.controller.writer.folder == folder
    assert list(stations.sessions.iterdir()) == [folder]
    assert again.controller.writer.record.status == "completed"


def test_a_word_under_the_offer_of_a_session_replaces_nothing_that_was_not_on_the_screen(
    qtbot, stations, gated, lot
):
    folder = broken_off(qtbot, stations, gated, lot)
    with SessionStore.open(folder) as store:
        judged = store.record.batteries[0]
        colleague = Decision(
            action="decide",
            kind="external_defect",
            operator="Lee",
            decided_at=datetime.now().astimezone(),
        )
        store.decide(judged.battery_id, colleague)
    again = opened(qtbot, stations(), lot)
    again.controller.choose(judged.battery_id)
    with qtbot.waitSignal(again.controller.failed, timeout=WAIT) as told:
        again.controller.decisions.take(judged.battery_id, Word("normal"))
    assert told.args[0].message.code == "decision_overtaken"
    assert again.controller.rows[judged.battery_id].decision.operator == "Lee"
    # Of this one the session says no more than the screen did.
    left = next(row for row in again.controller.rows.values() if row.kind is None)
    again.controller.decisions.take(left.battery_id, Word("normal"))
    qtbot.waitUntil(
        lambda: again.controller.rows[left.battery_id].decision is not None, timeout=WAIT
    )
    at_rest(qtbot, again)
    assert list(stations.sessions.iterdir()) == [folder]


def test_an_empty_session_does_not_hide_the_one_with_the_work(qtbot, stations, gated, lot):
    folder = broken_off(qtbot, stations, gated, lot)
    from inspection.lot.scan import scan_lot

    create_session(
        stations.sessions, lot=scan_lot(lot), language="en", config={}, device="cpu"
    ).close()
    again = stations()
    with qtbot.waitSignal(again.controller.offered.found, timeout=WAIT) as found:
        again.controller.open_lot(lot)
    assert found.args[0].folder == folder
    assert found.args[1]


def test_a_new_session_is_made_where_that_is_the_answer(qtbot, stations, gated, lot):
    folder = broken_off(qtbot, stations, gated, lot)
    again = opened(qtbot, stations(), lot)
    with qtbot.waitSignal(again.controller.runner.ended, timeout=WAIT):
        again.window.banner.answers[1].click()
    at_rest(qtbot, again)
    assert again.controller.writer.folder != folder


def test_a_lot_that_goes_away_is_waited_for_and_the_run_goes_on(qtbot, stations, gated, own_lot):
    gate = threading.Event()
    station = opened(qtbot, stations(gated(gate)), own_lot)
    away, runner = own_lot.with_name("away"), station.controller.runner
    with qtbot.waitSignal(runner.lot_away, timeout=WAIT):
        station.controller.start()
        qtbot.waitUntil(lambda: runner.status.lanes["ensemble"].phase == "running", timeout=WAIT)
        own_lot.rename(away)
        gate.set()
    assert str(own_lot) in banner_text(station)
    with qtbot.waitSignal(runner.ended, timeout=WAIT):
        away.rename(own_lot)
    at_rest(qtbot, station)
    assert {row.state for row in station.controller.writer.record.batteries} == {"done"}
    assert station.window.banner.topic != "lot_away"


def test_a_failed_battery_has_its_own_try_again(qtbot, stations, own_lot):
    images = {p: p.read_bytes() for p in own_lot.rglob("*.[jp][pn]g") if "001_" in p.name}
    for path in images:
        path.write_bytes(b"")
    station = opened(qtbot, stations(), own_lot)
    started(qtbot, station)
    station.controller.choose("001")
    button = next(
        b for b in station.window.panels["verdict"].findChildren(QPushButton)
        if b.text() == "Try again"
    )  # fmt: skip
    assert station.controller.rows["001"].state == "failed"
    assert button.isVisibleTo(station.window.panels["verdict"])
    for path, content in images.items():
        path.write_bytes(content)
    with qtbot.waitSignal(station.controller.runner.ended, timeout=WAIT):
        button.click()
    at_rest(qtbot, station)
    assert station.controller.rows["001"].state == "done"
    assert not button.isVisibleTo(station.window.panels["verdict"])


def test_images_that_changed_since_are_told_when_the_session_is_opened(qtbot, stations, own_lot):
    station = opened(qtbot, stations(), own_lot)
    started(qtbot, station)
    folder = station.controller.writer.folder
    stations.close(station)
    image = next(own_lot.rglob("*.jpg"))
    os.utime(image, ns=(1, 1))
    again = stations()
    with qtbot.waitSignal(again.controller.noticed, timeout=WAIT) as noticed:
        again.controller.open_session(folder)
    assert [message.code for message in noticed.args[0]] == ["images_changed"]
    assert image.name in banner_text(again)


def test_other_models_are_asked_about_before_they_judge_the_rest(
    qtbot, stations, gated, lot, tmp_path
):
    folder = broken_off(qtbot, stations, gated, lot)
    model = tmp_path / "models" / "ct_cnn"
    model.mkdir(parents=True)
    (model / "bundle.json").write_text(json.dumps({"sha256": "2" * 64}), encoding="utf-8")
    again = opened(qtbot, stations(), lot)
    with qtbot.waitSignal(again.controller.other_judges.asked, timeout=WAIT):
        again.window.actions_["start"].trigger()
    question: QObject | None = again.window.findChild(QMessageBox, "confirm_other_judges")
    assert isinstance(question, QMessageBox)
    assert "ct_cnn" in question.text()
    assert again.controller.runner.phase == "idle"
    yes = next(b for b in question.buttons() if b.text() == "Go on")
    with qtbot.waitSignal(again.controller.runner.ended, timeout=WAIT):
        yes.click()
    at_rest(qtbot, again)
    assert again.controller.writer.folder == folder
    assert again.controller.writer.record.status == "completed"
