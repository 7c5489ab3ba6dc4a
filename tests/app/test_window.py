from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.models.battery_table import Column

WAIT = 30_000

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


def press(station, key, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(station.window, key, modifier)


def test_opening_a_lot_lists_every_battery_and_shows_the_first(qtbot, stations, lot):
    station = opened(qtbot, stations(), lot)
    window = station.window
    assert window.lot_panel.proxy.rowCount() == 6
    assert window.pages.currentWidget() is window.workbench
    qtbot.waitUntil(lambda: window.ct.stage.picture_shown, timeout=WAIT)
    qtbot.waitUntil(lambda: window.rgb.stage.picture_shown, timeout=WAIT)


def test_an_inspection_gives_every_battery_a_verdict_on_screen(qtbot, stations, lot):
    station = inspected(qtbot, stations(), lot)
    rows = station.controller.rows.values()
    assert all(row.kind not in (None, "not_inspected") for row in rows)
    assert any(row.suspicious for row in rows)
    table = station.window.lot_panel.proxy
    shown = {table.index(n, Column.VERDICT).data() for n in range(table.rowCount())}
    assert "–" not in shown
