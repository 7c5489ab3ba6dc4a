from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from builders.stages import heat_visible, picture_shown
from builders.windows import WAIT, press, reviewed
from PySide6.QtCore import QMimeData, QModelIndex, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

import inspection.seals.chain
from app.dialogs.crash import CrashDialog
from app.dialogs.operator import OperatorDialog
from app.dialogs.report import ReportDialog
from app.people.decisions import Word
from app.settings import SettingsFile
from app.tables.battery_table import Column
from app.tones import image_tone
from inspection.run.lanes import build_lane
from inspection.seals.chain import scan_chain
from inspection.session.audit import audit_entries
from inspection.session.store import SessionStore

ROOT = Path(inspection.__file__).parent.parent
# The offscreen platform says so of every window that has a smallest size.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


def opened(qtbot, station, lot: Path):
    station.controller.open_lot(lot)
    qtbot.waitUntil(lambda: station.controller.lot is not None, timeout=WAIT)
    return station


def inspected(qtbot, station, lot: Path):
    opened(qtbot, station, lot)
    with qtbot.waitSignal(station.controller.runner.ended, timeout=WAIT):
        station.controller.start()
    qtbot.waitUntil(lambda: not station.controller.writer._pool.busy, timeout=WAIT)
    return station


def test_opening_a_lot_lists_every_battery_and_shows_the_first(qtbot, stations, lot):
    station = opened(qtbot, stations(), lot)
    window = station.window
    assert window.panels["lot"].proxy.rowCount() == 6
    assert window.pages.currentWidget() is window.workbench
    qtbot.waitUntil(lambda: picture_shown(window.panels["ct"].stage), timeout=WAIT)
    qtbot.waitUntil(lambda: picture_shown(window.panels["rgb"].stage), timeout=WAIT)


def test_the_current_battery_is_selected_also_where_the_list_had_made_it_current(
    qtbot, stations, lot
):
    station = opened(qtbot, stations(), lot)
    panel = station.window.panels["lot"]
    selection = panel.table.selectionModel()
    selection.clearSelection()
    assert selection.currentIndex().row() == 0
    station.controller.current_changed.emit(station.controller.current_view())
    assert selection.isRowSelected(0, QModelIndex())


def test_an_inspection_gives_every_battery_a_verdict_on_screen(qtbot, stations, lot):
    station = inspected(qtbot, stations(), lot)
    rows = station.controller.rows.values()
    assert all(row.kind not in (None, "not_inspected") for row in rows)
    assert any(row.suspicious for row in rows)
    view = station.controller.current_view()
    assert (
        station.window.panels["ct"].current.ref.path.name == Path(view.result.worst_slices[0]).name
    )
    table = station.window.panels["lot"].proxy
    shown = {table.index(n, Column.VERDICT).data() for n in range(table.rowCount())}
    assert "–" not in shown


def test_the_ct_autoencoder_is_shown_where_it_was_asked_and_nowhere_else(
    qtbot, stations, judged_session, tmp_path
):
    folder = Path(shutil.copytree(judged_session, tmp_path / "asked"))
    with SessionStore.open(folder) as store:
        asked, other = (row.battery_id for row in store.record.batteries[:2])
        result = store.load_battery(asked)
        score = {"ct_ae_score": 0.5, "ct_ae_threshold": 0.25}
        images = [i.model_copy(update=score if i.modality == "ct" else {}) for i in result.images]
        verdict = result.verdict.model_copy(update={"ct_ae_score": 0.75})
        store.save_battery(result.model_copy(update={"images": images, "verdict": verdict}))
    station = reviewed(qtbot, stations(), folder)
    panels = station.window.panels

    def shown():
        bars = (*panels["verdict"]._scores.bars, *panels["ct"]._probabilities.bars)
        return [(bar.value, bar.tone) for bar in bars if bar.name == "CT autoencoder"]

    quiet = next(i for i in images if i.modality == "ct" and not i.is_anomaly)
    assert image_tone(quiet) == "review"
    assert image_tone(quiet.model_copy(update={"ct_ae_score": 0.1})) == "success"
    station.controller.choose(asked)
    qtbot.waitUntil(lambda: shown() == [(0.75, "review")] * 2)
    station.controller.choose(other)
    qtbot.waitUntil(lambda: shown() == [])


