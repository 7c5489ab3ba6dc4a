"""What a person decides in the window, by real keys: nothing is lost, nothing goes unnoticed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from builders.windows import WAIT, opened_session, press, reviewed
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

import inspection.seals.chain
from app.dialogs.decision import DecisionDialog
from app.dialogs.operator import OperatorDialog
from app.tables.battery_table import Column
from inspection.messages import Message
from inspection.people.person import Person
from inspection.results import DEFECT_KINDS
from inspection.session.store import SessionStore

Key = Qt.Key
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
# The offscreen platform says so of every window that has a smallest size.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


def choose(qtbot, station, wanted) -> str:
    """Make the first battery of a sort current, with the focus in the list."""
    rows = station.controller.rows.values()
    battery_id = next(row.battery_id for row in rows if wanted(row))
    station.controller.choose(battery_id)
    focus(qtbot, station, station.window.panels["lot"].table)
    return battery_id


def focus(qtbot, station, widget) -> None:
    station.window.activateWindow()
    widget.setFocus()
    qtbot.waitUntil(widget.hasFocus)


def is_normal(row) -> bool:
    return row.kind == "normal" and row.decision is None


def is_defect(row) -> bool:
    return row.kind in DEFECT_KINDS and row.decision is None


def decided(qtbot, station, battery_id: str):
    """Wait until a battery is decided, and return the decision."""
    qtbot.waitUntil(lambda: station.controller.rows[battery_id].decision is not None, timeout=WAIT)
    return station.controller.rows[battery_id].decision


def dialog_of(station) -> DecisionDialog | None:
    found = [d for d in station.window.findChildren(DecisionDialog) if d.isVisible()]
    return found[0] if found else None


def answer(dialog: DecisionDialog, key) -> None:
    """Press a key where the dialog has the focus."""
    dialog.activateWindow()
    QApplication.processEvents()
    QTest.keyClick(dialog.focusWidget() or dialog, key)


def settle(qtbot, station) -> None:
    qtbot.waitUntil(lambda: not station.controller.writer._pool.busy, timeout=WAIT)
    QApplication.processEvents()


@pytest.fixture
def open_session(qtbot, judged_session, tmp_path) -> Path:
    """Return a judged session whose last battery was left in review."""
    folder = Path(shutil.copytree(judged_session, tmp_path / "sessions" / judged_session.name))
    with SessionStore.open(folder) as store:
        last = store.record.batteries[-1].battery_id
        result = store.load_battery(last)
        reasons = [Message(code="not_judged_yet")]
        verdict = result.verdict.model_copy(update={"kind": "review", "reasons": reasons})
        store.save_battery(result.model_copy(update={"verdict": verdict}))
    return folder


def test_enter_accepts_and_goes_on_once_the_decision_is_there(qtbot, stations, judged_session):
    station = reviewed(qtbot, stations(), judged_session)
    ids = sorted(station.controller.rows)
    focus(qtbot, station, station.window.panels["lot"].table)
    for place, battery_id in enumerate(ids[:3]):
        assert station.controller.current_id == battery_id
        press(station, Key.Key_Return)
        qtbot.waitUntil(lambda n=place: station.controller.current_id == ids[n + 1], timeout=WAIT)
        assert station.controller.rows[battery_id].decision.action == "accept"


def test_enter_does_not_accept_what_is_decided_but_steps_on(qtbot, stations, judged_session):
    station = reviewed(qtbot, stations(), judged_session)
    ids = sorted(station.controller.rows)
    focus(qtbot, station, station.window.panels["lot"].table)
    press(station, Key.Key_O)
    dialog = dialog_of(station)
    kind = "normal" if station.controller.rows[ids[0]].suspicious else "external_defect"
    dialog.kinds[kind].setChecked(True)
    dialog.reason.setEditText("seen on the part")
    dialog.confirm.click()
    word = decided(qtbot, station, ids[0])
    assert word.action == "override"
    assert not station.window.actions_["accept"].isEnabled()
    press(station, Key.Key_A)
    press(station, Key.Key_Return)
    assert station.controller.current_id == ids[1]
    settle(qtbot, station)
    assert station.controller.writer.record.batteries[0].decision == word
    lines = (station.controller.writer.folder / "audit.jsonl").read_text(encoding="utf-8")
    assert lines.count('"override"') == 1
    assert '"accept"' not in lines


def test_enter_waits_for_the_operator_to_be_named(qtbot, stations, judged_session):
    station = reviewed(qtbot, stations(operator=""), judged_session)
    battery_id = choose(qtbot, station, is_normal)
    press(station, Key.Key_Return)
    assert station.controller.current_id == battery_id
    dialog = station.window.findChild(OperatorDialog)
    dialog.reject()
    assert station.controller.rows[battery_id].decision is None
    focus(qtbot, station, station.window.panels["lot"].table)
    press(station, Key.Key_Return)
    dialog = next(d for d in station.window.findChildren(OperatorDialog) if d.isVisible())
    dialog.name.setText("박영희")
    assert station.controller.current_id == battery_id
    dialog.confirm.click()
    assert decided(qtbot, station, battery_id).operator == "박영희"
    qtbot.waitUntil(lambda: station.controller.current_id != battery_id, timeout=WAIT)


def test_enter_acts_in_the_list_and_the_pictures_and_nowhere_else(qtbot, stations, judged_session):
    station = reviewed(qtbot, stations(), judged_session)
    panels = station.window.panels
    battery_id = choose(qtbot, station, is_normal)
    undo = panels["verdict"]._override
    for elsewhere in (panels["lot"].filter, panels["ct"].opacity, undo):
        focus(qtbot, station, elsewhere)
        press(station, Key.Key_Return)
        QTest.keyClick(elsewhere, Key.Key_Enter)
        settle(qtbot, station)
        assert station.controller.rows[battery_id].decision is None
    focus(qtbot, station, panels["ct"].stage)
    press(station, Key.Key_Return)
    assert decided(qtbot, station, battery_id).action == "accept"


def test_a_battery_in_review_is_decided_and_not_accepted(qtbot, stations, open_session):
    station = opened_session(qtbot, stations(), open_session)
    battery_id = choose(qtbot, station, lambda row: row.kind == "review")
    assert not station.window.actions_["accept"].isEnabled()
    press(station, Key.Key_Return)
    dialog = dialog_of(station)
    assert dialog is not None
    # A second Enter decides nothing: nothing is chosen.
    answer(dialog, Key.Key_Return)
    assert dialog.isVisible()
    assert station.controller.rows[battery_id].decision is None
    answer(dialog, Key.Key_2)
    answer(dialog, Key.Key_Return)
    word = decided(qtbot, station, battery_id)
    assert (word.action, word.kind) == ("decide", "internal_defect")
    assert station.controller.rows[battery_id].final_kind == "internal_defect"


def test_by_keyboard_alone_an_override_is_a_digit_a_reason_and_enter(
    qtbot, stations, judged_session
):
    station = reviewed(qtbot, stations(), judged_session)
    battery_id = choose(qtbot, station, is_defect)
    press(station, Key.Key_O)
    dialog = dialog_of(station)
    assert not dialog.confirm.isEnabled()
    answer(dialog, Key.Key_1)
    assert not dialog.confirm.isEnabled()
    answer(dialog, Key.Key_Down)
    reason = dialog.reason.currentText()
    assert reason == "False alarm: dust, glare or print"
    answer(dialog, Key.Key_Return)
    word = decided(qtbot, station, battery_id)
    assert (word.action, word.kind, word.reason) == ("override", "normal", reason)


def test_an_override_can_name_another_type_of_the_same_kind_and_no_less(
    qtbot, stations, judged_session
):
    station = reviewed(qtbot, stations(), judged_session)
    battery_id = choose(qtbot, station, lambda row: row.kind == "internal_defect")
    row = station.controller.rows[battery_id]
    press(station, Key.Key_O)
    dialog = dialog_of(station)
    dialog.kinds["internal_defect"].setChecked(True)
    dialog.reason.setEditText("Wrong defect type")
    assert dialog.type.currentData() == row.defect_type
    assert not dialog.confirm.isEnabled()
    offered = [dialog.type.itemData(place) for place in range(dialog.type.count())]
    assert "pollution" not in offered
    other = next(name for name in reversed(offered) if name not in (None, row.defect_type))
    dialog.type.setCurrentIndex(dialog.type.findData(other))
    dialog.confirm.click()
    word = decided(qtbot, station, battery_id)
    assert (word.action, word.kind, word.defect_type) == ("override", row.kind, other)


def test_a_reason_is_required_over_another_s_word_and_not_of_spaces(
    qtbot, stations, judged_session
):
    station = reviewed(qtbot, stations(), judged_session)
    battery_id = choose(qtbot, station, is_normal)
    press(station, Key.Key_O)
    dialog = dialog_of(station)
    dialog.kinds["external_defect"].setChecked(True)
    dialog.reason.setEditText("   ")
    assert not dialog.confirm.isEnabled()
    dialog.reason.setEditText("scratch")
    dialog.comment.setPlainText("left edge")
    assert dialog.confirm.isEnabled()
    # A reason that was chosen for another verdict does not stay; one's own words do.
    dialog.kinds["normal"].setChecked(True)
    assert dialog.reason.currentText() == "scratch"
    dialog.kinds["composite_defect"].setChecked(True)
    dialog.confirm.click()
    word = decided(qtbot, station, battery_id)
    assert (word.kind, word.reason, word.comment) == ("composite_defect", "scratch", "left edge")


def test_a_change_shows_what_stood_and_keeps_it(qtbot, stations, judged_session):
    first = reviewed(qtbot, stations(operator="Kim"), judged_session)
    battery_id = choose(qtbot, first, is_normal)
    press(first, Key.Key_A)
    stood = decided(qtbot, first, battery_id)
    folder = first.controller.writer.folder
    first.controller.people.name("Lee")
    press(first, Key.Key_O)
    assert dialog_of(first) is None
    press(first, Key.Key_O, SHIFT)
    dialog = dialog_of(first)
    words = [part.text() for part in dialog.findChildren(QLabel)]
    assert any("Accepted: Normal" in text and "Kim" in text for text in words)
    answer(dialog, Key.Key_1)
    dialog.reason.setEditText("again")
    assert not dialog.confirm.isEnabled()
    answer(dialog, Key.Key_Escape)
    assert first.controller.rows[battery_id].decision == stood
    file = folder / "batteries" / f"{battery_id}.json"
    assert stood.shown == hashlib.sha256(file.read_bytes()).hexdigest()

    press(first, Key.Key_O, SHIFT)
    dialog = dialog_of(first)
    dialog.kinds["external_defect"].setChecked(True)
    dialog.reason.setEditText("seen on the part")
    dialog.confirm.click()
    qtbot.waitUntil(lambda: bool(first.controller.rows[battery_id].earlier), timeout=WAIT)
    row = first.controller.rows[battery_id]
    assert row.earlier == (stood,)
    assert (row.decision.operator, row.decision.kind) == ("Lee", "external_defect")
    assert "Kim" in first.window.panels["verdict"]._earlier.text()
    stations.close(first)
    second = opened_session(qtbot, stations(), folder)
    assert second.controller.rows[battery_id].earlier == (stood,)


def test_undo_goes_back_over_the_batteries_and_restores_what_stood(qtbot, stations, judged_session):
    station = reviewed(qtbot, stations(), judged_session)
    ids = sorted(station.controller.rows)
    focus(qtbot, station, station.window.panels["lot"].table)
    for place in range(3):
        press(station, Key.Key_Return)
        qtbot.waitUntil(lambda n=place: station.controller.current_id == ids[n + 1], timeout=WAIT)
    stood = station.controller.rows[ids[0]].decision
    station.controller.choose(ids[0])
    press(station, Key.Key_O, SHIFT)
    dialog = dialog_of(station)
    dialog.kinds["composite_defect"].setChecked(True)
    dialog.reason.setEditText("on second thoughts")
    dialog.confirm.click()
    qtbot.waitUntil(lambda: bool(station.controller.rows[ids[0]].earlier), timeout=WAIT)
    station.controller.choose(ids[5])
    for expected in (ids[0], ids[2], ids[1], ids[0]):
        press(station, Key.Key_Z, CTRL)
        qtbot.waitUntil(lambda e=expected: station.controller.current_id == e, timeout=WAIT)
        settle(qtbot, station)
        if expected == ids[0] and station.controller.rows[ids[1]].decision is not None:
            assert station.controller.rows[ids[0]].decision == stood
    assert all(row.decision is None for row in station.controller.rows.values())
    assert not station.window.actions_["undo"].isEnabled()


def test_a_colleague_s_decision_is_not_undone(qtbot, stations, judged_session):
    station = reviewed(qtbot, stations(operator="Kim"), judged_session)
    battery_id = choose(qtbot, station, is_normal)
    press(station, Key.Key_A)
    decided(qtbot, station, battery_id)
    station.controller.people.name("Lee")
    station.window._sync_actions()
    assert not station.window.actions_["undo"].isEnabled()
    press(station, Key.Key_Z, CTRL)
    settle(qtbot, station)
    assert station.controller.rows[battery_id].decision.operator == "Kim"
    assert station.window.actions_["change"].isEnabled()


def test_a_list_of_undecided_batteries_loses_none_as_they_are_decided(
    qtbot, stations, judged_session
):
    station = reviewed(qtbot, stations(), judged_session)
    panel = station.window.panels["lot"]
    panel.filter.setCurrentIndex(panel.filter.findData("undecided"))
    ids = sorted(station.controller.rows)
    focus(qtbot, station, panel.table)
    for place in range(3):
        assert station.controller.current_id == ids[place]
        press(station, Key.Key_Return)
        qtbot.waitUntil(lambda n=place: station.controller.current_id != ids[n], timeout=WAIT)
    settle(qtbot, station)
    assert [row.battery_id for row in station.controller.rows.values() if row.decision] == ids[:3]


def test_the_list_shows_the_person_s_word_where_it_stands_for_the_station_s(
    qtbot, stations, judged_session
):
    station = reviewed(qtbot, stations(), judged_session)
    battery_id = choose(qtbot, station, is_normal)
    press(station, Key.Key_O)
    dialog = dialog_of(station)
    dialog.kinds["external_defect"].setChecked(True)
    dialog.reason.setEditText("scratch")
    dialog.confirm.click()
    decided(qtbot, station, battery_id)
    model = station.window.panels["lot"].model
    place = model.place_of(battery_id)
    assert model.index(place, Column.VERDICT).data() == "External defect"


def test_after_signing_nothing_is_undone_and_a_change_is_still_possible(
    qtbot, stations, judged_session
):
    station = reviewed(qtbot, stations(), judged_session)
    battery_id = choose(qtbot, station, is_normal)
    press(station, Key.Key_A)
    stood = decided(qtbot, station, battery_id)
    assert station.window.actions_["undo"].isEnabled()
    with qtbot.waitSignal(station.controller.writer.signed, timeout=WAIT):
        station.controller.writer.sign("approved", Person(name="Kim"))
    qtbot.waitUntil(lambda: not station.window.actions_["undo"].isEnabled())
    press(station, Key.Key_Z, CTRL)
    settle(qtbot, station)
    assert station.controller.rows[battery_id].decision == stood
    assert station.window.actions_["change"].isEnabled()


def test_undo_gives_up_a_decision_that_the_disk_refuses_before_any_other(
    qtbot, stations, judged_session, monkeypatch
):
    station = reviewed(qtbot, stations(), judged_session)
    ids = sorted(station.controller.rows)
    focus(qtbot, station, station.window.panels["lot"].table)
    press(station, Key.Key_A)
    stood = decided(qtbot, station, ids[0])
    station.controller.choose(ids[1])

    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(inspection.seals.chain.Chain, "_write", refuse)
    press(station, Key.Key_Return)
    qtbot.waitUntil(lambda: station.controller.rows[ids[1]].unsaved, timeout=WAIT)
    # It is not there: Enter does not leave it behind.
    press(station, Key.Key_Return)
    assert station.controller.current_id == ids[1]
    station.controller.choose(ids[4])
    press(station, Key.Key_Z, CTRL)
    qtbot.waitUntil(lambda: station.controller.current_id == ids[1], timeout=WAIT)
    assert station.controller.rows[ids[1]].decision is None
    assert station.controller.rows[ids[0]].decision == stood
    assert not station.controller.writer.unsaved


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_dock_keeps_its_width_whatever_its_buttons_offer(
    qtbot, stations, judged_session, language
):
    station = reviewed(qtbot, stations(), judged_session)
    station.window.actions_.languages[language].trigger()
    dock = station.window.workbench.docks["verdict"]
    ids = sorted(station.controller.rows)
    focus(qtbot, station, station.window.panels["lot"].table)
    before = dock.width()
    press(station, Key.Key_Return)
    qtbot.waitUntil(lambda: station.controller.current_id == ids[1], timeout=WAIT)
    for key in (Key.Key_Up, Key.Key_Down, Key.Key_Up):
        press(station, key)
        QApplication.processEvents()
        # A word that is a little longer moves its edge; the buttons of two states do not.
        assert abs(dock.width() - before) < 20


def test_a_verdict_that_comes_while_the_dialog_is_open_is_in_it_before_anything_is_said(
    qtbot, stations, judged_session
):
    station = reviewed(qtbot, stations(), judged_session)
    battery_id = choose(qtbot, station, is_defect)
    judged = station.controller.rows[battery_id]
    station.controller.set_row(replace(judged, kind=None, defect_type=None))
    press(station, Key.Key_O)
    dialog = dialog_of(station)
    answer(dialog, Key.Key_1)
    assert dialog.confirm.isEnabled()
    station.controller.set_row(judged)
    # It is an override by now, which has a reason.
    assert " defect" in dialog.verdict.text()
    assert dialog.chosen == "normal"
    assert not dialog.confirm.isEnabled()
    dialog.reason.setEditText("dust")
    dialog.confirm.click()
    word = decided(qtbot, station, battery_id)
    assert (word.action, word.kind, word.reason) == ("override", "normal", "dust")
