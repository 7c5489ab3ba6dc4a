"""A session that another process writes: live, followed, taken over when it is free."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.session_holder import held_elsewhere
from PySide6.QtWidgets import QLabel

from inspection.lot.scan import scan_lot
from inspection.session.creating import create_session
from inspection.session.store import SessionStore

WAIT = 20_000

# The offscreen platform says so of every window that has a smallest size.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


def banner_says(station) -> str:
    banner = station.window.banner
    if not banner.isVisible():
        return ""
    return " ".join(part.text() for part in banner.findChildren(QLabel))


@pytest.fixture
def unfinished(lot: Path, judged_session: Path, stations) -> Path:
    """A session of the lot in which two of six batteries are still to be inspected."""
    judged = SessionStore.open(judged_session, read_only=True)
    with create_session(
        stations.sessions,
        lot=scan_lot(lot),
        language="en",
        config=judged.record.config,
        device="cpu",
    ) as store:
        for row in judged.record.batteries[:-2]:
            store.save_battery(judged.load_battery(row.battery_id))
        store.mark("processing")
    return store.folder


def test_a_live_session_is_followed_and_taken_over_when_it_is_free(
    qtbot, stations, lot, unfinished
):
    station = stations()
    controller, window = station.controller, station.window
    with held_elsewhere(unfinished) as other:
        with qtbot.waitSignal(controller.offered.found, timeout=WAIT) as found:
            controller.open_lot(lot)
        listing, may_resume = found.args
        assert listing.live
        assert not may_resume
        assert "is being inspected by" in banner_says(station)
        window.banner._put_away()
        with qtbot.waitSignal(controller.sessions_listed, timeout=WAIT):
            controller.writer.list_sessions()
        assert banner_says(station) == ""
        controller.open_lot(lot)
        qtbot.waitUntil(lambda: window.banner.isVisible(), timeout=WAIT)
        history = window.panels["history"].tree
        assert history.topLevelItem(0).text(3) == "Live"
        with qtbot.waitSignal(controller.lot_changed, timeout=WAIT):
            window.banner.answers[0].click()
        assert controller.following.live
        assert listing.holder.host in banner_says(station)
        assert not window.actions_["start"].isEnabled()
        last = list(controller.rows)[-1]
        controller.choose(last)
        assert controller.rows[last].kind is None
        other.save(last, "review")
        qtbot.waitUntil(lambda: controller.rows[last].kind == "review", timeout=WAIT)
        qtbot.waitUntil(lambda: controller.current_view().result is not None, timeout=WAIT)
        assert "5 / 6" in window.progress._state.text()
        other.close()
        qtbot.waitUntil(lambda: window.banner.topic == "free", timeout=WAIT)
        with qtbot.waitSignal(controller.lot_changed, timeout=WAIT):
            window.banner.answers[0].click()
        assert not controller.writer.read_only
        assert window.actions_["start"].isEnabled()


def test_a_session_that_is_killed_elsewhere_becomes_free(qtbot, stations, unfinished):
    station = stations()
    with held_elsewhere(unfinished) as other:
        with qtbot.waitSignal(station.controller.lot_changed, timeout=WAIT):
            station.controller.open_session(unfinished)
        assert station.controller.following.live
        other.kill()
        qtbot.waitUntil(lambda: station.window.banner.topic == "free", timeout=WAIT)
        assert not station.controller.following.live


def test_the_history_does_not_vouch_for_what_it_has_not_verified(stations, qtbot, lot, unfinished):
    station = stations()
    history = station.window.panels["history"].tree
    station.controller.writer.list_sessions()
    qtbot.waitUntil(lambda: history.topLevelItemCount() == 1, timeout=WAIT)
    assert "verified when it is opened" in history.topLevelItem(0).toolTip(2)
    station.controller.open_session(unfinished)
    qtbot.waitUntil(lambda: station.controller.writer.record is not None, timeout=WAIT)
    assert "verified when" not in history.topLevelItem(0).toolTip(2)


def test_the_history_sees_by_itself_who_takes_a_session(qtbot, stations, lot, unfinished):
    station = stations()
    history = station.window.panels["history"]
    with qtbot.waitSignal(station.controller.offered.found, timeout=WAIT):
        station.controller.open_lot(lot)
    station.window.workbench.docks["history"].raise_()
    assert history.tree.topLevelItem(0).text(3) == "Interrupted"
    qtbot.waitUntil(lambda: history._glance is not None, timeout=WAIT)
    with held_elsewhere(unfinished):
        qtbot.waitUntil(lambda: history.tree.topLevelItem(0).text(3) == "Live", timeout=WAIT)
        assert "is being inspected by" in banner_says(station)