def test_keys_step_through_the_batteries(qtbot, stations, lot):
    station = opened(qtbot, stations(), lot)
    ids = sorted(station.controller.rows)
    press(station, Qt.Key.Key_Down)
    press(station, Qt.Key.Key_J)
    assert station.controller.current_id == ids[2]
    press(station, Qt.Key.Key_Up)
    assert station.controller.current_id == ids[1]
    before = station.window.panels["ct"].current
    press(station, Qt.Key.Key_Right)
    assert station.window.panels["ct"].current.ref.number == before.ref.number + 1
    press(station, Qt.Key.Key_X)
    assert station.window.panels["ct"].current.ref.axis != before.ref.axis


def test_next_suspicious_skips_normal_batteries(qtbot, stations, judged_session):
    station = reviewed(qtbot, stations(), judged_session)
    suspicious = {row.battery_id for row in station.controller.rows.values() if row.suspicious}
    seen = set()
    for _ in range(len(suspicious)):
        press(station, Qt.Key.Key_N)
        seen.add(station.controller.current_id)
    assert seen == suspicious


def test_a_decision_is_on_the_disk_and_there_after_reopening(qtbot, stations, judged_session):
    first = reviewed(qtbot, stations(), judged_session)
    battery_id = first.controller.current_id
    press(first, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: first.controller.rows[battery_id].decision is not None)
    folder = first.controller.writer.folder
    kind = first.controller.rows[battery_id].kind
    stations.close(first)
    (entry,) = audit_entries(scan_chain(folder / "audit.jsonl").lines)
    assert (entry.battery_id, entry.decision.action) == (battery_id, "accept")
    assert entry.decision.operator == "Kim"

    second = stations()
    second.controller.open_session(folder)
    qtbot.waitUntil(lambda: bool(second.controller.rows), timeout=WAIT)
    row = second.controller.rows[battery_id]
    assert (row.kind, row.decision.kind, row.decision.operator) == (kind, kind, "Kim")
    second.controller.choose(battery_id)
    qtbot.waitUntil(
        lambda: (
            second.controller.current_view().result is not None
            and picture_shown(second.window.panels["ct"].stage)
        ),
        timeout=WAIT,
    )
    assert second.controller.current_view().result.images


def test_the_first_decision_asks_for_the_operator_and_then_goes_through(
    qtbot, stations, judged_session
):
    station = reviewed(qtbot, stations(operator=""), judged_session)
    battery_id = station.controller.current_id
    press(station, Qt.Key.Key_A)
    assert station.controller.rows[battery_id].decision is None
    dialog = station.window.findChild(OperatorDialog)
    assert not dialog.confirm.isEnabled()
    dialog.name.setText("박영희")
    dialog.confirm.click()
    qtbot.waitUntil(lambda: station.controller.rows[battery_id].decision is not None)
    assert station.controller.rows[battery_id].decision.operator == "박영희"
    assert station.window.status.operator.text() == "박영희"


def test_inspecting_again_keeps_the_decision(qtbot, stations, judged_session):
    station = reviewed(qtbot, stations(), judged_session)
    battery_id = station.controller.current_id
    kind = "normal" if station.controller.rows[battery_id].suspicious else "internal_defect"
    station.controller.decisions.take(battery_id, Word(kind, reason="looked at"))
    qtbot.waitUntil(lambda: station.controller.rows[battery_id].decision is not None)
    with qtbot.waitSignal(station.controller.runner.ended, timeout=WAIT):
        station.controller.inspect_again(battery_id)
    qtbot.waitUntil(lambda: not station.controller.writer._pool.busy, timeout=WAIT)
    saved = {r.battery_id: r.decision for r in station.controller.writer.record.batteries}
    assert saved[battery_id].reason == "looked at"
    assert station.controller.rows[battery_id].decision.kind == kind


