"""A demo model is marked wherever the window shows its word."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from builders.answering_lane import AnsweringLane, Record
from builders.ensemble_models import copy_ensemble
from PySide6.QtWidgets import QApplication

from app.dialogs.model_details import ModelCardDialog
from app.dialogs.models import SLOT_ROLE, ModelsDialog
from app.panels.demo_note import DemoNote
from app.wording import languages
from inspection.results import ModelProvenance

WAIT = 30_000
NOTE = "Demo model, trained on synthetic images"
PANELS = ("ct", "rgb", "vlm", "vlg", "comparison", "verdict")

# The offscreen platform says so of every window that has a smallest size.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture
def inspected(qtbot, stations, gated, lot, tmp_path):
    """Inspect a battery with demo models in some slots and return the station."""
    for slot in ("vlm", "vlg"):
        (tmp_path / "models" / slot).mkdir(parents=True)
    ready = threading.Event()
    ready.set()

    def inspect(*demo: str):
        def build(system, settings):
            if system != "ensemble":
                return AnsweringLane(system, settings, Record(demo=demo))
            lane = gated(ready)(system, settings)
            lane.load = lambda: [
                ModelProvenance(slot=slot, name=slot, sha256="0" * 64, demo=slot in demo)
                for slot in ("ct_cnn", "rgb_ae")
            ]
            return lane

        station = stations(build)
        station.controller.open_lot(lot)
        qtbot.waitUntil(lambda: station.controller.lot is not None, timeout=WAIT)
        with qtbot.waitSignal(station.controller.runner.ended, timeout=WAIT):
            station.controller.inspect_again(next(iter(station.controller.rows)))
        qtbot.waitUntil(lambda: not station.controller.writer._pool.busy, timeout=WAIT)
        return station

    return inspect


def marked(station) -> list[str]:
    """Return the panels that say that a demo model has spoken."""
    panels = {name: station.window.panels[name] for name in PANELS}
    notes = {name: panel.findChild(DemoNote) for name, panel in panels.items()}
    return [name for name, note in notes.items() if not note.isHidden() and note.text()]


def test_each_panel_says_that_its_own_model_is_a_demo(inspected):
    assert marked(inspected("vlm", "rgb_ae")) == ["rgb", "vlm", "comparison", "verdict"]


def test_nothing_is_marked_without_demo_models(inspected):
    assert marked(inspected()) == []


def test_the_note_is_in_sight_and_in_the_window_s_language(inspected):
    station = inspected("ct_cnn", "rgb_ae", "vlm", "vlg")
    assert marked(station) == list(PANELS)
    note = station.window.panels["vlm"].findChild(DemoNote)
    assert note.text() == NOTE
    languages.use("ko")
    QApplication.processEvents()
    assert note.text() == "데모 모델, 합성 이미지로 학습됨"


def test_the_comparison_marks_the_columns_of_demo_models(inspected):
    station = inspected("vlg")
    station.window.actions_["compare"].trigger()
    columns = station.window.panels["comparison"].columns
    names = {system: one._name.text() for system, one in columns.items()}
    assert names == {"ensemble": "Ensemble", "vlm": "VLM", "vlg": "VLG (demo)"}


def test_a_session_that_is_opened_again_is_marked_as_it_was_judged(qtbot, inspected, stations):
    first = inspected("vlm")
    folder = first.controller.writer.folder
    stations.close(first)
    again = stations()
    again.controller.open_session(folder)
    qtbot.waitUntil(lambda: again.controller.lot is not None, timeout=WAIT)
    assert marked(again) == ["vlm", "comparison", "verdict"]


def test_another_lot_is_not_marked_before_it_is_judged(qtbot, inspected, lot, tmp_path):
    station = inspected("vlm")
    other = shutil.copytree(lot, tmp_path / "other")
    with qtbot.waitSignal(station.controller.lot_changed, timeout=WAIT):
        station.controller.open_lot(other)
    assert marked(station) == []


def test_the_model_manager_says_so_and_shows_the_card(qtbot, stations, tmp_path):
    copy_ensemble(tmp_path / "models")
    station = stations()
    station.window.actions_["models"].trigger()
    dialog = station.window.findChild(ModelsDialog)
    qtbot.waitUntil(lambda: dialog.slots.topLevelItemCount() > 0, timeout=WAIT)
    for place in range(dialog.slots.topLevelItemCount()):
        item = dialog.slots.topLevelItem(place)
        if item.data(0, SLOT_ROLE) == "ct_cnn":
            dialog.slots.setCurrentItem(item)
    assert NOTE in dialog.details.values["note"].text()
    assert dialog.details.values["card"].text() == "model_card.md"
    dialog.details.card.click()
    shown = dialog.findChild(ModelCardDialog)
    assert "CT classifier, demo weights" in shown.text.toPlainText()
    shown.accept()


def test_a_card_that_is_gone_says_so(qtbot, stations, tmp_path):
    window = stations().window
    dialog = ModelCardDialog(window, "gone", Path(tmp_path) / "model_card.md")
    assert "model_card.md" in dialog.text.toPlainText()
    dialog.deleteLater()
