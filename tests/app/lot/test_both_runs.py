"""The window's run and the command's leave the same files, also where they were cancelled."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from builders.answering_lane import AnsweringLane, Record

from inspection.lot.scan import scan_lot
from inspection.modelstore.folders import ModelFolders
from inspection.results import SYSTEMS
from inspection.run.driver import inspect_into
from inspection.run.events import BatteryChanged
from inspection.run.plan import Conditions, plan_rest
from inspection.session.creating import create_session

WAIT = 30_000
LEFT_OUT = ("seconds", "system_seconds", "created_at", "updated_at", "run_id", "version")
# Of the window's own: who sits where.
LEFT_OUT += ("station", "operator")

# The offscreen platform says so of every window that has a smallest size.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture
def build(gated, tmp_path):
    """Build the ensemble of labels, and a VLM and a VLG that know their answers."""
    ready = threading.Event()
    ready.set()
    ensemble = gated(ready)
    for slot in ("ct_cnn", "vlm", "vlg"):
        (tmp_path / "models" / slot).mkdir(parents=True)

    def build(system, settings):
        if system == "ensemble":
            return ensemble(system, settings)
        return AnsweringLane(system, settings, Record())

    return build


def inspected_headless(lot: Path, folder: Path, policy, build) -> Path:
    scanned = scan_lot(lot)
    conditions = Conditions(ModelFolders((folder / "models",)), SYSTEMS, policy, "cpu")
    with create_session(
        folder / "headless", lot=scanned, operator="", station="", language="en",
        config=policy.snapshot(), device="cpu", models=[], version="1",
    ) as store:  # fmt: skip
        cancel = threading.Event()

        def stop(event):
            if isinstance(event, BatteryChanged) and event.finished:
                cancel.set()

        plan = plan_rest(store, scanned, conditions)
        inspect_into(store, scanned, plan, build, cancel=cancel, on_event=stop)
        plan = plan_rest(store, scanned, conditions)
        inspect_into(
            store, scanned, plan, build, cancel=threading.Event(), on_event=lambda event: None
        )
    return store.folder


def inspected_in_the_window(qtbot, station, lot: Path) -> Path:
    controller = station.controller
    controller.open_lot(lot)
    qtbot.waitUntil(lambda: controller.lot is not None, timeout=WAIT)

    def stop(result):
        if result.state == "done":
            controller.runner.cancel()

    controller.runner.battery_changed.connect(stop)
    with qtbot.waitSignal(controller.runner.ended, timeout=WAIT):
        controller.start()
    controller.runner.battery_changed.disconnect(stop)
    if controller.runner.unfinished:
        with qtbot.waitSignal(controller.runner.ended, timeout=WAIT):
            controller.start()
    qtbot.waitUntil(lambda: not controller.writer._pool.busy, timeout=WAIT)
    return controller.writer.folder


def timeless(value):
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if k not in LEFT_OUT}
    return [timeless(each) for each in value] if isinstance(value, list) else value


def content(session: Path) -> dict[str, object]:
    found = {p.name: timeless(json.loads(p.read_bytes())) for p in session.rglob("[!.]*.json")}
    record = found["session.json"]
    record["models"].sort(key=lambda model: model["slot"])
    # They cover the times that are left out.
    for sealed, name in ((record, "head"), *((row, "digest") for row in record["batteries"])):
        assert sealed.pop(name)
    return found


def test_both_leave_the_same_files_after_a_cancel_and_a_resume(
    qtbot, stations, lot, build, tmp_path
):
    station = stations(build)
    station.controller.change(station.controller.settings.model_copy(update={"device": "cpu"}))
    window = content(inspected_in_the_window(qtbot, station, lot))
    headless = content(inspected_headless(lot, tmp_path, station.controller.policy, build))
    assert len(headless) == 7
    assert headless["session.json"]["status"] == "completed"
    assert headless == window