def test_the_language_changes_while_running(qtbot, stations, lot):
    station = opened(qtbot, stations(), lot)
    window = station.window
    assert window.workbench.docks["verdict"].windowTitle() == "Verdict"
    window.actions_.languages["ko"].trigger()
    qtbot.waitUntil(lambda: window.workbench.docks["verdict"].windowTitle() == "판정")
    assert window.actions_["open_lot"].text() == "로트 열기..."
    assert window.panels["lot"].filter.itemText(0) == "전체 배터리"
    assert "앙상블" in window.status.chips["ensemble"].text
    header = window.panels["lot"].proxy.headerData(Column.VERDICT, Qt.Orientation.Horizontal)
    assert header == "판정"
    window.actions_.languages["en"].trigger()
    qtbot.waitUntil(lambda: window.actions_["open_lot"].text() == "Open lot ...")
    assert SettingsFile(stations.settings_path).load().language == "en"


def test_closing_while_running_asks_then_stops_and_the_rest_is_offered(qtbot, stations, lot, gated):
    gate = threading.Event()
    station = stations(gated(gate))
    opened(qtbot, station, lot)
    station.controller.start()
    qtbot.waitUntil(
        lambda: station.controller.runner.status.lanes["ensemble"].phase == "running", timeout=WAIT
    )
    station.window.close()
    assert station.window.isVisible()
    folder = station.controller.writer.folder
    stations.close(station)
    record = json.loads((folder / "session.json").read_text(encoding="utf-8"))
    assert record["status"] == "cancelled"

    again = stations()
    with qtbot.waitSignal(again.controller.offered.found, timeout=WAIT):
        again.controller.open_lot(lot)
    assert again.window.banner.isVisible()
    with qtbot.waitSignal(again.controller.runner.ended, timeout=WAIT):
        again.window.banner.answers[0].click()
    assert again.controller.writer.folder == folder
    assert all(row.state == "done" for row in again.controller.rows.values())


def test_a_session_open_in_another_window_says_why_nothing_can_be_decided(
    qtbot, stations, judged_session
):
    first = reviewed(qtbot, stations(), judged_session)
    folder = first.controller.writer.folder
    second = stations()
    with qtbot.waitSignal(second.controller.lot_changed, timeout=WAIT):
        second.controller.open_session(folder)
    assert not second.window.actions_["override"].isEnabled()
    words = [part.text() for part in second.window.banner.findChildren(QLabel)]
    assert any("is being written by" in text for text in words)
    first.controller.writer.close()
    qtbot.waitUntil(lambda: second.window.banner.topic == "free", timeout=WAIT)
    with qtbot.waitSignal(second.controller.lot_changed, timeout=WAIT):
        second.window.banner.answers[0].click()
    qtbot.waitUntil(lambda: second.window.actions_["override"].isEnabled(), timeout=WAIT)
    assert not second.window.banner.isVisible()


def test_cancelling_leaves_the_rest_for_later(qtbot, stations, lot, gated):
    gate = threading.Event()
    station = stations(gated(gate))
    opened(qtbot, station, lot)
    station.controller.start()
    runner = station.controller.runner
    qtbot.waitUntil(lambda: runner.status.lanes["ensemble"].phase == "running", timeout=WAIT)
    with qtbot.waitSignal(runner.ended, timeout=WAIT):
        station.window.actions_["cancel"].trigger()
    assert all(row.kind is None for row in station.controller.rows.values())
    gate.set()
    with qtbot.waitSignal(runner.ended, timeout=WAIT):
        station.controller.start()
    assert all(row.state == "done" for row in station.controller.rows.values())


def test_a_failed_system_is_not_inspected_and_says_why(qtbot, stations, lot, broken):
    station = inspected(qtbot, stations(broken), lot)
    rows = station.controller.rows.values()
    assert {row.kind for row in rows} == {"not_inspected"}
    result = station.controller.current_view().result
    assert "out of memory" in result.system_messages["ensemble"].text("en")
    assert station.controller.writer.record.status == "failed"


