"""Whatever is told can be read again, and covers no button that decides."""

from __future__ import annotations

import logging
import shutil
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QLabel

from app.dialogs.message_log import MessageLogDialog
from app.wording import languages
from inspection.errors import InspectionError

WAIT = 20_000

# The offscreen platform says so of every window that has a smallest size.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


def banner_says(station) -> str:
    return " ".join(part.text() for part in station.window.banner.findChildren(QLabel))


@pytest.fixture
def damaged(stations, judged_session: Path) -> Path:
    """A session of which a battery's file was cut off and a line of the log torn."""
    folder = shutil.copytree(judged_session, stations.sessions / judged_session.name)
    record = folder / "session.json"
    record.write_bytes(record.read_bytes()[:-100])
    with (folder / "audit.jsonl").open("ab") as log:
        log.write(b'{"torn')
    return folder


def opened(qtbot, station, folder: Path):
    with qtbot.waitSignal(station.controller.lot_changed, timeout=WAIT):
        station.controller.open_session(folder)
    return station


def test_problems_found_on_opening_are_a_banner_and_a_list_that_stays(
    qtbot, stations, damaged, caplog
):
    caplog.set_level(logging.INFO)
    station = opened(qtbot, stations(), damaged)
    window = station.window
    problems = station.controller.writer.problems
    assert len(problems) > 1
    assert window.banner.topic == "problems"
    assert f"Problems: {len(problems)}" in banner_says(station)
    window.banner.answers[0].click()
    dialog = window.findChild(MessageLogDialog)
    told = [dialog.model.index(row, 2).data() for row in range(dialog.model.rowCount())]
    for problem in problems:
        assert problem.text("en") in told
        assert problem.text("en") in caplog.text
    assert dialog.model.index(0, 1).data() == damaged.name
    shown = [dialog.proxy.index(row, 2).data() for row in range(dialog.proxy.rowCount())]
    assert shown == told
    assert f"Problems: {len(problems)}" in shown[0]
    dialog.search.setText("torn")
    assert dialog.proxy.rowCount() < len(told)
    dialog.copy.click()
    assert problems[0].text("en") in QGuiApplication.clipboard().text()
    dialog.accept()
    assert not window.banner.isVisible()
    window.actions_["messages"].trigger()
    again = window.findChildren(MessageLogDialog)[-1]
    assert again.model.rowCount() == len(told)
    again.accept()


def test_toasts_are_in_the_list_with_their_hint_and_in_the_language_they_were_told_in(
    qtbot, stations
):
    station = stations()
    log = station.window.announcements.log
    languages.use("ko")
    station.controller.failed.emit(InspectionError("session_unsaved"))
    assert log.told[0].text == station.window.announcements.toast.text
    assert log.told[0].text == InspectionError("session_unsaved").text("ko")
    assert log.told[0].tone == "critical"


def test_of_two_lines_the_more_urgent_is_shown_and_the_other_waits(qtbot, stations):
    banner = stations().window.banner
    done: list[str] = []
    banner.ask("first", "one", [("Yes", lambda: done.append("first"))], "warning")
    banner.ask("urgent", "two", [("Yes", lambda: done.append("urgent"))], "critical")
    banner.ask("later", "three", (), "accent")
    assert banner.topic == "urgent"
    banner.answers[0].click()
    assert banner.topic == "first"
    banner.answers[0].click()
    assert banner.topic == "later"
    banner.dismiss("later")
    assert not banner.isVisible()
    assert done == ["urgent", "first"]


@pytest.mark.parametrize("size", [(1600, 960), (1100, 640)])
@pytest.mark.parametrize("area", ["Left", "Right", "Bottom"])
def test_a_toast_covers_no_button_that_decides(qtbot, stations, judged_session, size, area):
    folder = shutil.copytree(judged_session, stations.sessions / judged_session.name)
    station = opened(qtbot, stations(), folder)
    window = station.window
    window.resize(*size)
    dock = window.workbench.docks["verdict"]
    window.workbench.addDockWidget(getattr(Qt.DockWidgetArea, f"{area}DockWidgetArea"), dock)
    # Until the docks have their places.
    qtbot.wait(200)
    toast = window.announcements.toast
    toast.tell(
        "A sentence of some length that takes more than one line of the toast. " * 3, "accent"
    )
    deciding = [
        made
        for made in dock.findChildren(QAbstractButton)
        if made.property("decides") and made.isVisibleTo(dock)
    ]
    assert len(deciding) >= 3
    covered = QRect(toast.pos(), toast.size())
    for made in deciding:
        assert made.isVisible()
        assert not covered.intersects(QRect(made.mapTo(window, QPoint()), made.size()))


def test_the_seal_of_a_session_is_in_the_status_bar_with_what_is_wrong(
    qtbot, stations, judged_session
):
    folder = shutil.copytree(judged_session, stations.sessions / judged_session.name)
    station = opened(qtbot, stations(), folder)
    seal = station.window.status.seal
    assert seal.isVisible()
    assert seal.text == "Sealed"
    assert station.window.banner.topic != "problems"
    stations.close(station)

    record = folder / "session.json"
    text = record.read_text(encoding="utf-8")
    assert '"kind":"internal_defect"' in text.replace(" ", "")
    record.write_text(text.replace('"internal_defect"', '"normal"'), encoding="utf-8")
    station = opened(qtbot, stations(), folder)
    seal, banner = station.window.status.seal, station.window.banner
    assert seal.text == "Altered"
    assert "was altered" in seal.toolTip()
    assert banner.topic == "problems"
    assert "not as the station wrote it" in banner_says(station)
    assert station.window.announcements.log.told[-1].tone == "critical"
    assert not any(
        row.kind == "normal" and row.defect_type for row in station.controller.rows.values()
    )


def test_a_run_whose_pictures_find_no_room_is_stopped_told_and_goes_on(qtbot, stations, lot, gated):
    gate = threading.Event()
    station = stations(build=gated(gate))
    controller, banner = station.controller, station.window.banner
    with qtbot.waitSignal(controller.lot_changed, timeout=WAIT):
        controller.open_lot(lot)
    with qtbot.waitSignal(controller.runner.system_started, timeout=WAIT):
        controller.start()
    # What the disk refuses: a file is where the folder of the third battery's pictures goes.
    third = list(controller.rows)[2]
    blocked = controller.writer.folder / "evidence" / third
    blocked.write_bytes(b"")
    with qtbot.waitSignal(controller.runner.ended, timeout=WAIT):
        gate.set()
    assert banner.topic == "stopped"
    assert f"The pictures of battery {third} cannot be saved" in banner_says(station)
    states = [row.state for row in controller.rows.values()]
    assert states[:2] == ["done", "done"]
    assert "done" not in states[2:]
    qtbot.waitUntil(lambda: controller.writer.record.status == "failed", timeout=WAIT)
    assert third in controller.writer.record.error_message
    blocked.unlink()
    with qtbot.waitSignal(controller.runner.ended, timeout=WAIT):
        banner.answers[0].click()
    assert all(row.state == "done" for row in controller.rows.values())
    assert not banner.isVisible()