def test_a_system_that_cannot_even_be_built_leaves_nothing_unanswered(qtbot, stations, lot):
    def build(system, settings):
        raise ImportError("libGL.so.1: cannot open shared object file")

    station = inspected(qtbot, stations(build), lot)
    assert {row.kind for row in station.controller.rows.values()} == {"not_inspected"}
    record = station.controller.writer.record
    assert record.status == "failed"
    assert any("libGL" in reason for reason in record.batteries[0].reasons)


def test_a_start_pressed_twice_is_one_session_and_one_run(qtbot, stations, lot):
    station = opened(qtbot, stations(), lot)
    with qtbot.waitSignal(station.controller.runner.ended, timeout=WAIT):
        station.controller.start()
        station.controller.start()
    qtbot.waitUntil(lambda: not station.controller.writer._pool.busy, timeout=WAIT)
    assert len(list(stations.sessions.iterdir())) == 1
    assert station.controller.writer.record.status == "completed"


def test_one_battery_inspected_does_not_complete_the_session(qtbot, stations, lot):
    station = opened(qtbot, stations(), lot)
    controller = station.controller
    with qtbot.waitSignal(controller.runner.ended, timeout=WAIT):
        controller.inspect_again(controller.current_id)
    qtbot.waitUntil(lambda: not controller.writer._pool.busy, timeout=WAIT)
    assert controller.writer.record.status == "failed"
    assert "5" in controller.writer.record.error_message


def test_a_lot_opened_and_a_start_at_once_do_not_mix(qtbot, stations, lot, tmp_path):
    controller = opened(qtbot, stations(), lot).controller
    other = tmp_path / "other"
    shutil.copytree(lot, other)
    controller.open_lot(other)
    controller.start()

    def at_rest():
        busy = controller.files.busy or controller.writer._pool.busy
        return not busy and controller.runner.phase == "idle"

    qtbot.waitUntil(at_rest, timeout=WAIT)
    shown = controller.lot.root
    assert all(row.battery.ct[0].path.is_relative_to(shown) for row in controller.rows.values())
    record = controller.writer.record
    assert record is None or Path(record.lot.path) == shown


def test_without_a_system_a_start_says_so(qtbot, stations, lot):
    station = opened(qtbot, stations(), lot)
    station.window.menus.systems_chosen.emit(())
    with qtbot.waitSignal(station.controller.failed, timeout=WAIT) as told:
        station.controller.start()
    assert told.args[0].message.code == "no_system_chosen"
    assert station.controller.runner.phase == "idle"


def test_a_missing_model_is_said_and_the_lot_can_still_be_looked_at(qtbot, stations, lot):
    station = inspected(qtbot, stations(build_lane), lot)
    window = station.window
    assert window.status.chips["vlm"].text == "VLM: not installed"
    assert {row.kind for row in station.controller.rows.values()} == {"not_inspected"}
    assert not station.controller.decisions.may_accept
    qtbot.waitUntil(lambda: picture_shown(window.panels["ct"].stage), timeout=WAIT)


def test_the_overlay_key_and_the_held_key(qtbot, stations, judged_session):
    station = reviewed(qtbot, stations(), judged_session)
    station.controller.choose(
        next(
            r.battery_id
            for r in station.controller.rows.values()
            if r.kind == "internal_defect" or r.kind == "composite_defect"
        )
    )
    stage = station.window.panels["ct"].stage
    qtbot.waitUntil(lambda: heat_visible(stage), timeout=WAIT)
    table = station.window.panels["lot"].table
    station.window.activateWindow()
    table.setFocus()
    qtbot.waitUntil(table.hasFocus)
    QTest.keyPress(table, Qt.Key.Key_Space)
    assert not heat_visible(stage)
    QTest.keyRelease(table, Qt.Key.Key_Space)
    assert heat_visible(stage)
    press(station, Qt.Key.Key_H)
    assert not heat_visible(stage)


def test_a_full_disk_is_said_and_the_decision_is_kept_until_it_can_be_saved(
    qtbot, stations, judged_session, monkeypatch
):
    station = reviewed(qtbot, stations(), judged_session)
    controller = station.controller
    battery_id = controller.current_id

    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(inspection.seals.chain.Chain, "_write", refuse)
    kind = "normal" if controller.rows[battery_id].suspicious else "external_defect"
    controller.decisions.take(battery_id, Word(kind, reason="scratch"))
    qtbot.waitUntil(lambda: controller.rows[battery_id].unsaved, timeout=WAIT)
    assert station.window.banner.isVisible()
    assert controller.writer.unsaved == (battery_id,)
    run = controller.writer.record.run_id
    with qtbot.waitSignal(controller.failed, timeout=WAIT) as told:
        controller.start_over()
    assert told.args[0].message.code == "session_unsaved"
    assert controller.writer.record.run_id == run
    monkeypatch.undo()
    monkeypatch.setenv("STATION_LANGUAGE", "en")
    station.window.banner.answers[0].click()
    qtbot.waitUntil(lambda: not controller.rows[battery_id].unsaved, timeout=WAIT)
    assert controller.rows[battery_id].decision.reason == "scratch"
    assert not station.window.banner.isVisible()


def test_a_folder_that_is_no_lot_is_told_in_a_sentence(qtbot, stations, tmp_path):
    station = stations()
    empty = tmp_path / "빈 폴더"
    empty.mkdir()
    station.controller.open_lot(empty)
    qtbot.waitUntil(lambda: bool(station.window.announcements.toast.text), timeout=WAIT)
    assert station.window.pages.currentWidget() is station.window.start_page


def test_an_unforeseen_error_opens_a_dialog_that_can_be_copied(qtbot, stations):
    station = stations()
    station.window.announcements.tell_error(ZeroDivisionError("a bug"))
    qtbot.waitUntil(lambda: station.window.findChild(CrashDialog) is not None)
    assert "a bug" in station.window.findChild(CrashDialog).trace.toPlainText()


def test_filters_list_what_they_say(qtbot, stations, judged_session):
    station = reviewed(qtbot, stations(), judged_session)
    panel = station.window.panels["lot"]
    rows = station.controller.rows.values()
    panel.filter.setCurrentIndex(panel.filter.findData("suspicious"))
    assert panel.proxy.rowCount() == sum(row.suspicious for row in rows)
    panel.filter.setCurrentIndex(panel.filter.findData("all"))
    panel.search.setText("00")
    assert panel.proxy.rowCount() == sum("00" in row.battery_id for row in rows)


def test_a_report_is_exported_from_the_window(qtbot, stations, judged_session, tmp_path):
    station = reviewed(qtbot, stations(), judged_session)
    station.window.conversations.export()
    dialog = station.window.findChild(ReportDialog)
    for name, box in dialog.formats.items():
        box.setChecked(name in ("csv", "json"))
    dialog.folder.setText("")
    assert not dialog.confirm.isEnabled()
    out = tmp_path / "보고서"
    dialog.folder.setText(str(out))
    dialog.confirm.click()
    toast = station.window.announcements.toast
    qtbot.waitUntil(lambda: str(out) in toast.text, timeout=WAIT)
    assert {"batteries.csv", "summary.csv", "result.json"} <= {f.name for f in out.iterdir()}


def test_a_dropped_folder_is_opened_as_a_lot(qtbot, stations, lot):
    station = stations()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(lot))])
    drop = QDropEvent(
        QPointF(50, 50),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    station.window.dropEvent(drop)
    qtbot.waitUntil(lambda: len(station.controller.rows) == 6, timeout=WAIT)


def test_the_window_can_be_painted_without_the_libraries_of_the_lanes():
    probe = (
        "import sys, app.application\n"
        "sys.exit(' '.join({'numpy', 'cv2', 'torch'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert not found.stderr.strip()
